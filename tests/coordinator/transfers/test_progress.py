"""How far a fetch is, told in a line, and how it is shown."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import PurePosixPath

import pytest

from coordinator.transfers.progress import Progress, Tally

A, B = PurePosixPath("a"), PurePosixPath("b")


def test_speed_and_time_left() -> None:
    """The speed is that of the last seconds; files that were not opened yet count as average ones."""
    clock = [0.0]
    tally = Tally(4, clock=lambda: clock[0])
    assert tally.progress() == Progress(files=0, of_files=4, size=0, of_size=0, speed=0.0)
    assert tally.progress().seconds_left is None
    tally.opened(A, 0, 1000)
    tally.opened(B, 500, 3000)
    for _ in range(10):
        clock[0] += 1.0
        tally.came(A, 100)
    tally.done()
    progress = tally.progress()
    assert progress == Progress(files=1, of_files=4, size=1500, of_size=8000, speed=100.0)
    assert progress.seconds_left == 65.0
    assert str(progress) == "1/4 files, 1.5 kB of 8.0 kB, 100 B/s, 1:05 left"
    clock[0] += 5.0  # nothing comes any more: ever slower
    assert tally.progress().speed == pytest.approx(1000 / 15)
    clock[0] += 20.0
    assert tally.progress().speed == 0.0
    assert tally.moved == 1000


def test_a_transfer_that_begins_anew_is_not_counted_twice() -> None:
    """What is here shrinks then; what was moved does not."""
    tally = Tally(1)
    tally.opened(A, 0, 100)
    tally.came(A, 80)
    tally.opened(A, 0, 100)
    tally.came(A, 10)
    assert (tally.progress().size, tally.progress().of_size, tally.moved) == (10, 100, 90)


def test_sizes_that_nobody_said_grow_with_what_comes() -> None:
    """Without a size, as many bytes as came."""
    tally = Tally(1)
    tally.opened(A, 0, None)
    tally.came(A, 80)
    assert tally.progress().of_size == 80


def test_the_longest_line_leaves_room_for_a_bar() -> None:
    """At 80 columns."""
    line = str(Progress(12345, 12345, 19_999_000_000, 20_000_000_000, 100.0))
    assert line == "12345/12345 files, 20.0 GB of 20.0 GB, 100 B/s, 2:46:40 left"
    assert len(line) < 70


def test_without_a_terminal_a_plain_line_every_ten_seconds() -> None:
    """Nothing for what is quick."""
    program = (
        "from itertools import count\n"
        "from coordinator.cli.terminal import transfers\n"
        "from coordinator.transfers import Progress\n"
        "half_seconds = count()\n"
        "with transfers(clock=lambda: next(half_seconds) / 2) as show:\n"
        "    for _ in range(45):\n"
        "        show(Progress(1, 2, 100, 200, 10.0))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stderr == "1/2 files, 100 B of 200 B, 10 B/s, 0:10 left\n" * 2


def test_on_a_terminal_one_line_that_changes_and_goes() -> None:
    """The bar and the figures fit into 80 columns, and leave nothing behind."""
    program = (
        "from coordinator.cli.terminal import transfers\n"
        "from coordinator.transfers import Progress\n"
        "with transfers() as show:\n"
        "    show(Progress(1, 300, 1_500_000_000, 3_000_000_000, 1e6))\n"
        "    show(Progress(2, 300, 1_600_000_000, 3_000_000_000, 1e6))\n"
    )
    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "80"}
    subprocess.run([sys.executable, "-c", program], env=environment, stderr=theirs, check=True)
    os.close(theirs)
    shown = b""
    try:
        while chunk := os.read(ours, 4096):
            shown += chunk
    except OSError:  # all is read
        pass
    os.close(ours)
    text = shown.decode()
    assert "━" in text
    assert "1/300 files, 1.5 GB of 3.0 GB, 1.0 MB/s, 25:00 left" in text
    assert "2/300 files, 1.6 GB of 3.0 GB, 1.0 MB/s, 23:20 left" in text
    assert text.endswith("\x1b[2K")  # the line is erased
