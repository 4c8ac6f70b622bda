"""How far a transfer is: files and bytes that came, how fast, and how long the rest will take.

Speed and time left are computed here and only shown with rich. rich.progress forgets the speed each time that the total
changes, which it does here with every file that is opened, and goes on showing the last speed for a whole window when
nothing comes any more, where this one falls with every second.
"""

from __future__ import annotations

import collections
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import PurePosixPath

from coordinator.progress import Moment, minutes

_WINDOW = 15.0  # seconds that the speed is the mean of
_SAMPLE = 0.25  # seconds between two samples in that window


@dataclass(frozen=True)
class Transferred:
    """A moment of a transfer."""

    files: int
    """How many of `of_files` are here."""
    of_files: int
    size: int
    """How many bytes of about `of_size` are here."""
    of_size: int
    """Estimated: files that were not opened yet count with the mean size of those that were."""
    speed: float
    """Bytes a second, the mean of the last seconds."""

    @property
    def seconds_left(self) -> float | None:
        """None as long as nothing moves."""
        return max(0, self.of_size - self.size) / self.speed if self.speed > 0 else None

    def __str__(self) -> str:
        left = self.seconds_left
        return (
            f"{self.files}/{self.of_files} files, {_bytes(self.size)} of {_bytes(self.of_size)}, "
            f"{_bytes(self.speed)}/s, {'-:--' if left is None else minutes(left)} left"
        )


class Tally:
    """Counts for all threads of a fetch; a job in the sense of `coordinator.progress`.

    `moved` is the number of bytes that were transferred.
    """

    def __init__(self, of_files: int, label: str = "", *, clock: Callable[[], float] = time.monotonic) -> None:
        self.moved = 0
        self.label = label
        self._of_files = of_files
        self._clock = clock
        self._lock = threading.Lock()
        self._files: dict[PurePosixPath, tuple[int, int]] = {}
        """Path -> (bytes that are here, bytes of the file)."""
        self._done = 0
        self._samples = collections.deque([(clock(), 0)])

    def opened(self, path: PurePosixPath, position: int, size: int | None) -> None:
        """Notes that a transfer begins at `position` of `size` bytes (None: not known), for the first time or again."""
        with self._lock:
            self._files[path] = (position, size or position)

    def position(self, path: PurePosixPath) -> int:
        """How many bytes of a file are at their end of the transfer, as far as is known."""
        with self._lock:
            return self._files[path][0]

    def came(self, path: PurePosixPath, count: int) -> None:
        with self._lock:
            position, size = self._files[path]
            self._files[path] = (position + count, max(size, position + count))
            self.moved += count
            now = self._clock()
            if now - self._samples[-1][0] >= _SAMPLE:
                self._samples.append((now, self.moved))

    def done(self) -> None:
        with self._lock:
            self._done += 1

    def moment(self) -> Moment:
        there = self.transferred()
        return Moment(str(there), min(1.0, there.size / there.of_size) if there.of_size else 0.0)

    def transferred(self) -> Transferred:
        with self._lock:
            now = self._clock()
            while len(self._samples) > 1 and now - self._samples[1][0] >= _WINDOW:
                self._samples.popleft()
            since, before = self._samples[0]
            speed = (self.moved - before) / (now - since) if now > since else 0.0
            here = sum(position for position, _ in self._files.values())
            known = sum(size for _, size in self._files.values())
            opened = len(self._files)
            unopened = max(0, self._of_files - opened)
            guessed = round(known / opened * unopened) if opened else 0
            return Transferred(self._done, self._of_files, here, known + guessed, speed)


def _bytes(count: float) -> str:
    for unit, size in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return f"{count:.0f} B"
