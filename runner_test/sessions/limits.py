"""The limits of a session: memory, output, size of its log.

Memory and output are measured from outside at intervals, because that works on every machine. (RLIMIT_AS would count
the address space, of which torch and CUDA reserve far more than they use; RLIMIT_DATA is per process, not per session;
a control group must be delegated by systemd, which neither containers nor most shells have.) So a session may exceed a
limit for a moment before it is ended.
"""

import os
import time
from collections.abc import Callable
from pathlib import Path

from runner_test.sessions.log import Record
from runner_test.settings import Settings

_MEMORY_SECONDS, _OUTPUT_SECONDS = 0.2, 2.0  # least time between two measurements
_SHARE = 20  # a measurement that takes a second is repeated after 20: it uses at most a twentieth of a processor


class Watch:
    """Measures a session's memory and output."""

    def __init__(self, settings: Settings, working: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self._settings = settings
        self._working = working
        self._clock = clock
        self._next_memory, self._next_output = clock() + _MEMORY_SECONDS, clock() + _OUTPUT_SECONDS

    def look(self, session: int) -> str | None:
        """Which limit the session led by process `session` exceeds, as a sentence; None if none, or if it is too early
        to measure again."""
        problem = None
        if (begin := self._clock()) >= self._next_memory:
            problem = self._memory_problem(session)
            self._next_memory = self._after(begin, _MEMORY_SECONDS)
        if problem is None and (begin := self._clock()) >= self._next_output:
            problem = self.output_problem()
            self._next_output = self._after(begin, _OUTPUT_SECONDS)
        return problem

    def output_problem(self) -> str | None:
        """Which limit the working directory exceeds, as a sentence, or None."""
        size, count = _content(self._working)
        if size > self._settings.output:
            return f"The output is {size / 1e9:.3g} GB, more than the {self._settings.output_gb:g} GB that may be kept."
        if count > self._settings.files:
            return f"The output has {count} files, more than the {self._settings.output_files:g} that may be kept."
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


def _content(folder: Path) -> tuple[int, int]:
    """Size in bytes and number of the files below a folder; links count as files and are not followed."""
    size = count = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            count += 1
            try:
                size += os.lstat(os.path.join(parent, name)).st_size  # noqa: PTH118  # half the time, for 10,000 files
            except FileNotFoundError:
                pass  # removed meanwhile
    return size, count


class Shortened:
    """Passes records on until the log's limit is reached, then adds one record that says so and drops the rest."""

    def __init__(self, settings: Settings, on_record: Callable[[Record], None]) -> None:
        self._limit = settings.log_mib
        self._left = settings.log
        self._on_record = on_record

    def __call__(self, record: Record) -> None:
        """Pass a record on, or drop it."""
        if self._left <= 0:
            return
        self._left -= len(record.data.encode("utf-8"))
        self._on_record(record)
        if self._left <= 0:
            text = f"\nThe log has reached {self._limit:g} MiB: the rest is left out.\n"
            self._on_record(Record("stderr", record.time, text))
