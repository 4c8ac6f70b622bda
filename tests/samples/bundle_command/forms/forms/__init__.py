from .first import star

__all__ = ["star", "second"]
