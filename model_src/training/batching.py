"""Divides the images of an epoch into steps, and the batch of a step into parts.

A part is the input of one forward pass, in this process or in another: its losses are means over its own proposals, and
its batch norms use its own images. Gradients, losses and statistics of a step are the means over its parts, weighted by
their numbers of images. So the results depend on the number of parts, and not on the number of processes.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Generic, TypeVar

from .metric_logger import SizedIterable
from .world import World

Item = TypeVar("Item", covariant=True)


def count_steps(pictures: int, batch_size: int, parts: int) -> int:
    """Number of steps of an epoch. The last batch may be smaller; with fewer images than parts it is left out."""
    full, rest = divmod(pictures, batch_size)
    return full + (rest >= parts)


def micro_batches(pictures: int, batch_size: int, parts: int, world: World, *, done: int = 0) -> list[list[int]]:
    """The positions (from 0) of the images of each part that belongs to this process, in order, after `done` steps.

    Parts are consecutive, and their sizes differ by one at most. `parts` is a multiple of the number of processes, so
    that each process has the same number of parts in each step.
    """
    mine: list[list[int]] = []
    for step in range(done, count_steps(pictures, batch_size, parts)):
        places = range(step * batch_size, min((step + 1) * batch_size, pictures))
        size, larger = divmod(len(places), parts)
        starts = [part * size + min(part, larger) for part in range(parts + 1)]
        each = [list(places[start:end]) for start, end in pairwise(starts)]
        mine += world.own(each)
    return mine


class Grouped(Generic[Item]):
    """Iterates over the items in groups of `size`, for example micro-batches in steps."""

    def __init__(self, items: SizedIterable[Item], size: int) -> None:
        self.items = items
        self.size = size

    def __len__(self) -> int:
        return len(self.items) // self.size

    def __iter__(self) -> Iterator[list[Item]]:
        iterator = iter(self.items)
        for _ in range(len(self)):
            yield [next(iterator) for _ in range(self.size)]
