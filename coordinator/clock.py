"""The time, waiting and chance: one value, so that tests can replace them."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Clock:
    """Where the time comes from, and how to wait."""

    seconds: Callable[[], float] = time.time
    """Seconds since 1970."""
    monotonic: Callable[[], float] = time.monotonic
    """Seconds since some moment, never set back: for durations."""
    sleep: Callable[[float], None] = time.sleep
    """Waits for so many seconds."""
    chance: Callable[[], float] = random.random
    """A number from 0 to 1, by which waits differ that would otherwise end together."""


SYSTEM_CLOCK = Clock()
