"""A session's log: its format, and that all output reaches it."""

import json

from tests.runner_test.local import Local

# Makes a script wait until its last output is in its log, so that two pieces do not become one record.
SAYS_PIECE_BY_PIECE = r"""
import os, time
def logged():
    return open("../../log.jsonl").read().count("\n")
def say(stream, data):
    before = logged()
    os.write(stream, data)
    while logged() == before:
        time.sleep(0.005)
"""


def test_the_log_has_kaggles_format(local: Local) -> None:
    """An array of records, one a line, commas first; both streams in order, with rising times."""
    script = (
        SAYS_PIECE_BY_PIECE
        + r"""
say(1, b"one\n")
say(2, b"two")
say(1, "drei \u00e4\u20ac\U0001f600 \u2028\n".encode())
say(2, b"\x1b[31mred")
"""
    )
    local.run("log-format", script)
    log = local.output("log-format").log
    records = json.loads(log)
    assert [(record["stream_name"], record["data"]) for record in records] == [
        ("stdout", "one\n"),
        ("stderr", "two"),
        ("stdout", "drei ä€\U0001f600 \u2028\n"),
        ("stderr", "\x1b[31mred"),
    ]
    times = [record["time"] for record in records]
    assert times == sorted(times)
    assert 0 <= times[0] < times[-1] < 30
    assert log.isascii()
    lines = log.split("\n")
    assert lines[0].startswith('[{"stream_name":"stdout","time":')
    assert all(line.startswith(',{"stream_name":') for line in lines[1:-1])
    assert lines[-1] == "]"


def test_a_script_that_says_nothing(local: Local) -> None:
    """An empty log is an empty array."""
    local.run("silence", "pass")
    assert json.loads(local.output("silence").log) == []


def test_characters_are_never_split(local: Local) -> None:
    """A character that is written in parts arrives as one; an incomplete one becomes U+FFFD."""
    script = (
        SAYS_PIECE_BY_PIECE
        + r"""
say(1, b"a\xe2")
for piece in (b"\x82", b"\xacb", b"\xff", b"c\xc3"):
    os.write(1, piece)
    say(2, b".")
"""
    )
    local.run("halves", script)
    records = json.loads(local.output("halves").log)
    stdout = [record["data"] for record in records if record["stream_name"] == "stdout"]
    assert "".join(stdout) == "a€b\ufffdc\ufffd"
    assert stdout[0] == "a"  # the incomplete character was held back
    assert sum(record["stream_name"] == "stderr" for record in records) > 1


def test_much_output_is_complete(local: Local) -> None:
    """Several megabytes, of which a pipe holds only a part, arrive complete and in order."""
    local.run("chatter", "import sys\nfor i in range(300_000): sys.stdout.buffer.write(b'%d\\n' % i)")
    assert local.log_text("chatter") == "".join(f"{i}\n" for i in range(300_000))
