"""Measures the parts of the training loop: waiting for data, transfer, forward, backward, step.

A GPU works asynchronously, so a part is measured by synchronizing before and after it. Synchronization is slow, so on a
GPU only every MEASURED_EVERY-th step is measured, and the seconds are scaled to all steps.
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
"""On a GPU, one of so many steps is measured."""


class LoopTimer:
    """Sums the seconds of each part over all loops that use it."""

    def __init__(self, device: torch.device) -> None:
        self._synchronize = torch.cuda.synchronize if device.type == "cuda" else None
        self._every = MEASURED_EVERY if self._synchronize else 1
        self._measuring = False
        self._seconds = dict.fromkeys(PARTS, 0.0)
        self._evaluation = 0.0
        self._steps = 0
        self._measured = 0

    def steps(self, items: Iterable[Item]) -> Iterator[Item]:
        """Yield the batches; waiting for one is "data". The first step of a loop is slower and not measured."""
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
            yield item  # type: ignore[misc]  # the end is marked by the timer, which no loader yields
            number += 1
        self._measuring = False

    @contextlib.contextmanager
    def part(self, name: str) -> Iterator[None]:
        """The context of one of PARTS, in a loop over `steps`."""
        if not self._measuring:
            yield
            return
        begun = self._now()
        yield
        self._seconds[name] += self._now() - begun

    @contextlib.contextmanager
    def evaluation(self) -> Iterator[None]:
        """The context of an evaluation, outside of a loop over `steps`."""
        begun = self._now()
        try:
            yield
        finally:
            self._evaluation += self._now() - begun

    def profile(self) -> dict[str, Any]:
        """The profile for metrics.json: seconds of each part, scaled to all steps; see `loop_profile.profile`."""
        scale = self._steps / self._measured if self._measured else 0.0
        seconds = {name: round(value * scale, 3) for name, value in self._seconds.items()}
        return profile(seconds, self._evaluation, self._steps, self._measured)

    def _now(self) -> float:
        if self._synchronize:
            self._synchronize()
        return time.perf_counter()
