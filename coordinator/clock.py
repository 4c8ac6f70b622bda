"""Time, waiting and random numbers as one value, so that tests can replace them."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass


def _chance() -> float:
    from random import random  # not above: most commands wait for nothing

    return random()


@dataclass(frozen=True)
class Clock:
    """Functions for the time, for waiting and for random numbers."""

    seconds: Callable[[], float] = time.time
    """Seconds since 1970."""
    monotonic: Callable[[], float] = time.monotonic
    """Seconds since an arbitrary moment, which never decrease: for durations."""
    sleep: Callable[[float], None] = time.sleep
    """Waits for this number of seconds."""
    chance: Callable[[], float] = _chance
    """A random number from 0 to 1; it makes the waits of several processes different."""


SYSTEM_CLOCK = Clock()
