"""The data room: finds, reads and decodes what is attached, and makes samples, labels and folds of it.

Other rooms import its modules directly, for example `data.rle`: score, merge and `python -m model_src.data.labels` load
neither torch nor pydicom, which some of these modules need.
"""
