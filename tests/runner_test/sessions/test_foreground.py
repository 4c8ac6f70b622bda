"""A session in the foreground, without a server."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from runner_test.settings import Settings
from tests import forked
from tests.paths import ROOT
from tests.runner_test.local import Run, alive, eventually


def test_run_once(run: Run, tmp_path: Path) -> None:
    """The layout and environment of a session, with overrides and inputs as given."""
    data = tmp_path / "data"
    data.mkdir()
    (data / "x.csv").write_text("1,2")
    code, printed = run(
        "import os, sys\n"
        "print(open('../input/competitions/siim/x.csv').read(), os.environ['COORD_OVERRIDES'], os.getcwd())\n"
        "open('out', 'w').close()\n"
        "sys.exit(5)",
        inputs={"competitions/siim": data, "datasets/a/b": data},
        overrides='{"epochs": 1}',
    )
    root = tmp_path / "root"
    assert code == 5
    assert printed == f'1,2 {{"epochs": 1}} {root}/working\n'
    assert (root / "working" / "out").exists()
    assert stat.S_IMODE((root / "src" / "script.py").stat().st_mode) == 0o444
    assert (root / "input" / "datasets" / "a" / "b").resolve() == data


def test_run_once_exit_codes(run: Run, tmp_path: Path) -> None:
    """128 + n for signal n, and 124 for the time limit, as in a shell."""
    assert run("import os, signal; os.kill(os.getpid(), signal.SIGTERM)")[0] == 128 + signal.SIGTERM
    (tmp_path / "root").rename(tmp_path / "old")
    assert run("import time; time.sleep(600)", timeout=0.5)[0] == 124


RUNS_ONCE = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[3])
from runner_test.sessions import SessionOptions, run_once
def show(record):
    print(record.data, end="", flush=True)
from tests.runner_test.local import PLAIN
script, root = map(Path, sys.argv[1:3])
run_once(script, root, show, SessionOptions(settings=PLAIN))
"""


STARTS_A_CHILD = """
import os, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
os.write(1, f"{os.getpid()} {child.pid}\\n".encode())
time.sleep(600)
"""


@pytest.mark.parametrize(("sent", "children"), [(signal.SIGINT, True), (signal.SIGKILL, False)])
def test_an_ended_run_leaves_nothing_running(tmp_path: Path, sent: signal.Signals, children: bool) -> None:
    """Ctrl-C ends the script and all that it started; even SIGKILL of the runner ends the script."""
    script = tmp_path / "kernel.py"
    script.write_text(STARTS_A_CHILD)
    command = [sys.executable, "-c", RUNS_ONCE, str(script), str(tmp_path / "root"), str(ROOT)]
    with forked.start(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as runner:
        assert runner.stdout is not None
        script_pid, child_pid = map(int, runner.stdout.readline().split())
        runner.send_signal(sent)
        assert runner.wait(20) == -sent
    eventually(lambda: not alive(script_pid), "the script has ended")
    if children:
        eventually(lambda: not alive(child_pid), "the child has ended")
    else:
        os.kill(child_pid, signal.SIGKILL)  # no process was left that could end it


def test_limits_of_a_run_in_the_foreground(run: Run) -> None:
    """The exceeded limit is the last record, and the exit code is not 0."""
    settings = Settings(output_gb=0.001, isolation="none")
    code, printed = run("open('big', 'wb').truncate(2_000_000)", settings=settings)
    assert code == 1
    assert "The output is 0.002 GB" in printed
