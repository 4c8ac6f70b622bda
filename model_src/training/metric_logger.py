"""Running means of what a loop measures, and a readable line now and then."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sized
from datetime import timedelta
from typing import Protocol, TypeVar

Item = TypeVar("Item", covariant=True)


class SizedIterable(Sized, Iterable[Item], Protocol[Item]):
    """What can be walked and knows its length; a DataLoader, say."""


class MetricLogger:
    """Adds up named values over a loop; `watch` walks the loop and prints its progress."""

    def __init__(self, heading: str, *, every: int, sums: Mapping[str, float] | None = None, count: int = 0) -> None:
        """`sums` and `count` are those of the steps that an earlier run did of the same loop."""
        self.heading = heading
        self.every = every
        self.sums = dict(sums or {})
        self.count = count

    def update(self, values: Mapping[str, float]) -> None:
        """Take in one step's values; every step must bring the same names."""
        self.count += 1
        for name, value in values.items():
            self.sums[name] = self.sums.get(name, 0.0) + value

    def means(self) -> dict[str, float]:
        """The mean of each value over the steps so far."""
        return {name: total / self.count for name, total in self.sums.items()}

    def watch(self, items: SizedIterable[Item], *, done: int = 0) -> Iterator[Item]:
        """Yield the items; every so many, and after the last, print where the loop is and the mean of the first value.

        `done` is how many came before them.

        The others are in the epoch's event: a line should fit a terminal.
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
