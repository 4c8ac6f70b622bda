"""Network: Mask R-CNN, its losses, and its initial weights."""

from .build import CLASSES, build_model
from .weights import OWN_FOLD, find_weights

__all__ = ["CLASSES", "OWN_FOLD", "build_model", "find_weights"]
