"""Local Kaggle: the same wire protocol and the same session layout, on this machine."""
