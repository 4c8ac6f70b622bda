"""Data: finds, reads and decodes attached inputs, and provides labels, folds and samples for training.

Other packages import its modules directly, for example `data.rle`: score, merge and `python -m model_src.data.labels`
load neither torch nor pydicom, which some of these modules need.
"""
