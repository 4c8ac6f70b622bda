"""When a run has to end before it is finished: its time is over, its steps are done, or it was told to."""

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
"""A prediction is given so much more time than it would take at the pace of the slowest one before."""

ASKED = "asked to end"


class OutOfTime(Exception):
    """The run ends here by its own settings; what it has is saved."""


class Stop:
    """Knows how long a run may go on, and turns a request to end (SIGTERM) into SystemExit.

    The clock, in seconds, begins with the object. Inside `deferred` a request waits for a part that is `interruptible`,
    or for somebody who asks for the `reason` to stop.
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
        self._pace = 0.0  # seconds a view of the slowest prediction

    def limit(self, *, seconds: float | None, steps: int | None) -> None:
        """How long the run may take, each counted from its start; None = no limit."""
        self._seconds, self._steps = seconds, steps

    def listen(self, *, at_once: bool = True) -> None:
        """From now on, take SIGTERM for a request to end; not `at_once` = only where all processes agree to.

        A process that leaves on its own makes the others fail in their next exchange with it.
        """
        self._at_once = at_once
        signal.signal(signal.SIGTERM, self._on_signal)

    @property
    def is_asked(self) -> bool:
        """Whether there was a request to end."""
        return self._asked

    def _on_signal(self, number: int, _: FrameType | None) -> None:
        self._asked = True
        if self._at_once and not self._deferring:
            sys.exit(128 + number)

    @contextlib.contextmanager
    def deferred(self) -> Iterator[None]:
        """A part of the run that is only to be left where it says so, or at its end."""
        self._deferring = True
        try:
            yield
        finally:
            self._deferring = False
        if self._asked and self._at_once:
            sys.exit(128 + signal.SIGTERM)

    @contextlib.contextmanager
    def interruptible(self) -> Iterator[None]:
        """A part inside `deferred` that may be left anywhere."""
        self._deferring = False
        try:
            if self._asked and self._at_once:
                sys.exit(128 + signal.SIGTERM)
            yield
        finally:
            self._deferring = True

    def begin(self) -> None:
        """The first of a row of steps begins."""
        self._step_begun = self._clock()

    def step(self) -> None:
        """An optimizer step is done, and the next one begins."""
        now = self._clock()
        self._took("step", now - self._step_begun)
        self._step_begun = now
        self._done += 1

    @contextlib.contextmanager
    def timed(self, what: Literal["evaluate", "save"]) -> Iterator[None]:
        """Remember how long it takes, so that time is left for it in the end."""
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
        """Walk the predictions and measure their pace; each is of so many views: models, times flips."""
        begun = self._clock()
        seen = 0
        for each in predictions:
            yield each
            seen += views
        if seen:
            self._pace = max(self._pace, (self._clock() - begun) / seen)

    def left(self) -> float:
        """Seconds until the limit, below 0 after it; infinite without one."""
        return math.inf if self._seconds is None else self._seconds - self._elapsed()

    def why_no_time(self, views: int, *, again: int = 0) -> str | None:
        """Why a prediction of so many views doesn't fit into the time that is left, and what to do; None if it does.

        `again` are the views that a run which continues this one has to predict before. Where the limit is too short
        for these, too, continuing under it would be of no use.
        """
        needed, left = self._estimate(views), self.left()
        if self._seconds is None or needed < left:
            return None
        # What isn't training comes once more: imports, reading the pictures, what else was done since.
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
        """Why the run has to stop now, or None if one more piece of work and a save fit into its time."""
        if self._asked:
            return ASKED
        if self._steps is not None and self._done >= self._steps:
            return f"stop_after_steps is {self._steps}"
        needed = self._longest.get("save", 0.0) + self._longest.get("step", 0.0)
        needed += self._longest.get("evaluate", 0.0) if is_evaluation_next else 0.0
        seconds = self._elapsed()
        if self._seconds is not None and seconds + needed >= self._seconds:
            return (
                f"{seconds:.0f} s of the limit of {self._seconds:.0f} s are over, the next piece takes {needed:.0f} s"
            )
        return None

    def leave(self, text: str, *, is_request: bool = False) -> NoReturn:
        """End the run: as incomplete, or, if somebody asked this process or another one for it, as interrupted."""
        if self._asked or is_request:
            sys.exit(128 + signal.SIGTERM)
        raise OutOfTime(text)
