"""Programs in Python that are forked from a process with loaded libraries (tests/warm.py), and used like any other.

`start` and `run` are for `python -m` and `python -c` what `subprocess.Popen` and `subprocess.run` are. Where a test is
about the start of an interpreter, or the variables say something to one, a real one is started. `programs_for_shells`
is for a test whose shell starts `coord` or `kaggle` by itself.
"""

from __future__ import annotations

import atexit
import functools
import json
import os
import select
import shlex
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.warm import can_be_warm, starter_of_commands

SCRIPT = "import runpy, sys; del sys.argv[0]; runpy.run_path(sys.argv[0], run_name='__main__')"
"""Runs a script as `python` does with its path."""


class Forked(subprocess.Popen[Any]):
    """A forked program. It is no child of this process, so its end is read from a pipe.

    `args` are `python` and a `-m` or `-c` with what follows; `env` and `cwd` are needed, and `preexec_fn` is none.
    """

    on_terminal = False
    """Whether its standard input is the terminal that controls its session."""

    def _execute_child(self, args: Sequence[str], *settings: Any) -> None:
        _, _, _, _, cwd, env, _, _, _, *pipes = settings[:15]
        streams = [own if theirs == -1 else theirs for own, theirs in enumerate((pipes[0], pipes[3], pipes[5]))]
        words = args[1:] if args[1] == "-c" else args[2:]  # without "python", and without its -m
        session = "terminal" if self.on_terminal else settings[20]
        starter = starter_of_commands()
        self._end, tells = os.pipe()
        try:
            request = json.dumps([[str(each) for each in words], str(cwd), dict(env), session])
            socket.send_fds(starter, [request.encode()], [*streams, tells, starter.fileno()])
        finally:
            os.close(tells)
        (self.pid,) = struct.unpack("i", os.read(self._end, 4))
        self._child_created = True
        self._close_pipe_fds(*pipes)  # type: ignore[attr-defined]

    def _try_wait(self, wait_flags: int) -> tuple[int, int]:
        """As `os.waitpid`."""
        if wait_flags & os.WNOHANG and not select.select([self._end], [], [], 0)[0]:
            return 0, 0
        told = os.read(self._end, 4)
        os.close(self._end)
        return self.pid, struct.unpack("i", told)[0] if told else int(signal.SIGKILL)

    def _internal_poll(self, *_: Any, **__: Any) -> int | None:
        if self.returncode is None:
            process, status = self._try_wait(os.WNOHANG)
            if process:
                self.returncode = os.waitstatus_to_exitcode(status)
        return self.returncode


class _OnTerminal(Forked):
    on_terminal = True


def can_fork(command: Sequence[str | Path], env: Mapping[str, str]) -> bool:
    """Whether a process that has started already can become this one."""
    is_python = str(command[0]) == sys.executable and command[1] in ("-m", "-c")
    return is_python and can_be_warm({**env, "PYTHONPATH": os.environ.get("PYTHONPATH", "")})


def start(
    command: Sequence[str | Path], *, env: Mapping[str, str] | None = None, on_terminal: bool = False, **settings: Any
) -> subprocess.Popen[Any]:
    """Like `subprocess.Popen`. With `on_terminal`, its standard input is a terminal, and becomes its session's own."""
    env, words = os.environ if env is None else env, [str(each) for each in command]
    if sys.platform == "linux" and can_fork(words, env):
        here = {"cwd": Path.cwd()} | settings
        return (_OnTerminal if on_terminal else Forked)(words, env=dict(env), **here)
    if on_terminal:
        settings |= {"start_new_session": True, "preexec_fn": _take_terminal}  # shells want a terminal of their own
    return subprocess.Popen(words, env=dict(env), **settings)


def programs_for_shells() -> tuple[Path, tuple[int, ...]]:
    """A folder for PATH with the programs `coord` and `kaggle`, and what a shell must inherit for them (`pass_fds`).

    On Linux they are forked each time. A signal to one does not reach what was forked.
    """
    if sys.platform != "linux":
        return _folder_of_programs(sys.executable), ()
    starter = starter_of_commands().fileno()
    asking = Path(__file__).with_name("asking.py")
    return _folder_of_programs(sys.executable, "-IS", str(asking), str(starter)), (starter,)


@functools.cache
def _folder_of_programs(*python: str) -> Path:
    folder = Path(tempfile.mkdtemp(prefix="forked-"))
    atexit.register(shutil.rmtree, folder)
    # What follows `python` is without `-m` where another process is asked for it.
    coord = ["coordinator"] if len(python) > 1 else ["-m", "coordinator"]
    kaggle = ["-c", SCRIPT, str(Path(sys.executable).with_name("kaggle"))]
    for name, words in (("coord", coord), ("kaggle", kaggle)):
        (folder / name).write_text(f'#!/bin/sh\nexec {shlex.join([*python, *words])} "$@"\n', encoding="utf-8")
        (folder / name).chmod(0o755)
    return folder


def _take_terminal() -> None:
    import fcntl
    import termios

    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def run(
    command: Sequence[str | Path],
    *,
    timeout: float | None = None,
    check: bool = False,
    capture_output: bool = False,
    **settings: Any,
) -> subprocess.CompletedProcess[Any]:
    """Like `subprocess.run`."""
    if capture_output:
        settings |= {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with start(command, **settings) as process:
        try:
            out, err = process.communicate(timeout=timeout)
        except BaseException:
            process.kill()
            raise
    if check and process.returncode:
        raise subprocess.CalledProcessError(process.returncode, process.args, out, err)
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)
