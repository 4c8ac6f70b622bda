"""Runs programs in processes that have loaded their libraries already: loading takes up to several seconds.

`python -m tests.warm NAME...` loads modules, and then forks a process for each line that it reads. Apart from that each
program runs in its own process, with its own folder, environment, output and exit code.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import gc
import importlib
import io
import json
import os
import runpy
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self, TextIO

PROJECT = Path(__file__).parents[1]
TRAINING = ("numpy", "PIL.Image", "pydicom", "torch", "torchvision.models.detection")
"""The libraries that the model source imports. Each process loads the model source itself again."""
_OF_THE_INTERPRETER = ("PYTHON", "LC_", "LANG", "OMP_")
_AT_THE_START = dict(os.environ)


def run_warm(
    module: str,
    *arguments: str,
    cwd: Path,
    env: Mapping[str, str],
    loaded: tuple[str, ...],
    encoding: str = "utf-8",
    is_merged: bool = False,
    within: tuple[str, ...] = (),
) -> subprocess.CompletedProcess[str]:
    """Runs `python -m module` in `cwd` to its end, with these modules already loaded; PYTHONPATH comes from `env`.

    `encoding` is that of its output, for a program that sets one. If `is_merged`, what it says as errors is in its
    output, where it said it. `within` is a command that starts another one in surroundings of its own, such as
    `unshare`.
    """
    with tempfile.TemporaryDirectory() as folder:
        streams = [Path(folder, name) for name in ("out", "out" if is_merged else "err")]
        with _Process(_server(loaded, within), [module, *arguments], cwd, env, streams) as process:
            pass
        out, *err = (stream.read_text(encoding=encoding) for stream in dict.fromkeys(streams))
    return subprocess.CompletedProcess(
        [sys.executable, "-m", module, *arguments], process.returncode, out, "".join(err)
    )


@contextlib.contextmanager
def started_warm(
    module: str, *arguments: str, cwd: Path, env: Mapping[str, str], loaded: tuple[str, ...]
) -> Iterator[Started]:
    """Starts `python -m module` as `run_warm` does, and waits for its end after the block."""
    with tempfile.TemporaryDirectory() as folder:
        out, err = (Path(folder, name) for name in ("out", "err"))
        os.mkfifo(out)
        with (
            _Process(_server(loaded), [module, *arguments], cwd, env, [out, err]) as process,
            out.open(encoding="utf-8") as output,
        ):
            started = Started(process.id, output)
            yield started
            output.read()  # ends when the last of its processes has closed it
        started.returncode = process.returncode


@dataclass
class Started:
    """A program that runs."""

    id: int
    """Its process id."""
    output: TextIO
    """What it prints, as it comes."""
    returncode: int | None = None
    """As in `subprocess`, after its end."""


class _Process:
    """A process that a server has forked. After the block it has ended, and `returncode` is as in `subprocess`."""

    def __init__(
        self,
        server: subprocess.Popen[str],
        command: Sequence[str],
        cwd: Path,
        env: Mapping[str, str],
        streams: Sequence[Path],
    ) -> None:
        self._server = server
        assert self._server.stdin is not None
        paths = [str(path) for path in streams]
        self._server.stdin.write(json.dumps([command, str(cwd), dict(env), *paths]) + "\n")
        self._server.stdin.flush()

    def __enter__(self) -> Self:
        self.id = self._answer()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            self._end_all()
        else:
            self.returncode = self._answer()

    def _answer(self) -> int:
        assert self._server.stdout is not None
        try:
            return int(self._server.stdout.readline())
        except BaseException:  # a test that took too long
            self._end_all()
            raise

    def _end_all(self) -> None:
        """The next test must not read this one's answer."""
        os.killpg(self._server.pid, signal.SIGKILL)
        _server.cache_clear()


def can_be_warm(env: Mapping[str, str]) -> bool:
    """Whether `env` changes no variable that only the start of an interpreter reads: a forked process has started."""
    here = _AT_THE_START | {"PYTHONPATH": os.environ.get("PYTHONPATH")}
    names = {name for name in {*env, *here} if name.startswith(_OF_THE_INTERPRETER)}
    return all(env.get(name) == here.get(name) for name in names)


@functools.cache
def _server(loaded: tuple[str, ...], within: tuple[str, ...] = ()) -> subprocess.Popen[str]:
    server = subprocess.Popen(
        [*within, sys.executable, "-m", __name__, *loaded],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=PROJECT,
        start_new_session=True,
    )
    atexit.register(server.communicate)  # closes its standard input, which ends it, and waits for its end
    return server


def serve(loaded: list[str]) -> None:
    """Reads requests and answers with process ids, and at their ends exit codes as in `subprocess`."""
    for name in loaded:
        importlib.import_module(name)
    gc.collect()
    gc.freeze()  # the garbage collector must not write to memory that the processes share
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            _become(*json.loads(line))
            return
        print(child, flush=True)
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


def _become(command: list[str], cwd: str, env: Mapping[str, str], out: str, err: str) -> None:
    """Runs the module as a new process with these settings would."""
    nothing = os.open(os.devnull, os.O_RDONLY)
    written = (os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND) for path in (out, err))
    for number, stream in enumerate((nothing, *written)):
        os.dup2(stream, number)
        os.close(stream)
    if out == err and isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=True)
    installed = [path for path in sys.path[1:] if path not in _python_path()]
    os.environ.clear()
    os.environ.update(env)
    os.chdir(cwd)
    sys.path[:] = [cwd, *_python_path(), *installed]
    run_as_main(command)


def run_as_main(command: list[str]) -> None:
    """Runs `python -m COMMAND...` in this process to its end, which is also that of the process."""
    sys.argv[:] = command
    code = 0
    try:
        runpy.run_module(command[0], run_name="__main__", alter_sys=True)
    except SystemExit as end:
        if not isinstance(end.code, int | None):
            raise
        code = end.code or 0
    # Does what an interpreter does at its end, but does not clear the modules: that takes as long as a short command.
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code & 0xFF)


def _python_path() -> list[str]:
    return list(filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep)))


if __name__ == "__main__":
    serve(sys.argv[1:])
