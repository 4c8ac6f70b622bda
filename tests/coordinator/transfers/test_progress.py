"""How far a fetch is, told in a line, and how it is shown."""

from __future__ import annotations

from pathlib import PurePosixPath

import pytest

from coordinator.transfers.progress import Tally, Transferred

A, B = PurePosixPath("a"), PurePosixPath("b")


def test_speed_and_time_left() -> None:
    """The speed is that of the last seconds; files that were not opened yet count as average ones."""
    clock = [0.0]
    tally = Tally(4, clock=lambda: clock[0])
    assert tally.transferred() == Transferred(files=0, of_files=4, size=0, of_size=0, speed=0.0)
    assert tally.transferred().seconds_left is None
    tally.opened(A, 0, 1000)
    tally.opened(B, 500, 3000)
    for _ in range(10):
        clock[0] += 1.0
        tally.came(A, 100)
    tally.done()
    progress = tally.transferred()
    assert progress == Transferred(files=1, of_files=4, size=1500, of_size=8000, speed=100.0)
    assert progress.seconds_left == 65.0
    assert str(progress) == "1/4 files, 1.5 kB of 8.0 kB, 100 B/s, 1:05 left"
    clock[0] += 5.0  # nothing comes any more: ever slower
    assert tally.transferred().speed == pytest.approx(1000 / 15)
    clock[0] += 20.0
    assert tally.transferred().speed == 0.0
    assert tally.moved == 1000


def test_a_transfer_that_begins_anew_is_not_counted_twice() -> None:
    """What is here shrinks then; what was moved does not."""
    tally = Tally(1)
    tally.opened(A, 0, 100)
    tally.came(A, 80)
    tally.opened(A, 0, 100)
    tally.came(A, 10)
    assert (tally.transferred().size, tally.transferred().of_size, tally.moved) == (10, 100, 90)


def test_sizes_that_nobody_said_grow_with_what_comes() -> None:
    """Without a size, as many bytes as came."""
    tally = Tally(1)
    tally.opened(A, 0, None)
    tally.came(A, 80)
    assert tally.transferred().of_size == 80


def test_the_longest_line_leaves_room_for_a_bar() -> None:
    """At 80 columns."""
    line = str(Transferred(12345, 12345, 19_999_000_000, 20_000_000_000, 100.0))
    assert line == "12345/12345 files, 20.0 GB of 20.0 GB, 100 B/s, 2:46:40 left"
    assert len(line) < 70
