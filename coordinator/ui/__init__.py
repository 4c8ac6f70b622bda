"""The live page of `coord ui`: a server on the loopback that shows the project's runs while they go on."""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
