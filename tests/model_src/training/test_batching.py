"""How a batch is divided into parts."""

from __future__ import annotations

from model_src.training.batching import Grouped, count_steps, micro_batches
from model_src.training.world import World


def test_parts_of_a_step() -> None:
    """Consecutive parts of nearly equal size; a rest of fewer images than parts is left out."""
    alone = World()
    assert micro_batches(7, 4, 1, alone) == [[0, 1, 2, 3], [4, 5, 6]]
    assert micro_batches(7, 4, 2, alone) == [[0, 1], [2, 3], [4, 5], [6]]
    assert micro_batches(7, 4, 2, alone, done=1) == [[4, 5], [6]]
    assert micro_batches(9, 4, 2, alone) == [[0, 1], [2, 3], [4, 5], [6, 7]]
    assert [micro_batches(7, 4, 2, World(rank, 2)) for rank in (0, 1)] == [[[0, 1], [4, 5]], [[2, 3], [6]]]
    assert [count_steps(9, 4, parts) for parts in (1, 2)] == [3, 2]
    assert count_steps(1, 4, 2) == 0
    grouped = Grouped(micro_batches(7, 4, 2, alone), 2)
    assert (len(grouped), list(grouped)) == (2, [[[0, 1], [2, 3]], [[4, 5], [6]]])
