"""The profile of the loop."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
import torch

from model_src.output.loop_profile import PARTS
from model_src.training.timing import LoopTimer

CPU = torch.device("cpu")


def slow(count: int, seconds: float) -> Iterator[int]:
    """A loader that is slow for every batch."""
    for number in range(count):
        time.sleep(seconds)
        yield number


def test_the_slowest_part_is_the_limit() -> None:
    """In two loops with real waiting each part has its seconds, scaled to all steps; the slowest is the limit."""
    timer = LoopTimer(CPU)
    seen = []
    for _ in range(2):
        for number in timer.steps(slow(4, 0.02)):
            with timer.part("forward"):
                time.sleep(0.005)
            seen.append(number)
    with timer.evaluation():
        time.sleep(0.01)
    profile = timer.profile()
    assert seen == [0, 1, 2, 3] * 2
    assert (profile["steps"], profile["measured_steps"], profile["limit"]) == (8, 6, "data")
    assert profile["data"] >= 8 * 0.02
    assert profile["data"] > profile["forward"] >= 8 * 0.005
    assert profile["backward"] == 0
    assert profile["evaluation"] >= 0.01
    assert profile["text"].endswith("the limit is data")
    assert set(PARTS) < profile.keys()


def test_nothing_measured_is_said() -> None:
    """A run without steps, or with the first step only, has no limit."""
    timer = LoopTimer(CPU)
    assert list(timer.steps([7])) == [7]
    with timer.part("forward"):
        pass
    profile = timer.profile()
    assert (profile["steps"], profile["measured_steps"], profile["limit"]) == (1, 0, None)
    assert "not measured" in profile["text"]


def test_an_error_passes_through() -> None:
    """An exception in a part or in the loader is raised to the caller."""
    timer = LoopTimer(CPU)
    with pytest.raises(FloatingPointError, match="loss"), timer.part("forward"):
        raise FloatingPointError("loss")

    def broken() -> Iterator[int]:
        yield 1
        raise OSError("disk")

    with pytest.raises(OSError, match="disk"):
        list(timer.steps(broken()))
