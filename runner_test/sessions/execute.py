"""Runs a program as a session of processes and turns its output into log records as it comes."""

import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from runner_test.sessions.log import Record
from runner_test.sessions.records import Stream

_CHUNK = 65536
_TICK = 0.2  # seconds between two calls of `stop` and `limit`
_PIPE_LIMIT = 1 << 20  # bytes: more than any pipe holds

# The first process of a session. The operating system kills it when the supervisor ends, even by SIGKILL: then nothing
# would collect the log. (`preexec_fn` could ask for that, too, but is unsafe if the caller has threads.) It adopts what
# loses its parent (a daemon forks twice), so that all processes of the session stay its descendants, and can be found,
# measured and killed. It writes the program's exit code, and lives on until it is killed as the last one.
# macOS has no prctl: there it watches the supervisor itself, and a daemon that leaves the session is not found.
# (The module signal, which has names for these numbers, takes half as long to load as the interpreter.)
_LAUNCHER = f"""
import ctypes, os, sys, time
PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER, SIGKILL = 1, 36, {signal.SIGKILL:d}
prctl = getattr(ctypes.CDLL(None), "prctl", None)
def follow(parent):
    if prctl:
        prctl(PR_SET_PDEATHSIG, SIGKILL)
    if os.getppid() != parent:
        sys.exit("the session's supervisor has ended")
def watch(parent):
    while os.getppid() == parent:
        time.sleep(0.2)
    os.killpg(0, SIGKILL)
supervisor, told = int(sys.argv[1]), int(sys.argv[2])
follow(supervisor)
os.set_inheritable(told, False)
if prctl:
    prctl(PR_SET_CHILD_SUBREAPER, 1)
launcher, program = os.getpid(), os.fork()
if program == 0:
    follow(launcher)
    os.execv(sys.argv[3], sys.argv[3:])
if not prctl:
    import threading
    threading.Thread(target=watch, args=[supervisor], daemon=True).start()
os.close(1), os.close(2)
while True:
    try:
        ended, status = os.wait()
    except ChildProcessError:
        time.sleep(3600)
        continue
    if ended == program:
        os.write(told, b"%d" % os.waitstatus_to_exitcode(status))
"""


class Stopped(StrEnum):
    """Why a program was ended early."""

    TIMEOUT = "timeout"
    CANCELLED = "cancelled"
    LIMIT = "limit"


@dataclass(frozen=True)
class Outcome:
    """How a program ended: its exit code (-n if signal n killed it), and why it was stopped, if it was."""

    exit_code: int
    stopped: Stopped | None
    reason: str | None = None  # for LIMIT: which limit was exceeded, as a sentence


class _Pipe:
    """The end of a pipe, from which one of a program's two output streams is read."""

    def __init__(self, descriptor: int, stream: Stream) -> None:
        self.descriptor = descriptor
        self.stream = stream

    def read(self) -> int:
        """Read once and pass the text on; the number of bytes, 0 at the end. Raises BlockingIOError like `os.read`."""
        chunk = os.read(self.descriptor, _CHUNK)
        self.stream.feed(chunk)
        return len(chunk)

    def drain(self) -> None:
        """Pass on what the pipe holds now, without waiting: a process that was not found may keep it open."""
        os.set_blocking(self.descriptor, False)
        left = _PIPE_LIMIT
        try:
            while left > 0 and (count := self.read()):
                left -= count
        except BlockingIOError:
            pass  # empty, but not closed
        self.stream.end()


@dataclass(frozen=True)
class Command:
    """A program to run, with its working directory and its variables."""

    arguments: Sequence[str]
    cwd: Path
    environment: Mapping[str, str]
    descriptors: Sequence[int] = ()
    """Open files that it inherits. They are closed here once it has started."""


def execute(
    command: Command,
    *,
    timeout: float | None,
    on_records: Callable[[Sequence[Record]], None],
    stop: Callable[[], bool],
    limit: Callable[[int], str | None],
) -> Outcome:
    """Run a program until it ends, `timeout` seconds have passed, or `stop()` is true; then end all that it started.

    `limit` is called with the id of the process that leads the session; a text that it returns ends the session and
    becomes the outcome's reason. `on_records` is called with the lines that it prints, as they come. Any exception,
    KeyboardInterrupt included, ends the program before it goes on.
    """
    told, tells = os.pipe()
    # __exit__ only closes the pipes: the process has been reaped by then.
    with (
        os.fdopen(told, "rb") as code,
        subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", _LAUNCHER, str(os.getpid()), str(tells), *command.arguments],
            cwd=command.cwd,
            env=dict(command.environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            pass_fds=[tells, *command.descriptors],
            start_new_session=True,
        ) as process,
    ):
        for descriptor in (tells, *command.descriptors):
            os.close(descriptor)
        assert process.stdout is not None
        assert process.stderr is not None
        begin = time.monotonic()

        def since() -> float:
            return time.monotonic() - begin

        pipes = [
            _Pipe(process.stdout.fileno(), Stream("stdout", on_records, since)),
            _Pipe(process.stderr.fileno(), Stream("stderr", on_records, since)),
        ]
        try:
            # It loads psutil, which takes as long as the program's own start: meanwhile, not before.
            from runner_test.sessions import processes

            stopped, reason = _pump(code.fileno(), pipes, begin, timeout, stop, lambda: limit(process.pid))
        finally:
            from runner_test.sessions import processes  # again, in case the first import was interrupted

            processes.kill_session(process.pid)
        for pipe in pipes:
            pipe.drain()
        # The launcher is killed in any case; if it has written nothing, so was the program.
        return Outcome(int(code.read() or process.wait()), stopped, reason)


def _pump(
    ended: int,
    pipes: list[_Pipe],
    begin: float,
    timeout: float | None,
    stop: Callable[[], bool],
    limit: Callable[[], str | None],
) -> tuple[Stopped | None, str | None]:
    """Pass output on until the program's end is told at `ended`, or it is to be stopped: why, for LIMIT the reason."""
    with selectors.DefaultSelector() as selector:
        selector.register(ended, selectors.EVENT_READ)
        for pipe in pipes:
            selector.register(pipe.descriptor, selectors.EVENT_READ, pipe)
        next_look = begin
        while True:
            now = time.monotonic()
            if timeout is not None and now - begin >= timeout:
                return Stopped.TIMEOUT, None
            if now >= next_look:
                if stop():
                    return Stopped.CANCELLED, None
                if reason := limit():
                    return Stopped.LIMIT, reason
                next_look = now + _TICK
            wait = next_look - now if timeout is None else min(next_look - now, begin + timeout - now)
            ready = [key for key, _ in selector.select(wait)]
            for key in ready:
                if isinstance(key.data, _Pipe) and not key.data.read():
                    selector.unregister(key.fileobj)
            for pipe in pipes:
                pipe.stream.settle()
            if any(key.fileobj == ended for key in ready):
                return None, None
