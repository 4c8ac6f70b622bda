"""Sessions on a system without Linux's own calls: macOS. The real programs run, with those calls taken away."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import psutil
import pytest

from runner_test.sessions import execute, processes
from runner_test.sessions.execute import Command, Outcome, Stopped
from runner_test.sessions.records import Record
from runner_test.state import tree
from tests.paths import ROOT
from tests.runner_test.local import alive, eventually

WITHOUT = """
import sys
from runner_test.sessions import execute, processes
execute._LAUNCHER = execute._LAUNCHER.replace('ctypes.CDLL(None)', 'object()')
sys.platform = "darwin"
"""


@pytest.fixture(autouse=True)
def _macos(monkeypatch: pytest.MonkeyPatch) -> None:
    text = execute._LAUNCHER.replace("ctypes.CDLL(None)", "object()")
    assert text != execute._LAUNCHER
    monkeypatch.setattr(execute, "_LAUNCHER", text)
    monkeypatch.setattr(processes, "_SHARES", Path("/nowhere"))
    for name in ("waitid", "O_PATH", "sched_getaffinity", "memfd_create"):
        monkeypatch.delattr(os, name)
    monkeypatch.setattr(sys, "platform", "darwin")


def _run(folder: Path, program: str, *, stop: bool = False) -> tuple[Outcome, str]:
    text: list[str] = []

    def note(records: Sequence[Record]) -> None:
        text.extend(record.data for record in records)

    command = Command([sys.executable, "-c", program], folder, os.environ)
    outcome = execute.execute(
        command, timeout=60, on_records=note, stop=lambda: stop and bool(text), limit=lambda _: None
    )
    return outcome, "".join(text)


@pytest.mark.parametrize(
    ("program", "code"),
    [
        ("print('hello')", 0),
        ("print('hello'); raise SystemExit(3)", 3),
        ("import os; print('hello', flush=True); os.kill(os.getpid(), 9)", -9),
    ],
)
def test_a_session_runs_to_its_end(tmp_path: Path, program: str, code: int) -> None:
    """Its output comes, and its exit code or signal."""
    outcome, text = _run(tmp_path, program)
    assert (outcome.exit_code, outcome.stopped, text) == (code, None, "hello\n")


def test_a_stopped_session_leaves_nothing_running(tmp_path: Path) -> None:
    """Children included."""
    program = (
        "import subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        "print(child.pid, flush=True)\n"
        "time.sleep(600)\n"
    )
    outcome, text = _run(tmp_path, program, stop=True)
    assert outcome.stopped is Stopped.CANCELLED
    eventually(lambda: not alive(int(text)), "the child has ended")


def test_a_session_ends_with_its_supervisor(tmp_path: Path) -> None:
    """Even if that is killed: the launcher sees that its parent has gone."""
    program = (
        f"{WITHOUT}\nimport os\nfrom pathlib import Path\n"
        "program = 'import os, time; print(os.getpid(), os.getppid(), flush=True); time.sleep(600)'\n"
        "execute.execute(execute.Command([sys.executable, '-c', program], Path.cwd(), os.environ), timeout=None,\n"
        "    on_records=lambda records: print(*[r.data for r in records], flush=True), stop=lambda: False,\n"
        "    limit=lambda _: None)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{os.environ['PYTHONPATH']}"},
        stdout=subprocess.PIPE,
        text=True,
    ) as supervisor:
        assert supervisor.stdout is not None
        own, launcher = map(int, supervisor.stdout.readline().split())
        assert alive(own)
        supervisor.send_signal(signal.SIGKILL)
    for each in (own, launcher):
        eventually(lambda each=each: not alive(each), "the session has ended")  # type: ignore[misc]


def test_memory_is_counted_without_shares(tmp_path: Path) -> None:
    """As resident pages: the limit holds there, too, if less exactly."""
    held = processes.memory_above(0, [psutil.Process()])
    assert held is not None
    assert held > 1_000_000


def test_modes_of_files_are_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that its owner may not read is made readable; a link is not followed. (Linux itself can't do that.)"""
    asked = []
    monkeypatch.setattr(Path, "chmod", lambda path, mode, *, follow_symlinks=True: asked.append((path, mode)))
    (tmp_path / "closed").touch(mode=0o000)
    tree.open_up(tmp_path)
    assert asked == [(tmp_path / "closed", 0o400)]
