"""The verbs about a run: push, look at, follow, cancel, continue, promote, and (`fetch/`) bring its results here."""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
