"""Sample data: a small data set of drawn chest X-rays in the competition's file formats.

    python -m runner_test.samples DIR

Needs numpy, Pillow and pydicom, which the local Kaggle itself does not.
"""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
