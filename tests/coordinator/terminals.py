"""A real terminal (a pseudo-terminal) of a given size, for commands that draw on one."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests import forked
from tests.coordinator.command import COORD, DEADLINE, Coord

_SEQUENCE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b\]8;[^\x1b]*\x1b\\")
LEFT = "\x1b[?1049l"
"""A program leaves the screen that it drew on: what it wrote before is gone."""


class Terminal:
    """A command that runs on a terminal; `shown` is everything that was written to it so far."""

    def __init__(self, process: subprocess.Popen[bytes], side: int) -> None:
        self._process, self._side = process, side
        self.shown = ""

    def wait_for(self, is_there: Callable[[str], object], what: str) -> None:
        """Reads on until that is shown."""
        end = time.monotonic() + DEADLINE
        while not is_there(self.shown):
            if time.monotonic() > end or not self._read():
                raise AssertionError(f"{what} did not come:\n{self.shown[-3000:]}")

    def type(self, keys: str) -> None:
        os.write(self._side, keys.encode())

    def resize(self, columns: int, lines: int = 24) -> None:
        fcntl.ioctl(self._side, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def interrupt(self) -> None:
        """As Ctrl-C does."""
        self._process.send_signal(signal.SIGINT)

    def end(self) -> int:
        """Reads to the end; the exit code."""
        while self._read():
            pass
        return self._process.wait(timeout=DEADLINE)

    @property
    def left_behind(self) -> list[str]:
        """The lines that stay on the terminal, without colours and links."""
        return _SEQUENCE.sub("", self.shown.rpartition(LEFT)[2]).replace("\r\n", "\n").splitlines()

    def _read(self) -> bool:
        """False at the end."""
        ready, _, _ = select.select([self._side], [], [], DEADLINE)
        try:
            part = os.read(self._side, 65536) if ready else b""
        except OSError:  # how Linux says that the other end was closed
            return False
        self.shown += part.decode("utf-8", "replace")
        return bool(part)


def read_to_the_end(side: int) -> str:
    """All that is written to the other side of a pseudo-terminal until that closes; closes this one."""
    shown = b""
    try:
        while chunk := os.read(side, 4096):
            shown += chunk
    except OSError:  # how Linux says that the other side was closed
        pass
    os.close(side)
    return shown.decode()


@contextmanager
def on_a_terminal(coord: Coord, *arguments: str, columns: int = 80) -> Iterator[Terminal]:
    """The command on a terminal of so many columns and 24 lines; ended with the block."""
    environment = {**coord.environment, "TERM": "xterm-256color"}
    environment.pop("COLUMNS", None)
    with opened([*COORD, *arguments], coord.root, environment, columns) as terminal:
        yield terminal


@contextmanager
def opened(command: Sequence[str], cwd: Path, environment: Mapping[str, str], columns: int) -> Iterator[Terminal]:
    """Any program on a terminal; ended with the block."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    process = forked.start(
        command, cwd=cwd, env=environment, stdin=theirs, stdout=theirs, stderr=theirs, on_terminal=True
    )
    os.close(theirs)
    try:
        yield Terminal(process, ours)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        os.close(ours)
