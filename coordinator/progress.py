"""How far a long job is. A verb counts; whoever shows the job reads the count, in a thread of its own.

with workspace.progress(files := Count("reading", total=12, unit="files")):
    for file in files.each(found): ...
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol, TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class Moment:
    """How far a job is at one moment."""

    text: str
    """One line without the job's name: `3/12 files, 0:40 left`."""
    share: float | None = None
    """From 0 to 1; None where nobody knows how much there is to do."""


class Job(Protocol):
    """What takes a while."""

    @property
    def label(self) -> str:
        """What is done, in a word or two: `reading the results`."""
        ...

    def moment(self) -> Moment:
        """Is called from another thread, several times a second."""
        ...


Progress = Callable[[Job], contextlib.AbstractContextManager[None]]
"""Shows a job as long as the context is open. The command line's is `cli/progress.py`."""


def show_nothing(_: Job) -> contextlib.AbstractContextManager[None]:
    """The progress that nobody sees."""
    return contextlib.nullcontext()


class Count:
    """A job that counts things of about the same size; the time left follows from the time that they took so far.

    Without a unit, as for steps that nobody knows, it tells a percentage.
    """

    def __init__(
        self, label: str, total: int | None = None, unit: str = "", *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.label = label
        self._total = total
        self._unit = unit
        self._clock = clock
        self._started = clock()
        self._done = 0
        self._now = ""
        self._lock = threading.Lock()

    def advance(self, by: int = 1) -> None:
        with self._lock:
            self._done += by

    def expect(self, total: int) -> None:
        """Sets how many there are, where that shows itself on the way."""
        with self._lock:
            self._total = total

    def tell(self, now: str) -> None:
        """Names what is worked on now, which is shown where no number tells more."""
        with self._lock:
            self._now = now

    def each(self, items: Iterable[T]) -> Iterator[T]:
        """The items; each counts once the next one is asked for."""
        for item in items:
            yield item
            self.advance()

    def moment(self) -> Moment:
        with self._lock:
            done, total, now = self._done, self._total, self._now
        took = self._clock() - self._started
        if total is None:
            counted = f"{done:,} {self._unit}, " if done else ""
            return Moment(f"{counted}{f'{now}, ' if now else ''}{minutes(took)} so far")
        left = minutes(took / done * max(0, total - done)) if done else "-:--"
        share = min(1.0, done / total) if total else 0.0
        return Moment(f"{f'{done:,}/{total:,} {self._unit}' if self._unit else f'{share:.0%}'}, {left} left", share)


def minutes(seconds: float) -> str:
    """A duration as a clock shows it: 0:09, 12:05, 1:02:03."""
    whole, rest = divmod(round(seconds), 60)
    hours, whole = divmod(whole, 60)
    return f"{hours}:{whole:02}:{rest:02}" if hours else f"{whole}:{rest:02}"
