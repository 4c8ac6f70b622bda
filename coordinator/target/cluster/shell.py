"""A shell where the cluster's programs are: here, or behind the system's `ssh` with one shared connection."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shlex
import socket
import stat
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol

from coordinator.errors import NoAnswer, NotSent, TargetError
from coordinator.system import IS_WINDOWS, user_number
from coordinator.text import clean

CONFIG_VARIABLE = "COORD_SSH_CONFIG"
_SESSIONS = 8
"""Commands at a time on one connection: sshd allows ten (MaxSessions), and others may use the connection, too."""
_CONNECT_SECONDS = 20
_KEPT_SECONDS = 60
"""A connection that is not used stays for this long: the next command of coord finds it."""
_SOCKET_MAX = 90  # bytes of a socket's path: the limit is 104 to 108, and ssh adds to it while it connects
_CHUNK = 1 << 18
_BROKEN = 255  # ssh's exit code for its own errors


@dataclass(frozen=True)
class ShellReply:
    """How a command ended."""

    code: int
    out: bytes
    err: str


@dataclass(frozen=True)
class Stream:
    """The output of a command that runs. Close it, read to its end or not: the command ends with it."""

    chunks: Iterator[bytes]
    """Raises NoAnswer where the command failed or the connection broke off."""
    close: Callable[[], None]


class Shell(Protocol):
    """Where commands run. Its methods may be called from several threads."""

    host: str
    """The name in ssh's configuration; empty for this machine."""

    def run(self, words: Sequence[str], *, given: bytes = b"", seconds: float = 60.0) -> ShellReply:
        """Runs a command to its end. `given` is its standard input.

        Raises NotSent without a connection, NoAnswer where it broke off, or after `seconds`.
        """
        ...

    def stream(self, words: Sequence[str], *, given: bytes = b"") -> Stream:
        """Starts a command whose output is read while it runs. Raises NotSent."""
        ...

    def close(self) -> None: ...


def open_shell(host: str) -> Shell:
    """The shell on that host; on this machine without one. Nothing is sent yet."""
    return Ssh(host) if host else Here()


class Here:
    """This machine."""

    host = ""

    def run(self, words: Sequence[str], *, given: bytes = b"", seconds: float = 60.0) -> ShellReply:
        return _run(words, given, seconds, "this machine")

    def stream(self, words: Sequence[str], *, given: bytes = b"") -> Stream:
        return _stream(words, given, contextlib.nullcontext(), lambda code, err: _failed(code, err, "this machine"))

    def close(self) -> None:
        pass


class Ssh:
    """A host that the system's `ssh` reaches without a question: its configuration, keys and agent are the user's."""

    def __init__(self, host: str) -> None:
        self.host = host
        self._config = os.environ.get(CONFIG_VARIABLE, "")
        self._slots = threading.BoundedSemaphore(_SESSIONS)
        self._lock = threading.Lock()
        self._socket = "" if IS_WINDOWS else _socket_path(f"{self._config}\n{host}")
        self._is_theirs: bool | None = None

    def run(self, words: Sequence[str], *, given: bytes = b"", seconds: float = 60.0) -> ShellReply:
        self._connect()
        with self._slots:
            reply = _run(self._command(words), given, seconds, self.host)
        if reply.code == _BROKEN:
            raise explained(self.host, reply.err)
        return reply

    def stream(self, words: Sequence[str], *, given: bytes = b"") -> Stream:
        self._connect()

        def failed(code: int, err: str) -> TargetError:
            return explained(self.host, err) if code == _BROKEN else _failed(code, err, self.host)

        return _stream(self._command(words), given, self._slots, failed)

    def close(self) -> None:
        """The connection stays for a while: see `_KEPT_SECONDS`."""

    def _command(self, words: Sequence[str]) -> list[str]:
        return [*self._ssh(), "-T", *self._shared(), "--", self.host, " ".join(map(shlex.quote, words))]

    def _ssh(self) -> list[str]:
        config = ["-F", self._config] if self._config else []
        options = (
            *("BatchMode=yes", f"ConnectTimeout={_CONNECT_SECONDS}"),
            *("ServerAliveInterval=10", "ServerAliveCountMax=3"),
        )
        return ["ssh", *config, *(word for option in options for word in ("-o", option))]

    def _shared(self) -> list[str]:
        """Options that use the connection, and make no other one the shared one."""
        if self._is_theirs or not self._socket:
            return []
        return ["-o", "ControlMaster=no", "-o", f"ControlPath={self._socket}"]

    def _connect(self) -> None:
        """Opens the shared connection, unless it is there. Raises NotSent."""
        if not self._socket:
            return
        with self._lock:
            if self._is_theirs is None:
                # A user whose host asks for a code keeps a connection open for it: no other one could be opened.
                self._is_theirs = _is_alive([*self._ssh(), "-O", "check", "--", self.host])
            if self._is_theirs or _is_open(self._socket):
                return
            # One that was killed has left its socket, at which ssh would make a connection that is not shared.
            Path(self._socket).unlink(missing_ok=True)
            keep = ["-o", "ControlMaster=yes", "-o", f"ControlPath={self._socket}"]
            keep += ["-o", f"ControlPersist={_KEPT_SECONDS}", "-o", "LogLevel=ERROR"]
            command = [*self._ssh(), "-f", "-N", "-T", *keep, "--", self.host]
            # A file, not a pipe: the connection's own process may keep it open.
            with tempfile.TemporaryFile() as said:
                code = _call(command, said)
                said.seek(0)
                err = said.read(1 << 16).decode("utf-8", "replace")
        if code and not _is_open(self._socket):  # else another process has just made it
            raise explained(self.host, err)


