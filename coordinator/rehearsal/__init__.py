"""Does the second half of a code competition on this machine, and says what would have failed on Kaggle.

`rehearse.py` runs an experiment on the visible data and again on the hidden ones, with the local Kaggle; `evidence.py`
reads what both left, and `findings.py` judges it: neither of these two runs anything.
"""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
