"""The network room: Mask R-CNN with its losses, and the weights that it starts from."""

from .build import CLASSES, build_model
from .weights import find_weights

__all__ = ["CLASSES", "build_model", "find_weights"]
