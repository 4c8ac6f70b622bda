"""Running means of the values of a loop, and lines about its progress."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sized
from datetime import timedelta
from typing import Protocol, TypeVar

Item = TypeVar("Item", covariant=True)


class SizedIterable(Sized, Iterable[Item], Protocol[Item]):
    """An iterable with a length, such as a DataLoader."""


class MetricLogger:
    """Sums named values over the steps of a loop; `watch` iterates over the loop and prints its progress."""

    def __init__(self, heading: str, *, every: int, sums: Mapping[str, float] | None = None, count: int = 0) -> None:
        """`sums` and `count` are those of the steps that an earlier run did in the same loop."""
        self.heading = heading
        self.every = every
        self.sums = dict(sums or {})
        self.count = count

    def update(self, values: Mapping[str, float]) -> None:
        """Add the values of a step; all steps must have the same names."""
        self.count += 1
        for name, value in values.items():
            self.sums[name] = self.sums.get(name, 0.0) + value

    def means(self) -> dict[str, float]:
        """The mean of each value over the steps so far."""
        return {name: total / self.count for name, total in self.sums.items()}

    def watch(self, items: SizedIterable[Item], *, done: int = 0) -> Iterator[Item]:
        """Yield the items; print a line after every `every` items and after the last one.

        `done` is the number of items before them. The line has the mean of the first value only, so that it fits into a
        terminal; the event of the epoch has all of them.
        """
        started, total = time.monotonic(), done + len(items)
        for number, item in enumerate(items, start=done + 1):
            yield item
            if number % self.every == 0 or number == total:
                seconds = (time.monotonic() - started) / (number - done)
                left = timedelta(seconds=round(seconds * (total - number)))
                name, value = next(iter(self.means().items()), ("", 0.0))
                where = f"{self.heading}  step {number}/{total}"
                print(f"{where}  {name} {value:.4f}  {seconds:.2f} s/step  {left} left", flush=True)
