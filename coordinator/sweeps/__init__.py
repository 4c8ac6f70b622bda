"""Many experiments from one: the grid, the plan, pushing what is not pushed yet, progress, merging split folds."""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
