"""A run's folder below results/, and what the run reported: events, summary, out-of-fold rows, tracebacks."""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
