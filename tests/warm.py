"""Runs programs in processes that have loaded their libraries already: loading takes up to several seconds.

`python -m tests.warm NAME...` loads modules, and then forks a process for each line that it reads. Apart from that each
program runs in its own process, with its own folder, environment, output and exit code.

A second process forks the supervisors of the local Kaggle's sessions (`start_warm`), for a test and for the commands
that it runs. It is forked, too, and is asked through a socket, because they get open files.
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
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import types
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, TextIO

if sys.platform != "win32":
    import fcntl
    import termios

PROJECT = Path(__file__).parents[1]
COMMANDS = (
    *("benchmarks.loaded", "runner_test.server", "runner_test.sessions.foreground", "runner_test.sessions.processes"),
    *("anyio._backends._asyncio", "uvicorn.loops.asyncio", "uvicorn.lifespan.off"),  # loaded by a server that starts
    *("runner_test.sessions.session", "runner_test.sessions.rerun", "runner_test.sessions.scoring"),
    *("bleach", "dateutil.parser", "dotenv", "tqdm"),  # loaded by Kaggle's own client, as long as the rest of it
    "pandas",  # which a submission is read with
)
"""What `coord`, the supervisor of a session, and Kaggle's own client load."""
TRAINING = ("numpy", "PIL.Image", "pydicom", "torch", "torchvision.models.detection")
"""The libraries that the model source imports. Each process loads the model source itself again."""
_OF_THE_INTERPRETER = ("PYTHON", "LC_", "LANG", "OMP_")
_AT_THE_START = dict(os.environ)
_ONE_SERVER = threading.Lock()


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
            _Process(_server(loaded, ()), [module, *arguments], cwd, env, [out, err]) as process,
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
        server: _Server,
        command: Sequence[str],
        cwd: Path,
        env: Mapping[str, str],
        streams: Sequence[Path],
    ) -> None:
        self._server = server.process
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


def of_the_interpreter() -> dict[str, str]:
    """The variables of this process that the start of an interpreter reads."""
    return {name: value for name, value in os.environ.items() if name.startswith(_OF_THE_INTERPRETER)}


def can_be_warm(env: Mapping[str, str]) -> bool:
    """Whether `env` changes no variable that only the start of an interpreter reads: a forked process has started."""
    here = _AT_THE_START | {"PYTHONPATH": os.environ.get("PYTHONPATH")}
    names = {name for name in {*env, *here} if name.startswith(_OF_THE_INTERPRETER)}
    return all(env.get(name) == here.get(name) for name in names)


def start_warm(
    command: Sequence[str],
    folder: str,
    environment: Mapping[str, str],
    *,
    diary: Path,
    lock: int,
    starter: socket.socket,
) -> int:
    """Does what `runner_test.state.start_detached` does, with a process that a server's starter has forked."""
    code, tells = os.pipe()
    request = json.dumps([command[2:], folder, dict(environment), str(diary), str(diary)])  # without "python -m"
    socket.send_fds(starter, [request.encode()], [lock, tells, starter.fileno()])
    os.close(tells)
    with os.fdopen(code) as answer:
        return int(answer.read() or -signal.SIGKILL)


def start_supervisors_warm() -> None:
    """From now on, the supervisors of the sessions that this process starts are forked (on Linux)."""
    if sys.platform == "linux":
        _start_supervisors_with(_start_supervisor)


def _start_supervisors_with(start: Callable[..., int]) -> None:
    from runner_test.sessions import session
    from runner_test.state import reruns, submissions

    for each in (session, reruns, submissions):
        setattr(each, "start_detached", start)  # noqa: B010


def _start_supervisor(
    command: Sequence[str], folder: str, environment: Mapping[str, str], *, diary: Path, lock: int
) -> int:
    there = {**_AT_THE_START, **environment, "PYTHONPATH": os.environ.get("PYTHONPATH", "")}
    if command[0] != sys.executable or not can_be_warm(there):
        from runner_test.state import start_detached

        return start_detached(command, folder, environment, diary=diary, lock=lock)
    return start_warm(command, folder, environment, diary=diary, lock=lock, starter=starter_of_commands())


def starter_of_commands() -> socket.socket:
    """Where the process is asked that forks supervisors, and the programs of `tests.forked`."""
    with _ONE_SERVER:
        starter = _server(COMMANDS, ()).starter
    assert starter is not None
    return starter


@dataclass(frozen=True)
class _Server:
    """A process that has modules loaded and forks."""

    process: subprocess.Popen[str]
    starter: socket.socket | None
    """Where its starter of supervisors is asked; None if it has none."""


@functools.cache
def _server(loaded: tuple[str, ...], within: tuple[str, ...]) -> _Server:
    """The one that is running, or a new one. No default: to the cache, a value that is left out is another one."""
    sockets: tuple[socket.socket, ...] = ()
    if loaded == COMMANDS and sys.platform == "linux":
        sockets = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    numbers = [each.fileno() for each in sockets]
    process = subprocess.Popen(
        [*within, sys.executable, "-m", __name__, ",".join(map(str, numbers)), *loaded],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=PROJECT,
        start_new_session=True,
        pass_fds=numbers,
    )
    atexit.register(process.communicate)  # closes its standard input, which ends it, and waits for its end
    for ours in sockets[:1]:
        atexit.register(ours.close)
    for theirs in sockets[1:]:
        theirs.close()
    return _Server(process, sockets[0] if sockets else None)


