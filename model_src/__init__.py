"""The kernel's side: Mask R-CNN for pneumothorax on chest X-rays, trained, evaluated and reported.

Importing the package imports nothing heavy, so that `model_src.config` can be read without torch.
"""
