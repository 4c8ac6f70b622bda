"""Which pictures an epoch trains on, and in which order."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def ratio_at(epoch: int, epochs: int, *, start: float, end: float | None) -> float:
    """Negatives for each positive in an epoch, counted from 1.

    They lie on the line from `start` in the first to `end` in the last; None = `start` in all of them. A single epoch
    has `start`.
    """
    if end is None or epochs < 2:
        return start
    return start + (end - start) * (epoch - 1) / (epochs - 1)


def epoch_order(
    positives: Sequence[int], negatives: Sequence[int], *, negatives_per_positive: float, rng: np.random.Generator
) -> list[int]:
    """All positives and, for each, so many negatives drawn without repetition, as far as there are any; shuffled."""
    count = min(round(negatives_per_positive * len(positives)), len(negatives))
    drawn = rng.choice(np.asarray(negatives, np.int64), count, replace=False)
    order: list[int] = rng.permutation(np.concatenate([np.asarray(positives, np.int64), drawn])).tolist()
    return order