_EXPLAINED = (
    ("could not resolve hostname", "there is no host of that name", "Correct `host` in its table, or ~/.ssh/config"),
    ("connection refused", "it refuses the connection", "Does its ssh run, and on that port?"),
    ("permission denied", "it does not accept your key", "ssh-add, or IdentityFile in ~/.ssh/config"),
    ("too many authentication failures", "it does not accept your key", "IdentitiesOnly yes in ~/.ssh/config"),
    ("host key verification failed", "its key is not known, or has changed", "Sign in once by hand and compare it"),
    ("no route to host", "it cannot be reached", "Is there a network, a VPN?"),
    ("network is unreachable", "it cannot be reached", "Is there a network, a VPN?"),
    ("timed out", "it does not answer", "Is there a network, a VPN?"),
    ("bad configuration option", "ssh's configuration is not valid", "Correct the line that ssh names"),
    ("can't open user config file", "ssh's configuration is not there", f"Correct {CONFIG_VARIABLE}"),
)
"""What ssh says before there is a connection -> what that means, and what to do."""


def explained(host: str, err: str) -> TargetError:
    """The error for what ssh said: NotSent if there was no connection, and NoAnswer if it broke off."""
    said, last = err.lower(), _last_line(err)
    has_begun = any(words in said for words in ("broken pipe", "connection reset", "timeout, server", "mux_client"))
    for words, meaning, remedy in () if has_begun else _EXPLAINED:
        if words in said:
            hint = f"{remedy}. This has to work without a question: ssh {host} true"
            return NotSent(f"{host}: {meaning}{f' ({last})' if last else ''}", hint=hint)
    return NoAnswer(
        f"{host}: the connection broke off{f' ({last})' if last else ''}",
        hint=f"Try again. This has to work without a question: ssh {host} true",
    )


def _failed(code: int, err: str, where: str) -> TargetError:
    return NoAnswer(f"{where}: a command ended with code {code}{f' ({last})' if (last := _last_line(err)) else ''}")


def _last_line(text: str) -> str:
    lines = [line for each in text.splitlines() if (line := clean(each).strip())]
    return lines[-1][:300] if lines else ""


def _run(words: Sequence[str], given: bytes, seconds: float, where: str) -> ShellReply:
    try:
        # A session of its own: Ctrl-C ends coord, and not a submission half-way.
        done = subprocess.run(
            words, input=given, capture_output=True, timeout=seconds, check=False, start_new_session=True
        )
    except subprocess.TimeoutExpired:
        raise NoAnswer(f"{where} gave no answer in {seconds:.0f} s", hint="Try again in a while.") from None
    except OSError as error:
        raise _not_started(words[0], error) from error
    return ShellReply(done.returncode, done.stdout, done.stderr.decode("utf-8", "replace"))


def _stream(
    words: Sequence[str],
    given: bytes,
    slots: contextlib.AbstractContextManager[object],
    failed: Callable[[int, str], TargetError],
) -> Stream:
    stack = contextlib.ExitStack()
    try:
        stack.enter_context(slots)
        said = stack.enter_context(tempfile.TemporaryFile())  # noqa: SIM115 - the stack closes it
        try:
            process = subprocess.Popen(
                words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=said, start_new_session=True
            )
        except OSError as error:
            raise _not_started(words[0], error) from error
        stack.callback(_end, process)
        assert process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # the exit code says why
            process.stdin.write(given)
            process.stdin.close()
    except BaseException:
        stack.close()
        raise

    def chunks() -> Iterator[bytes]:
        out = process.stdout
        assert out is not None
        while chunk := os.read(out.fileno(), _CHUNK):
            yield chunk
        if code := process.wait():
            said.seek(0)
            raise failed(code, said.read(1 << 16).decode("utf-8", "replace"))

    return Stream(chunks(), stack.close)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with contextlib.suppress(OSError):
                pipe.close()
    process.wait()


def _call(command: Sequence[str], said: IO[bytes]) -> int:
    try:
        return subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=said,
            timeout=2 * _CONNECT_SECONDS,
            check=False,
            start_new_session=True,
        ).returncode
    except subprocess.TimeoutExpired:
        said.write(b"timed out\n")
        return _BROKEN
    except OSError as error:
        raise _not_started(command[0], error) from error


def _is_alive(command: Sequence[str]) -> bool:
    with tempfile.TemporaryFile() as said:
        return _call(command, said) == 0


def _is_open(path: str) -> bool:
    """Whether a process listens at that socket."""
    is_open = False
    if sys.platform != "win32":
        with socket.socket(socket.AF_UNIX) as asked:
            is_open = asked.connect_ex(path) == 0
    return is_open


def _not_started(program: str, error: OSError) -> NotSent:
    hint = "Install it: apt install openssh-client" if program == "ssh" else None
    return NotSent(f"{program} cannot be started on this machine: {error.strerror or error}", hint=hint)


def _socket_path(what: str) -> str:
    """Where the connection's socket is: in a folder that only this user can enter. Empty if there is no such place."""
    name = hashlib.sha256(what.encode("utf-8", "replace")).hexdigest()[:16]
    for place in dict.fromkeys((tempfile.gettempdir(), "/tmp")):
        folder = Path(place) / f"coord-{user_number()}"
        path = str(folder / name)
        if len(os.fsencode(path)) > _SOCKET_MAX:
            continue
        try:
            folder.mkdir(mode=0o700, exist_ok=True)
            found = folder.lstat()
        except OSError:
            continue
        if stat.S_ISDIR(found.st_mode) and found.st_uid == user_number() and not found.st_mode & 0o077:
            return path
    return ""
