"""The local record of runs, sweeps, submissions and remarks, in SQLite."""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
