"""The processes of a session and their memory."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

from runner_test.sessions.processes import members, memory_above

SHARES_MEMORY = """
import os, time
block = b"x" * (64 << 20)
for _ in range(4):
    if os.fork() == 0:
        break
os.write(1, b"ready\\n")  # in one piece, whoever else writes
time.sleep(600)
"""


def test_shared_memory_is_counted_once() -> None:
    """Five processes that share 64 MiB after a fork hold some 64 MiB together, though each has all of it resident."""
    with subprocess.Popen(
        [sys.executable, "-c", SHARES_MEMORY], stdout=subprocess.PIPE, start_new_session=True
    ) as process:
        try:
            assert process.stdout is not None
            for _ in range(5):
                assert process.stdout.readline() == b"ready\n"
            pids = members(process.pid)
            assert len(pids) == 5
            held = memory_above(60 << 20, pids)
            assert held is not None
            assert 64 << 20 < held < 160 << 20
            assert memory_above(200 << 20, pids) is None  # though the sum of their resident memory is more
            assert memory_above(float("inf"), pids) is None
        finally:
            os.killpg(process.pid, signal.SIGKILL)
