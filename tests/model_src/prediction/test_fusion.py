"""Several views of an image: votes on instances, means over the views that saw them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, strategies as st

from model_src.prediction.fusion import Instance, fuse, top_score, united
from model_src.prediction.predict import Prediction
from model_src.prediction.thresholds import Rule

DEFAULT = Rule(0.5, 0.5, 0, 0.5)
SIZE = 32


def instance(score: float, *, at: int = 4, edge: int = 8, probability: float = 0.9) -> Instance:
    """A square instance, whose first pixel is at (at, at)."""
    return Instance(score, at, at, np.full((edge, edge), probability, np.float32))


def covered(*views: list[Instance]) -> int:
    """Pixels of the mask at the default thresholds."""
    return int(Prediction(0, SIZE, tuple(views)).mask((SIZE, SIZE), DEFAULT).sum())


@pytest.mark.parametrize(
    ("scores", "is_there"),
    [
        ((0.95, 0.95), True),
        ((0.9, 0.3), True),
        ((0.6, 0.45), True),
        # A view that missed it is no veto where the other is sure.
        ((0.9, 0.0), True),
        ((0.6, 0.0), True),
        ((0.58, 0.0), False),
        ((0.55, 0.3), False),
        ((0.45, 0.45), False),
        # The more views missed it, the surer the others have to be.
        ((0.6, 0.0, 0.0, 0.0), False),
        ((0.72, 0.0, 0.0, 0.0), True),
        ((0.7, 0.7, *[0.0] * 8), False),
        ((0.88, *[0.0] * 9), False),
        ((0.9, *[0.0] * 9), True),
    ],
)
def test_views_vote_by_their_scores(scores: tuple[float, ...], is_there: bool) -> None:
    """An instance is there where the power mean of its scores reaches the threshold; its mask is that of who saw it."""
    assert covered(*([instance(score)] if score else [] for score in scores)) == is_there * 64


def test_mask_is_the_mean_over_the_views_that_saw_it() -> None:
    """Weighted by their scores; a view without the instance does not thin it out, as a mean of maps would."""
    high, low = instance(0.9, probability=0.8), instance(0.6, probability=0.5)
    (one,) = fuse([[high], [low], []])
    assert one.score == pytest.approx(((0.9**4 + 0.6**4) / 3) ** 0.25)
    assert one.values == pytest.approx(np.full((8, 8), (0.9 * 0.8 + 0.6 * 0.5) / 1.5))
    (alone,) = fuse([[high], []])
    assert alone.score == pytest.approx(0.9 / 2**0.25)
    assert alone.values == pytest.approx(np.full((8, 8), 0.8))
    assert united([alone], 0.75, SIZE)[4:12, 4:12] == pytest.approx(np.full((8, 8), 0.8))
    assert not united([alone], 0.76, SIZE).any()
    # Where their boxes differ, a view that saw the instance elsewhere says 0 there.
    (wide,) = fuse([[instance(0.5, edge=8)], [instance(0.5, edge=10)]])
    assert wide.values[9, 9] == pytest.approx(0.45)
    assert wide.values[0, 0] == pytest.approx(0.9)


def test_instances_elsewhere_are_others() -> None:
    """Two of one view are never one; of two views they are one only if their boxes overlap enough."""
    here, there = instance(0.9), instance(0.8, at=20)
    assert sorted(each.score for each in fuse([[here], [there]])) == pytest.approx([0.8 / 2**0.25, 0.9 / 2**0.25])
    assert len(fuse([[here, here], [here]])) == 2
    near = instance(0.8, at=5)
    assert [each.score for each in fuse([[here], [near]])] == pytest.approx([((0.9**4 + 0.8**4) / 2) ** 0.25])
    # The nearest of several.
    fused = fuse([[here, instance(0.7, at=7)], [instance(0.6, at=7)]])
    assert [each.score for each in fused] == pytest.approx([0.9 / 2**0.25, ((0.7**4 + 0.6**4) / 2) ** 0.25])


instances = st.lists(
    st.builds(
        instance,
        st.floats(0.0625, 1, width=32),
        at=st.integers(0, 20),
        edge=st.integers(1, 12),
        probability=st.floats(0.125, 1, width=32),
    ),
    max_size=4,
)


@given(instances, st.floats(0.05, 1))
def test_one_view_is_unchanged(view: list[Instance], threshold: float) -> None:
    """Bit for bit, as without any averaging; and equal views are as one of them."""
    assert fuse([view]) == tuple(view)
    twice = fuse([view, view])
    assert top_score(twice) == pytest.approx(top_score(view))
    clear = min((abs(each.score - threshold) for each in view), default=1.0) > 1e-6
    separate = all(one.overlap(two) < 0.3 for place, one in enumerate(view) for two in view[:place])
    if clear and separate:
        assert np.allclose(united(twice, threshold, SIZE), united(view, threshold, SIZE), atol=1e-6)
