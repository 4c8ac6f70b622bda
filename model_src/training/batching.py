"""How an epoch's pictures are divided into steps, and a step's batch into parts.

A part is what one forward pass sees, in this process or in another one: its losses are means over its own proposals,
its batch norms look at its own pictures. Gradients, losses and statistics of a step are the means over its parts,
weighted by their pictures. So the numbers follow from the number of parts, not from that of processes.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Generic, TypeVar

from .metric_logger import SizedIterable
from .world import World

Item = TypeVar("Item", covariant=True)


def count_steps(pictures: int, batch_size: int, parts: int) -> int:
    """Steps of an epoch. A last batch with fewer pictures than parts is left out, a smaller one is not."""
    full, rest = divmod(pictures, batch_size)
    return full + (rest >= parts)


def micro_batches(pictures: int, batch_size: int, parts: int, world: World, *, done: int = 0) -> list[list[int]]:
    """Places, from 0, of the pictures of each part that falls to this process, step by step after `done` steps.

    The parts of a step are neighbours, and their sizes differ by one at most. `parts` is a multiple of the world's
    size: each process has the same number in each step.
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
    """Items in groups of one size, of which there is a whole number: micro-batches as steps."""

    def __init__(self, items: SizedIterable[Item], size: int) -> None:
        self.items = items
        self.size = size

    def __len__(self) -> int:
        return len(self.items) // self.size

    def __iter__(self) -> Iterator[list[Item]]:
        iterator = iter(self.items)
        for _ in range(len(self)):
            yield [next(iterator) for _ in range(self.size)]
