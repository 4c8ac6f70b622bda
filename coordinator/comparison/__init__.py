"""Whether one experiment is better than another, or was lucky: values, intervals, noise, verdicts, ranking."""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
