"""The competition's metric and what follows from it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_src.labels import read_labels, union
from model_src.score import Scored, all_empty, choose_presence, dice, mean_dice, with_presence


def scored(*, value: float = 0.0, truth: int = 0, top: float = 0.0) -> Scored:
    """A scored picture of which only these figures matter."""
    return Scored("id", 0, value, truth, 0, top, "-1")


def test_dice_of_two_masks() -> None:
    """Twice the overlap over the sum; 1 where both are empty, 0 where only one is."""
    left, right, empty = (np.array(each, bool) for each in ([1, 1, 1, 0], [0, 1, 1, 1], [0, 0, 0, 0]))
    assert dice(left, right) == pytest.approx(4 / 6)
    assert dice(left, left) == dice(empty, empty) == 1
    assert dice(left, empty) == dice(empty, left) == 0


def test_all_empty_on_the_real_labels(real_labels: Path) -> None:
    """9 378 of 12 047 images have no mask: an empty submission scores just that, baseline and metric alike."""
    pictures = [
        scored(value=float(not codes), truth=sum(int(each) for code in codes for each in code.split()[1::2]))
        for codes in read_labels(real_labels).values()
    ]
    assert all_empty(pictures) == mean_dice(pictures) == pytest.approx(9378 / 12047)


def test_real_instances_are_united(real_labels: Path) -> None:
    """Of the image with ten masks, one of them alone doesn't score 1 and all of them do."""
    codes = max(read_labels(real_labels).values(), key=len)
    truth = union(codes, 1024, 1024)
    assert dice(union(reversed(codes), 1024, 1024), truth) == 1
    assert 0 < dice(union(codes[:1], 1024, 1024), truth) < 1


@given(
    st.lists(
        st.builds(
            scored,
            value=st.sampled_from([0.0, 0.25, 0.5, 1.0]),
            truth=st.sampled_from([0, 9]),
            top=st.sampled_from([0.0, 0.3, 0.6, 0.9]),
        ),
        min_size=1,
        max_size=12,
    )
)
def test_presence_is_the_best_there_is(pictures: list[Scored]) -> None:
    """No threshold among the scores does better, and the reported figure is the one that it gives."""
    threshold, value = choose_presence(pictures)

    def at(each: float) -> float:
        return sum(with_presence(picture, each) for picture in pictures) / len(pictures)

    assert value == pytest.approx(at(threshold))
    assert value == pytest.approx(max(at(each) for each in [0.0, *(picture.top_score for picture in pictures)]))
