"""Data sets of one's own: a folder as a version of one, whether sessions get it yet, and back into a folder."""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
