"""Where the loop's seconds go: waiting for data, transfer, forward, backward, step; and which of them is the limit.

A graphics card works on while Python goes on, so a part's seconds mean something only when the card is waited for at
its borders. That waiting costs speed itself; so on a card only every so many steps are measured, and scaled up.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

import torch

from ..output import PARTS, profile

Item = TypeVar("Item")

MEASURED_EVERY = 10
"""Steps on a card for one that is measured."""


class LoopTimer:
    """Adds up the seconds of each part over all the loops that it is given to."""

    def __init__(self, device: torch.device) -> None:
        self._synchronize = torch.cuda.synchronize if device.type == "cuda" else None
        self._every = MEASURED_EVERY if self._synchronize else 1
        self._measuring = False
        self._seconds = dict.fromkeys(PARTS, 0.0)
        self._evaluation = 0.0
        self._steps = 0
        self._measured = 0

    def steps(self, items: Iterable[Item]) -> Iterator[Item]:
        """Walk the batches; the time until each is there is "data". Each walk's first step is left out: it warms up."""
        iterator = iter(items)
        number = 0
        while True:
            self._measuring = number > 0 and number % self._every == 0
            with self.part("data"):
                item = next(iterator, self)
            if item is self:
                break
            self._steps += 1
            self._measured += self._measuring
            yield item  # type: ignore[misc]  # the end is marked with the timer itself, which no loader yields
            number += 1
        self._measuring = False

    @contextlib.contextmanager
    def part(self, name: str) -> Iterator[None]:
        """One of PARTS, inside a walk."""
        if not self._measuring:
            yield
            return
        begun = self._now()
        yield
        self._seconds[name] += self._now() - begun

    @contextlib.contextmanager
    def evaluation(self) -> Iterator[None]:
        """A whole pass over the validation pictures, outside of a walk."""
        begun = self._now()
        try:
            yield
        finally:
            self._evaluation += self._now() - begun

    def profile(self) -> dict[str, Any]:
        """What metrics.json says: seconds of each part, scaled to all steps, what is the limit, and one line."""
        scale = self._steps / self._measured if self._measured else 0.0
        seconds = {name: round(value * scale, 3) for name, value in self._seconds.items()}
        return profile(seconds, self._evaluation, self._steps, self._measured)

    def _now(self) -> float:
        if self._synchronize:
            self._synchronize()
        return time.perf_counter()
