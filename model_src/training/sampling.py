"""Samples the images of an epoch and their order."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def ratio_at(epoch: int, epochs: int, *, start: float, end: float | None) -> float:
    """Negative images per positive image in an epoch, counted from 1.

    Interpolated linearly from `start` in the first epoch to `end` in the last; `end` None = `start` in all epochs. A
    single epoch has `start`.
    """
    if end is None or epochs < 2:
        return start
    return start + (end - start) * (epoch - 1) / (epochs - 1)


def drawn_negatives(positives: int, negatives: int, ratio: float) -> int:
    """How many of so many negatives are drawn at this ratio to the positives: at most all of them."""
    return min(round(ratio * positives), negatives)


def epoch_order(
    positives: Sequence[int], negatives: Sequence[int], *, negatives_per_positive: float, rng: np.random.Generator
) -> list[int]:
    """All positives and a sample of the negatives without replacement, at most all of them, shuffled."""
    count = drawn_negatives(len(positives), len(negatives), negatives_per_positive)
    drawn = rng.choice(np.asarray(negatives, np.int64), count, replace=False)
    order: list[int] = rng.permutation(np.concatenate([np.asarray(positives, np.int64), drawn])).tolist()
    return order
