"""What the user wrote: the project's folder and settings, its experiments, and how both are read and checked."""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
