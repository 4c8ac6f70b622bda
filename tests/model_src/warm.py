"""Runs programs in processes that have torch loaded already, which takes a process of its own several seconds.

`python -m tests.model_src.warm` loads what the model source imports, and then forks a process for each line that it
reads. The model source itself is loaded by each process anew.
"""

from __future__ import annotations

import atexit
import functools
import importlib
import json
import os
import runpy
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

PROJECT = Path(__file__).parents[2]
LIBRARIES = ("numpy", "pandas", "PIL.Image", "pydicom", "torch", "torchvision.models.detection")


def run_warm(module: str, *, cwd: Path, env: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """What `python -m module` does in `cwd`, to its end; OpenMP's settings are those of this process, not of `env`."""
    server = _server()
    assert server.stdin is not None
    assert server.stdout is not None
    with tempfile.TemporaryDirectory() as folder:
        streams = [str(Path(folder, name)) for name in ("out", "err")]
        server.stdin.write(json.dumps([module, str(cwd), dict(env), *streams]) + "\n")
        server.stdin.flush()
        try:
            code = int(server.stdout.readline())
        except BaseException:  # a test that took too long: its answer must not be taken for the next one's
            os.killpg(server.pid, signal.SIGKILL)
            _server.cache_clear()
            raise
        out, err = (Path(stream).read_text(encoding="utf-8") for stream in streams)
    return subprocess.CompletedProcess([sys.executable, "-m", module], code, out, err)


@functools.cache
def _server() -> subprocess.Popen[str]:
    server = subprocess.Popen(
        [sys.executable, "-m", __name__],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=PROJECT,
        env=os.environ | {"PYTHONPATH": str(PROJECT)},
        start_new_session=True,
    )
    atexit.register(server.communicate)  # closes its standard input, which ends it, and waits for that
    return server


def serve() -> None:
    """Reads requests and answers with exit codes, as subprocess has them, until there are no more."""
    for library in LIBRARIES:
        importlib.import_module(library)
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            _become(*json.loads(line))
            return
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


def _become(module: str, cwd: str, env: Mapping[str, str], out: str, err: str) -> None:
    """Runs the module as a process that was started with these would."""
    nothing = os.open(os.devnull, os.O_RDONLY)
    for number, stream in enumerate((nothing, *(os.open(path, os.O_WRONLY | os.O_CREAT) for path in (out, err)))):
        os.dup2(stream, number)
    os.environ.clear()
    os.environ.update(env)
    os.chdir(cwd)
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    serve()
