"""Brings a run's output here: which files, in parallel, resumed where it broke off."""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
