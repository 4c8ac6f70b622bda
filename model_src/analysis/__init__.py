"""The analysis room: what is measured after the training, on images that the models have not seen.

Other modules import its modules directly, for example `analysis.ablation`: merge loads no torch, which most of them
need.
"""
