"""Packages that the kernels' image lacks, as wheels: resolved and locked, downloaded, and what a kernel installs."""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
