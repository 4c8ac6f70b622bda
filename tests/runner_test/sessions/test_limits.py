"""The limits of a session: memory, output, and the length of its log."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from runner_test.sessions.limits import Places, Watch
from runner_test.settings import Settings
from tests.runner_test.serving import ISOLATIONS, Serve

TAKES_MEMORY = """
import os, time
taken = []
if os.fork() == 0:
    os.setsid()
    while True:
        taken.append(b"x" * (4 << 20))
        time.sleep(0.01)
open("left", "w").close()
time.sleep(600)
"""


@pytest.mark.parametrize("isolated", ISOLATIONS)
def test_a_session_that_takes_too_much_memory(serve: Serve, isolated: str) -> None:
    """Whichever of its processes takes the memory, the session is ended with a message, and keeps its output."""
    local = serve(isolation=isolated, memory_gib=0.2)
    status = local.run("greedy-one", TAKES_MEMORY)
    assert status.status.name == "ERROR"
    assert "tried to allocate more memory than is available" in status.failure_message
    assert "with a limit of 0.2 GiB" in status.failure_message
    assert [file.file_name for file in local.output("greedy-one").files] == ["left"]


@pytest.mark.parametrize(
    ("settings", "script", "failure"),
    [
        ({"output_gb": 0.001}, "open('big', 'wb').truncate(2_000_000)", "The output is 0.002 GB"),
        ({"output_files": 5}, "for i in range(6): open(f'{i}', 'w').close()", "The output has 6 files"),
    ],
)
def test_too_much_output(serve: Serve, settings: dict[str, float], script: str, failure: str) -> None:
    """A run whose output is too large, or has too many files, is an ERROR even if the script ended with exit code 0."""
    local = serve(**settings)
    status = local.run("wasteful", script)
    assert status.status.name == "ERROR"
    assert failure in status.failure_message


def test_output_is_measured_while_a_session_runs(tmp_path: Path) -> None:
    """Too much output is found at the next measurement, and not measured before its time."""
    now = 0.0
    watch = Watch(Settings(output_files=1, memory_gib=0), Places(tmp_path, others=()), clock=lambda: now)
    for name in ("a", "b"):
        (tmp_path / name).touch()
    assert watch.look(os.getpid()) is None
    now = 2.0
    assert "The output has 2 files" in str(watch.look(os.getpid()))
    (tmp_path / "a").unlink()
    assert watch.look(os.getpid()) is None


def test_a_log_that_is_too_long(serve: Serve) -> None:
    """The log ends at its limit with a message; the session goes on."""
    local = serve(log_mib=0.5)
    status = local.run("chatter", "import sys\nfor i in range(100): sys.stdout.write('x' * 10_000 + '\\n')")
    assert status.status.name == "COMPLETE"
    printed = local.log_text("chatter")
    assert printed.endswith("The log has reached 0.5 MiB: the rest is left out.\n")
    assert printed.count("The log has reached") == 1
    assert 1 << 19 <= len(printed) < (1 << 19) + 200_000
