"""A record of a session's log holds one line."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest

from runner_test.sessions.log import Record
from runner_test.sessions.records import LONGEST, PATIENCE, Stream
from tests.runner_test.local import Local


@pytest.mark.parametrize(
    ("chunks", "records"),
    [
        ([b"one\ntwo\n"], ["one\n", "two\n"]),
        ([b"tick 1", b"\n"], ["tick 1\n"]),
        ([b"a", b"b\nc", b"d\n\n"], ["ab\n", "cd\n", "\n"]),
        ([b"no end"], ["no end"]),
        ([b"10%\r20%\r", b"done\r\n"], ["10%\r20%\rdone\r\n"]),
        ([b"a\xe2", b"\x82", b"\xacb\n\xff"], ["a\u20acb\n", "\ufffd"]),
        (["\u2028 is no end\x0b\n".encode()], ["\u2028 is no end\x0b\n"]),
        ([b"x" * LONGEST, b"y\n"], ["x" * LONGEST, "y\n"]),
        ([b"x" * (LONGEST + 3) + b"\nz\n"], ["x" * LONGEST, "xxx\n", "z\n"]),
    ],
)
def test_one_line_a_record(chunks: list[bytes], records: list[str]) -> None:
    """However it is written; only a very long line, and one without an end, are cut."""
    found: list[Record] = []
    stream = Stream("stdout", found.extend, lambda: 0.0)
    for chunk in chunks:
        stream.feed(chunk)
        stream.settle()
    stream.end()
    assert [record.data for record in found] == records


def test_the_beginning_of_a_line_is_shown_after_a_moment() -> None:
    """A progress bar is live; what follows is a record of its own, and times never fall."""
    now, found = 0.0, list[Record]()

    def emit(records: Sequence[Record]) -> None:
        found.extend(records)

    stream = Stream("stderr", emit, lambda: now)
    stream.feed(b"10%")
    stream.settle()
    assert found == []
    now = PATIENCE
    stream.settle()
    stream.feed(b"\r20%\n")
    assert found == [Record("stderr", PATIENCE, "10%"), Record("stderr", PATIENCE, "\r20%\n")]


def test_the_log_of_a_script_has_one_line_a_record(local: Local) -> None:
    """In the stored log; lines of both streams come as they end."""
    script = "import sys\nfor i in range(3):\n    print('tick', i)\n    print('tock', i, file=sys.stderr)"
    local.run("ticks", script)
    records = json.loads(local.output("ticks").log)
    for stream, word in (("stdout", "tick"), ("stderr", "tock")):
        printed = [record["data"] for record in records if record["stream_name"] == stream]
        assert printed == [f"{word} {number}\n" for number in range(3)]
