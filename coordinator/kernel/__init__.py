"""The kernel that would be pushed: its script, its metadata, what it would do, and whether a kernel is still that."""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
