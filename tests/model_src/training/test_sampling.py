"""The images of an epoch."""

from __future__ import annotations

import numpy as np

from model_src.training.sampling import epoch_order, ratio_at


def test_epoch_takes_all_positives_and_a_share_of_negatives() -> None:
    """No image twice, the ratio as far as there are negatives, another order for another seed."""
    positives, negatives = range(10), range(10, 100)
    for ratio, count in [(0, 0), (0.5, 5), (2, 20), (50, 90)]:
        order = epoch_order(positives, negatives, negatives_per_positive=ratio, rng=np.random.default_rng(0))
        assert len(order) == len(set(order)) == 10 + count
        assert set(positives) <= set(order)
        assert set(order) <= set(positives) | set(negatives)
    first, second = (
        epoch_order(positives, negatives, negatives_per_positive=1, rng=np.random.default_rng(seed)) for seed in (0, 1)
    )
    assert first != second


def test_ratio_changes_linearly_from_the_first_epoch_to_the_last() -> None:
    """Linearly; it is constant without an end value and with a single epoch."""
    assert [ratio_at(epoch, 5, start=0.25, end=1.25) for epoch in range(1, 6)] == [0.25, 0.5, 0.75, 1.0, 1.25]
    assert [ratio_at(epoch, 3, start=2, end=0) for epoch in (1, 2, 3)] == [2, 1, 0]
    assert [ratio_at(epoch, 3, start=2, end=None) for epoch in (1, 2, 3)] == [2, 2, 2]
    assert ratio_at(1, 1, start=2, end=0) == 2
