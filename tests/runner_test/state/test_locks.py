"""Locks: of the writers of a store, and those that a child process takes over."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from runner_test.state import locks
from tests import forked
from tests.paths import ROOT

ADDS_TEN = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from runner_test.state import locks
root = Path(sys.argv[1])
for _ in range(10):
    with locks.writing(root):
        number = int((root / "number").read_text())
        (root / "number").write_text(str(number + 1))
"""


def test_one_process_writes_at_a_time(tmp_path: Path) -> None:
    """Four processes add to one number under the lock, and no addition is lost."""
    (tmp_path / "number").write_text("0")
    command = [sys.executable, "-c", ADDS_TEN, str(tmp_path), str(ROOT)]
    writers = [forked.start(command) for _ in range(4)]
    assert [writer.wait(60) for writer in writers] == [0] * 4
    assert (tmp_path / "number").read_text() == "40"


HOLDS = """
import sys, time
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from runner_test.state import locks
with locks.writing(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(600)
"""


def test_a_killed_writer_frees_the_lock(tmp_path: Path) -> None:
    """The lock is the operating system's: it ends with the process that holds it."""
    command = [sys.executable, "-c", HOLDS, str(tmp_path), str(ROOT)]
    with forked.start(command, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "held\n"
        assert locks.is_held(tmp_path / "lock")
        writer.kill()
    with locks.writing(tmp_path):
        assert locks.is_held(tmp_path / "lock")
    assert not locks.is_held(tmp_path / "lock")


def test_a_child_keeps_the_lock_that_it_inherits(tmp_path: Path) -> None:
    """After its parent has closed it, the lock is held until the child ends."""
    path = tmp_path / "alive.lock"
    assert not locks.is_held(path)  # nor does the question make the file
    assert not path.exists()
    lock = locks.try_hold(path)
    assert lock is not None
    assert locks.try_hold(path) is None
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, pass_fds=[lock]) as child:
        os.close(lock)
        assert locks.is_held(path)
        child.communicate(b"\n")
    assert not locks.is_held(path)
