"""The local Kaggle: Kaggle's protocol and Kaggle's session layout, on this machine."""
