"""Readers: turn what any program leaves (printed lines, CSV logs, JSON files) into a Summary and live events."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