def serve(sockets: Sequence[socket.socket], loaded: Sequence[str]) -> None:
    """Reads requests and answers with process ids, and at their ends exit codes as in `subprocess`.

    `sockets` are the two ends of the one through which supervisors are started, or none.
    """
    for name in loaded:
        importlib.import_module(name)
    gc.collect()
    gc.freeze()  # the garbage collector must not write to memory that the processes share
    if sockets:
        ask, answer = sockets
        if os.fork() == 0:
            ask.close()
            _serve_starts(answer)
            return
        answer.close()
        _start_supervisors_with(functools.partial(start_warm, starter=ask))
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            _become(*json.loads(line))
            return
        print(child, flush=True)
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


def _serve_starts(asked: socket.socket) -> None:
    """Starts detached programs until nobody is left who could ask for one."""
    nothing = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1):  # the pipes of the server, which ends before this process
        os.dup2(nothing, number)
    while True:
        request, descriptors, _, _ = socket.recv_fds(asked, 1 << 20, 5)
        if not request:
            return
        if len(descriptors) > 3:
            if _fork_attached(asked, json.loads(request), *descriptors):
                return
            continue
        lock, tells, starter = descriptors
        child = os.fork()
        if child == 0:
            os.setsid()
            os.close(tells)
            asked.close()
            words, *others = json.loads(request)
            sys.modules.pop(words[0], None)  # or runpy warns of it
            os.set_inheritable(starter, False)  # what scores a rerun's file is forked, too
            _start_supervisors_with(functools.partial(start_warm, starter=socket.socket(fileno=starter)))
            _become([*words, str(lock)], *others)
            return
        os.close(lock)
        os.close(starter)
        _, status = os.waitpid(child, 0)
        with contextlib.suppress(BrokenPipeError):  # who asked may have been killed
            os.write(tells, b"%d" % os.waitstatus_to_exitcode(status))
        os.close(tells)


def _fork_attached(asked: socket.socket, request: list[Any], *descriptors: int) -> bool:
    """Forks the program of a `tests.forked.Forked`, and a process that waits for it; whether this is the program."""
    *streams, tells, starter = descriptors
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass  # those that have waited for earlier programs
    if os.fork():
        for each in descriptors:
            os.close(each)
        return False
    asked.close()
    program = os.fork()
    if program:
        for each in (*streams, starter):
            os.close(each)
        with contextlib.suppress(BrokenPipeError):
            os.write(tells, struct.pack("i", program))
            os.write(tells, struct.pack("i", os.waitpid(program, 0)[1]))
        os._exit(0)
    os.close(tells)
    command, folder, env, session = request
    if session:
        os.setsid()
    _take(streams)
    if session == "terminal":
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    os.set_inheritable(starter, False)
    _start_supervisors_with(functools.partial(start_warm, starter=socket.socket(fileno=starter)))
    _open_streams()
    _settle(folder, env)
    run_as_main(command)
    return True


def _open_streams() -> None:
    """As a new interpreter does: those of the server know whether another file is a terminal, or has a position."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        was, mode = getattr(sys, name), "w" if number else "r"
        raw: Any = io.FileIO(number, mode, closefd=False)
        raw.name = f"<{name}>"
        buffer = io.BufferedWriter(raw) if number else io.BufferedReader(raw)
        at_once = number > 0 and was.write_through
        lines = not at_once and (number == 2 or raw.isatty())
        text: Any = io.TextIOWrapper(buffer, was.encoding, was.errors, "\n", lines, at_once)
        text.mode = mode
        setattr(sys, name, text)
        setattr(sys, f"__{name}__", text)


def _become(command: list[str], cwd: str, env: Mapping[str, str], out: str, err: str) -> None:
    """Runs the module as a new process with these settings would."""
    written = (os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND) for path in (out, err))
    _take([os.open(os.devnull, os.O_RDONLY), *written])
    if out == err and isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=True)
    _settle(cwd, env)
    run_as_main(command)


def _take(streams: Sequence[int]) -> None:
    """These descriptors become the standard streams."""
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)


def _settle(cwd: str, env: Mapping[str, str]) -> None:
    """The folder, the variables and the path of imports of a new process."""
    tempfile.tempdir = None  # a new process asks TMPDIR
    installed = [path for path in sys.path[1:] if path not in _python_path()]
    os.environ.clear()
    os.environ.update(env)
    os.chdir(cwd)
    sys.path[:] = [cwd, *_python_path(), *installed]


def run_as_main(command: list[str]) -> None:
    """Runs `python -m COMMAND...` in this process to its end, which is also that of the process.

    With `-c` as the first word, `python COMMAND...`.
    """
    sys.argv[:] = command
    code = 0
    try:
        if command[0] == "-c":
            del sys.argv[1]
            main = sys.modules["__main__"] = types.ModuleType("__main__")
            exec(compile(command[1], "<string>", "exec"), vars(main))
        else:
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
    serve([socket.socket(fileno=int(number)) for number in sys.argv[1].split(",") if number], sys.argv[2:])
