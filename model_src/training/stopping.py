"""Decides when a run has to stop before it is finished: a limit of time or steps, or a request (SIGTERM)."""

from __future__ import annotations

import contextlib
import math
import signal
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from types import FrameType
from typing import Literal, NoReturn, TypeVar

Item = TypeVar("Item")

MARGIN = 1.5
"""Factor on the estimated time of a prediction, which is measured with the slowest prediction before."""

ASKED = "request to stop"


class OutOfTime(Exception):
    """The run ends because of its own limits; its state is saved."""


class Stop:
    """The limits of a run, and the handler of SIGTERM, which raises SystemExit.

    Time is measured in seconds from the creation of the object. In the context `deferred` a request waits until a part
    that is `interruptible`, or until the caller checks `reason`.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._begun = clock()
        self._seconds: float | None = None
        self._steps: int | None = None
        self._deferring = self._asked = False
        self._at_once = True
        self._done = 0
        self._step_begun = self._begun
        self._longest: dict[str, float] = {}
        self._trained = 0.0  # seconds of steps, evaluations and saves
        self._pace = 0.0  # seconds per view of the slowest prediction

    def limit(self, *, seconds: float | None, steps: int | None) -> None:
        """Set the limits of the run, counted from its start; None = no limit."""
        self._seconds, self._steps = seconds, steps

    def listen(self, *, at_once: bool = True) -> None:
        """Handle SIGTERM as a request to stop; without `at_once` the run stops only where all processes agree.

        A process that ends alone makes the others fail in their next collective operation.
        """
        self._at_once = at_once
        signal.signal(signal.SIGTERM, self._on_signal)

    @property
    def is_asked(self) -> bool:
        """Whether there was a request to stop."""
        return self._asked

    def _on_signal(self, number: int, _: FrameType | None) -> None:
        self._asked = True
        if self._at_once and not self._deferring:
            sys.exit(128 + number)

    @contextlib.contextmanager
    def deferred(self) -> Iterator[None]:
        """A context in which a request to stop waits until its end or an `interruptible` part."""
        self._deferring = True
        try:
            yield
        finally:
            self._deferring = False
        if self._asked and self._at_once:
            sys.exit(128 + signal.SIGTERM)

    @contextlib.contextmanager
    def interruptible(self) -> Iterator[None]:
        """A context in `deferred` that a request to stop may leave at any point."""
        self._deferring = False
        try:
            if self._asked and self._at_once:
                sys.exit(128 + signal.SIGTERM)
            yield
        finally:
            self._deferring = True

    def begin(self) -> None:
        """Start to measure the first of several steps."""
        self._step_begun = self._clock()

    def step(self) -> None:
        """An optimizer step is done; start to measure the next one."""
        now = self._clock()
        self._took("step", now - self._step_begun)
        self._step_begun = now
        self._done += 1

    @contextlib.contextmanager
    def timed(self, what: Literal["evaluate", "save"]) -> Iterator[None]:
        """Measure a block, so that time is reserved for another one before the limit."""
        begun = self._clock()
        try:
            yield
        finally:
            self._took(what, self._clock() - begun)
            self.begin()

    def _took(self, what: str, seconds: float) -> None:
        self._longest[what] = max(seconds, self._longest.get(what, 0.0))
        self._trained += seconds

    def paced(self, predictions: Iterable[Item], *, views: int) -> Iterator[Item]:
        """Yield the predictions and measure the seconds per view; each has `views` views: models times flips."""
        begun = self._clock()
        seen = 0
        for each in predictions:
            yield each
            seen += views
        if seen:
            self._pace = max(self._pace, (self._clock() - begun) / seen)

    def left(self) -> float:
        """Seconds until the limit, negative after it; infinite without a limit."""
        return math.inf if self._seconds is None else self._seconds - self._elapsed()

    def why_no_time(self, views: int, *, again: int = 0) -> str | None:
        """Why a prediction of `views` does not fit into the remaining time, and what to do; None if it fits.

        `again` are the views that a continued run would predict before it. When the limit is too short for both, the
        message says that a longer one is needed.
        """
        needed, left = self._estimate(views), self.left()
        if self._seconds is None or needed < left:
            return None
        # A continued run repeats everything but the training: imports, reading the images, and so on.
        least = self._elapsed() - self._trained + self._estimate(again) + needed
        text = (
            f"it takes about {needed:.0f} s, and {max(left, 0.0):.0f} s of the limit of {self._seconds:.0f} s are left"
        )
        if least < self._seconds:
            return f"{text}; continue the run (train.resume_from) to have it done"
        return (
            f"{text}; train.time_limit_seconds is too short for it even when nothing is left to train: continue the "
            f"run (train.resume_from) with more than {least:.0f} s"
        )

    def _elapsed(self) -> float:
        return self._clock() - self._begun

    def _estimate(self, views: int) -> float:
        return MARGIN * self._pace * views

    def reason(self, *, is_evaluation_next: bool = False) -> str | None:
        """Why the run has to stop now; None if another step (and evaluation) and a save fit into its time."""
        if self._asked:
            return ASKED
        if self._steps is not None and self._done >= self._steps:
            return f"stop_after_steps is {self._steps}"
        needed = self._longest.get("save", 0.0) + self._longest.get("step", 0.0)
        needed += self._longest.get("evaluate", 0.0) if is_evaluation_next else 0.0
        seconds = self._elapsed()
        if self._seconds is not None and seconds + needed >= self._seconds:
            return f"{seconds:.0f} s of the limit of {self._seconds:.0f} s are over, the next step takes {needed:.0f} s"
        return None

    def leave(self, text: str, *, is_request: bool = False) -> NoReturn:
        """End the run: by SystemExit after a request to this process or another one, otherwise by OutOfTime."""
        if self._asked or is_request:
            sys.exit(128 + signal.SIGTERM)
        raise OutOfTime(text)
