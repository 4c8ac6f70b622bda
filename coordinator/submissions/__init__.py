"""Submitting what a run predicted, its scores, and how well these agree with cross-validation."""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
