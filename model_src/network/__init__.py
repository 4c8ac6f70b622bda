"""Network: Mask R-CNN, its losses, and its initial weights."""

from .build import CLASSES, build_model
from .weights import find_weights

__all__ = ["CLASSES", "build_model", "find_weights"]
