"""The model source: trains, evaluates and reports Mask R-CNN for pneumothorax on chest X-rays, in the kernel.

The package itself imports nothing, so that `model_src.config` can be read without torch.
"""
