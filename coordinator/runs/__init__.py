"""The verbs about a run: push, status, follow, cancel, continue, promote, and (`fetch/`) fetch its results."""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
