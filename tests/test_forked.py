"""A program that is forked from a process with loaded libraries shows what a new one does."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests import forked

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only there a program is forked")


@pytest.mark.parametrize(
    "code",
    [
        "import os, sys; print(sys.argv, __name__, os.getcwd(), os.environ['A'], sys.path[0] in ('', os.getcwd()))",
        "import os; print(input(), os.isatty(1), os.umask(0), os.getpid() == os.getsid(0))",
        "import sys; print('out'); print('err', file=sys.stderr); sys.exit(3)",
        "import sys; sys.exit('why')",
        "import tempfile; print(tempfile.gettempdir())",
        "1 / 0",
        "raise KeyboardInterrupt",
        "import os; os.kill(os.getpid(), 9)",
        "import atexit; atexit.register(print, 'at the end')",
        "import sys; print(sys.stdin, sys.stdout, sys.stderr, sys.stdout.line_buffering, sys.stderr.line_buffering)",
    ],
)
def test_as_a_new_process(code: str, tmp_path: Path) -> None:
    """The exit code, the output, the last line of the errors."""
    settings: dict[str, Any] = {
        **dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE),
        "cwd": tmp_path,
        "env": {**os.environ, "A": "ü", "TMPDIR": str(tmp_path)},
        "start_new_session": True,
        "text": True,
    }
    ended = []
    for start in (subprocess.Popen, forked.start):
        with start([sys.executable, "-c", code, "a b"], **settings) as process:
            out, err = process.communicate("typed\n", timeout=60)
        ended.append((process.returncode, out, err.splitlines()[-1:]))
    assert type(process) is forked.Forked
    assert ended[0] == ended[1]


def test_what_only_a_start_reads(tmp_path: Path) -> None:
    """A variable of the interpreter, or another interpreter: the program is started."""
    for command, env in (
        ([sys.executable, "-c", ""], {**os.environ, "PYTHONUTF8": "0"}),
        (["sh", "-c", ""], dict(os.environ)),
    ):
        with forked.start(command, env=env) as process:
            assert process.wait(60) == 0
        assert type(process) is subprocess.Popen


def test_what_a_shell_starts(tmp_path: Path) -> None:
    """`coord` and `kaggle` as a shell's programs: arguments, streams and exit code are as a new process has them."""
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "coord").write_text(f'#!/bin/sh\nexec {sys.executable} -m coordinator "$@"\n')
    (tmp_path / "new" / "coord").chmod(0o755)
    installed = Path(sys.executable).parent
    forked_in, descriptors = forked.programs_for_shells()
    script = "coord completion show bash | head -n 2; coord help 'no such'; echo $?; kaggle -v"
    ended = [
        subprocess.run(
            ["bash", "-c", script],
            cwd=tmp_path,
            env={**os.environ, "PATH": os.pathsep.join([str(folder), str(installed), os.environ["PATH"]])},
            pass_fds=descriptors,
            capture_output=True,
            text=True,
            check=False,
        )
        for folder in (tmp_path / "new", forked_in)
    ]
    assert "coord: " in ended[0].stderr
    assert "Kaggle" in ended[0].stdout.splitlines()[-1]
    new, other = ((each.returncode, each.stdout, each.stderr) for each in ended)
    assert new == other
