from __future__ import annotations


def g(x: Unknown) -> Unknown:
    pass
