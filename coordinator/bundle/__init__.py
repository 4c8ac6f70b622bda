"""The bundle: model source and config as one self-contained script, byte for byte reproducible."""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
