"""Where kernels run: what a verb needs of such a place, how one is opened, and the credentials it wants.

`kaggle/` talks to Kaggle, `local.py` runs the local Kaggle.
"""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
