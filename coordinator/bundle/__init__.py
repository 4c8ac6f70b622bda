"""The bundle: model source and config as one self-contained script, byte for byte reproducible.

Most modules run here. These are text of the kernel and run there, with the standard library alone: bootstrap, checkout,
delivery, needed, attached, beside, installed, in_notebook and image_probe.
"""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
