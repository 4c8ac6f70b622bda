"""Shows on stderr how far a command is, once it has taken two seconds: a bar on a terminal, else a line now and then.

A thread draws, so that a job which waits for something else (pip, one large file) is shown as well. Every line that is
printed meanwhile goes above the bar: see `above`. The cursor is never hidden, and the bar is one line that is erased:
whatever ends the command, the terminal stays as it should be.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from coordinator.text import clean

if TYPE_CHECKING:
    from rich.console import Console

    from coordinator.progress import Job

SHOWN_AFTER = 2.0  # seconds
PLAIN_SECONDS = 30.0  # between two lines where there is no terminal
_TICK_SECONDS = 0.2
_ERASE = "\r\x1b[2K"
_BAR = (8, 30)  # its least and greatest width


class Display:
    """Shows the innermost of the open jobs that has taken long enough."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._jobs: list[tuple[Job, float]] = []
        self._lock = threading.RLock()
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None
        self._console: Console | None = None
        self._is_drawn = False
        self._said = 0.0
        # A process that is forked in the middle of a line would never get the stream's lock.
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(
                before=self._lock.acquire, after_in_parent=self._lock.release, after_in_child=self._lock.release
            )

    @contextlib.contextmanager
    def __call__(self, job: Job) -> Iterator[None]:
        """See `coordinator.progress.Progress`."""
        opened = (job, self._clock())
        with self._lock:
            if not self._jobs:
                self._said = opened[1]
                self._ended = threading.Event()
                self._thread = threading.Thread(target=self._draw_until, args=(self._ended,), daemon=True)
                self._thread.start()
            self._jobs.append(opened)
        try:
            yield
            with self._lock:
                self.tick()
        finally:
            with self._lock:
                self._jobs = [each for each in self._jobs if each is not opened]
                self.erase()
                if not self._jobs:
                    self._ended.set()

    def erase(self) -> None:
        """Takes the bar away; it is drawn again a moment later if its job goes on."""
        with self._lock:
            if self._is_drawn:
                self._is_drawn = False
                self._write(_ERASE)

    @contextlib.contextmanager
    def above(self) -> Iterator[None]:
        """What is printed within stands above the bar."""
        with self._lock:
            self.erase()
            yield

    def _draw_until(self, ended: threading.Event) -> None:
        while not ended.wait(_TICK_SECONDS):
            with self._lock:
                if not ended.is_set():
                    self.tick()

    def tick(self) -> None:
        """Shows how far the job is, if it is time to."""
        now = self._clock()
        job = next((job for job, since in reversed(self._jobs) if now - since >= SHOWN_AFTER), None)
        if job is None:
            return
        if _is_terminal():
            self._draw(job)
        elif now - self._said >= PLAIN_SECONDS:
            self._said = now
            self._write(clean(f"{job.label}: {job.moment().text}") + "\n")

    def _draw(self, job: Job) -> None:
        from coordinator.cli.terminal import new_console

        if self._console is None:
            self._console = new_console(stderr=True)
        line = _line(self._console, job)
        self._is_drawn = True
        self._write(f"{_ERASE}{line}")

    @staticmethod
    def _write(text: str) -> None:
        sys.stderr.write(text)
        sys.stderr.flush()


def _is_terminal() -> bool:
    return sys.stderr.isatty() and os.environ.get("TERM", "") not in ("dumb", "unknown")


def _line(console: Console, job: Job) -> str:
    """Label, bar and figures in one line that does not reach the last column, where terminals wrap."""
    from rich.progress_bar import ProgressBar
    from rich.table import Table
    from rich.text import Text

    moment = job.moment()
    width = console.width - 1
    label, text = Text(clean(job.label)), Text(clean(moment.text))
    room = width - text.cell_len - 1
    bar = max(0, min(_BAR[1], room - label.cell_len - 1))
    if bar < _BAR[0]:  # rather a shorter label than no bar
        bar = _BAR[0] if room > _BAR[0] else 0
        label.truncate(max(0, room - bar - 1), overflow="ellipsis")
    line = Table.grid(padding=(0, 1), pad_edge=False)
    cells: list[Text | ProgressBar] = [label] if label.plain else []
    cells += (
        [ProgressBar(total=1.0, completed=moment.share or 0.0, width=bar, pulse=moment.share is None)] if bar else []
    )
    for _ in (*cells, text):
        line.add_column(no_wrap=True)
    line.add_row(*cells, text)
    with console.capture() as captured:
        console.print(line, end="", width=width)
    return captured.get().rstrip("\n")


DISPLAY = Display()
"""That of this process: all its lines and its bar share one terminal."""
