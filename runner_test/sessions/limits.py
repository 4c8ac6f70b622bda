"""The limits of a session: memory, output, other files, size of its log.

Memory and files are measured from outside at intervals, because that works on every machine. (RLIMIT_AS would count
the address space, of which torch and CUDA reserve far more than they use; RLIMIT_DATA is per process, not per session;
a control group must be delegated by systemd, which neither containers nor most shells have.) So a session may exceed a
limit for a moment before it is ended.
"""

import errno
import math
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from runner_test.sessions.log import Record
from runner_test.settings import Settings
from runner_test.state import tree

_MEMORY_SECONDS, _FILES_SECONDS = 0.2, 2.0  # least time between two measurements
_SHARE = 20  # a measurement that takes a second is repeated after 20: it uses at most a twentieth of a processor


@dataclass(frozen=True)
class Places:
    """Where a session writes."""

    working: Path
    """Its output."""
    others: Iterable[Path]
    """Its home, its temporary folder, and the folder that has the working directory, which is not counted twice."""


class Watch:
    """Measures a session's memory and files."""

    def __init__(self, settings: Settings, places: Places, clock: Callable[[], float] = time.monotonic) -> None:
        self._settings = settings
        self._places = places
        self._clock = clock
        self._next_memory, self._next_files = clock() + _MEMORY_SECONDS, clock() + _FILES_SECONDS

    def look(self, session: int) -> str | None:
        """Which limit the session led by process `session` exceeds, as a sentence; None if none, or if it is too early
        to measure again."""
        problem = None
        if (begin := self._clock()) >= self._next_memory:
            problem = self._memory_problem(session)
            self._next_memory = self._after(begin, _MEMORY_SECONDS)
        if problem is None and (begin := self._clock()) >= self._next_files:
            problem = self.files_problem()
            self._next_files = self._after(begin, _FILES_SECONDS)
        return problem

    def files_problem(self) -> str | None:
        """Which limit the session's files exceed, as a sentence, or None."""
        settings, places = self._settings, self._places
        try:
            size, count = _content([places.working], settings.output, settings.files)
            written, _ = _content(places.others, settings.temporary, math.inf, without=places.working)
        except OSError as error:
            if error.errno != errno.ENAMETOOLONG:
                raise
            return "The session has made more folders in each other than a path can name: they can't be measured."
        if size > settings.output:
            return f"The output is {size / 1e9:.3g} GB, more than the {settings.output_gb:g} GB that may be kept."
        if count > settings.files:
            return f"The output has {count} files, more than the {settings.output_files:g} that may be kept."
        if written > settings.temporary:
            return (
                f"The session has written {written / 1e9:.3g} GB outside /kaggle/working, "
                f"with a limit of {settings.temporary_gb:g} GB."
            )
        return None

    def _memory_problem(self, session: int) -> str | None:
        # Imported here because it loads psutil, which a session must not wait for (execute.py).
        from runner_test.sessions.processes import members, memory_above

        held = memory_above(self._settings.memory, members(session))
        if held is None:
            return None
        return (
            "The session tried to allocate more memory than is available: "
            f"{held / (1 << 30):.3g} GiB, with a limit of {self._settings.memory_gib:g} GiB."
        )

    def _after(self, begin: float, least: float) -> float:
        now = self._clock()
        return now + max(least, _SHARE * (now - begin))


def _content(folders: Iterable[Path], most: float, most_files: float, without: Path | None = None) -> tuple[int, int]:
    """Size in bytes and number of the files below the folders, counted until one is more than its limit.

    Links count as files and are not followed. Raises OSError if a path is too long to be followed.
    """
    size = count = 0
    for folder in folders:
        for entry in tree.walk(folder, opening=True, without=without, unread=_unread):
            count += 1
            try:
                size += entry.stat(follow_symlinks=False).st_size
            except FileNotFoundError:
                pass  # removed meanwhile
            if size > most or count > most_files:
                return size, count
    return size, count


def _unread(error: OSError) -> None:
    if error.errno == errno.ENAMETOOLONG:
        raise error
    # Any other folder that can't be read is not the session's: it belongs to another user.


class Shortened:
    """Passes records on until the log's limit is reached, then adds a line that says so and drops the rest."""

    def __init__(self, settings: Settings, on_records: Callable[[Sequence[Record]], None]) -> None:
        self._limit = settings.log_mib
        self._left = settings.log
        self._on_records = on_records
        self._is_line_open = False

    def __call__(self, records: Sequence[Record]) -> None:
        """Pass records on, or drop them."""
        kept = []
        for record in records:
            if self._left <= 0:
                break
            self._left -= len(record.data.encode("utf-8"))
            kept.append(record)
        if not kept:
            return
        self._is_line_open = not kept[-1].data.endswith("\n")
        self._on_records(kept)
        if self._left <= 0:
            self.add(f"The log has reached {self._limit:g} MiB: the rest is left out.", kept[-1].time)

    def add(self, sentence: str, time: float) -> None:
        """Add a line of the local Kaggle's own, whatever the limit. What was printed last may be half a line."""
        ends = [Record("stderr", time, "\n")] if self._is_line_open else []
        self._is_line_open = False
        self._on_records([*ends, Record("stderr", time, f"{sentence}\n")])
