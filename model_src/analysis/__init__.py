"""Analysis: measurements after the training, on images that the models were not trained on.

Other modules import its modules directly, for example `analysis.ablation`: merge loads no torch, which most of them
need.
"""
