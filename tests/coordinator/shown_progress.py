"""Runs commands on a terminal, and reads how far they said to be."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
from collections.abc import Mapping

from tests import forked
from tests.coordinator.command import Coord
from tests.coordinator.terminals import read_to_the_end

# As after two seconds, from the start on: what is tested here is that the job is told, not the clock.
AT_ONCE = (
    "import sys\nfrom coordinator.cli import progress\nprogress.SHOWN_AFTER = 0.0\n"
    "from coordinator.__main__ import main\nsys.argv[0] = 'coord'\nmain()\n"
)
NONE: Mapping[str, str] = {}


def on_terminal(coord: Coord, *words: str, variables: Mapping[str, str] = NONE) -> tuple[str, str]:
    """(stdout, a pipe; the lines that stderr, a terminal, showed one over the other) of a command that succeeds."""
    ours, theirs = pty.openpty()
    environment = {**coord.environment, **variables, "TERM": "xterm", "COLUMNS": "100"}
    process = forked.start(
        [sys.executable, "-c", AT_ONCE, *words],
        cwd=coord.root,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=theirs,
        text=True,
    )
    os.close(theirs)
    shown = read_to_the_end(ours)
    out = process.communicate()[0]
    text = re.sub(r"\x1b\[[0-9;]*m", "", shown)
    assert process.returncode == 0, text
    assert text.rpartition("\x1b[2K")[2].strip(" \r") == text.rpartition("\x1b[2K")[2].strip(" \r").rstrip("━")
    assert "\x1b" not in out
    return out, text


def check_shown(text: str, label: str, *, is_counted: bool = True) -> None:
    """The job had a line with a bar and the time left, and it was erased."""
    lines = [line for line in text.split("\r\x1b[2K") if line.startswith(f"{label} ") and "━" in line]
    assert lines, text
    if is_counted:
        assert re.search(r" [0-9:-]+ left", lines[-1]), lines
    assert f"{lines[-1]}\r\x1b[2K" in text
