"""The limits of a run."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

import pytest

from model_src.training.stopping import OutOfTime, Stop


class Clock:
    """A clock with a time that tests set."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def during(self, seconds: float, items: Iterable[int] = range(4)) -> Iterator[int]:
        """Yield the items, with so many seconds for each."""
        for each in items:
            self.now += seconds
            yield each


def test_pace_is_that_of_the_slowest_prediction() -> None:
    """Four images of two views in 16 s are 2 s per view; ten views need 1.5 times 20 s."""
    clock = Clock()
    stop = Stop(clock)
    assert stop.left() == math.inf
    assert list(stop.paced(clock.during(4), views=2)) == [0, 1, 2, 3]
    list(stop.paced(clock.during(1), views=1))
    list(stop.paced(clock.during(1, []), views=1))
    assert stop.why_no_time(10**9) is None
    stop.limit(seconds=20 + 30.1, steps=None)
    assert stop.left() == pytest.approx(30.1)
    assert stop.why_no_time(10) is None
    stop.limit(seconds=20 + 30, steps=None)
    assert str(stop.why_no_time(10)).startswith("it takes about 30 s, and 30 s of the limit of 50 s are left; ")


def test_what_to_do_about_too_little_time() -> None:
    """Continuing helps if the training took the time; not if the rest alone needs more than the limit."""
    clock = Clock()
    stop = Stop(clock)
    stop.limit(seconds=100, steps=None)
    clock.now = 10  # images are read
    stop.begin()
    for _ in clock.during(10):
        stop.step()
    with stop.timed("evaluate"):
        list(stop.paced(clock.during(1), views=1))
    with stop.timed("save"):
        clock.now += 36
    assert (clock.now, stop.left()) == (90, 10)
    # A run without training: 10 s of reading, 4 or 20 views again at 1.5 s each, and the 40 views.
    assert stop.why_no_time(40, again=4) == (
        "it takes about 60 s, and 10 s of the limit of 100 s are left; "
        "continue the run (train.resume_from) to have it done"
    )
    assert stop.why_no_time(40, again=20) == (
        "it takes about 60 s, and 10 s of the limit of 100 s are left; train.time_limit_seconds is too short for it "
        "even when nothing is left to train: continue the run (train.resume_from) with more than 100 s"
    )


def test_stop_by_steps_and_by_time() -> None:
    """Never without limits. Steps are counted; time is reserved for the next step and evaluation."""

    def after(steps: int, *, seconds: float | None = None, most: int | None = None) -> Stop:
        stop = Stop()
        stop.limit(seconds=seconds, steps=most)
        stop.begin()
        for _ in range(steps):
            stop.step()
        return stop

    assert after(10).reason() is None
    assert after(2, most=3).reason() is None
    assert after(3, most=3).reason() == "stop_after_steps is 3"
    assert after(1, seconds=1000).reason() is None
    assert "limit of 0 s" in str(after(1, seconds=1e-9).reason())
    stop = after(1, seconds=0.5)
    with stop.timed("evaluate"):
        while stop.reason() is None and stop.reason(is_evaluation_next=True) is None:
            pass
    assert stop.reason(is_evaluation_next=True) is not None
    with pytest.raises(OutOfTime, match="here"):
        stop.leave("here")
