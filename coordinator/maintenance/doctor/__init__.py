"""The verb doctor: checks all that a push needs.

Each `of_*` module checks one part and yields findings; `doctor` puts them together.
"""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
