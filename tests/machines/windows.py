r"""Runs a module in a process that is as much like Windows as one can be on another system.

`python -m tests.machines.windows coordinator build --exp base`. Coord's own code finds no module and no name of `os`
and `signal` that Windows lacks; `sys.platform` is win32; text files are cp1252 with CR LF unless they say otherwise;
relative paths are shown with backslashes, and taken with them; a file that this process has open can't be renamed,
replaced or deleted; a name must be one that Windows takes. Libraries are loaded before, as on this system.
"""

from __future__ import annotations

import builtins
import importlib
import importlib.abc
import io
import os
import pathlib
import runpy
import signal
import sys
import types
from collections.abc import Callable
from typing import Any

LOADED = """
asyncio concurrent.futures ctypes ctypes.util getpass gzip html http.client importlib.metadata importlib.resources
locale logging multiprocessing.pool netrc platform runpy secrets shutil sqlite3 ssl statistics subprocess symtable
tarfile tempfile uuid webbrowser zipfile
click filelock jinja2 kagglesdk.kaggle_client packaging.requirements pathspec psutil requests rich.console
rich.live rich.progress rich.table rich.text slugify typer typer.main typer.rich_utils urllib3 yaml
"""
"""Libraries decide by the system what they load."""
FOR_SUBMIT = ("pandas",)  # takes as long as all others

NO_MODULES = frozenset(
    {"crypt", "fcntl", "grp", "nis", "ossaudiodev", "posix", "pty", "pwd", "readline", "resource", "spwd", "syslog"}
    | {"termios", "tty"}
)
_OF_OS = """
chown chroot confstr copy_file_range ctermid eventfd fchdir fchmod fchown fdatasync fork forkpty fpathconf fstatvfs
get_blocking getegid geteuid getgid getgrouplist getgroups getloadavg getpgid getpgrp getpriority getresgid getresuid
getsid getuid getxattr initgroups killpg lchmod lchown listxattr lockf login_tty major makedev memfd_create minor mkfifo
mknod nice openpty pathconf pidfd_open pipe2 posix_fadvise posix_fallocate posix_openpt posix_spawn posix_spawnp pread
preadv pwrite pwritev readv register_at_fork removexattr sched_getaffinity sched_setaffinity sched_yield sendfile
set_blocking setegid seteuid setgid setgroups setpgid setpriority setregid setresgid setresuid setreuid setsid setuid
setxattr splice statvfs sync sysconf tcgetpgrp tcsetpgrp ttyname uname unshare wait wait3 wait4 waitid writev
WCOREDUMP WEXITSTATUS WIFCONTINUED WIFEXITED WIFSIGNALED WIFSTOPPED WSTOPSIG WTERMSIG WNOHANG
O_ASYNC O_CLOEXEC O_DIRECT O_DIRECTORY O_DSYNC O_NOATIME O_NOCTTY O_NOFOLLOW O_NONBLOCK O_PATH O_SYNC
"""
_OF_SIGNAL = """
SIGALRM SIGBUS SIGCHLD SIGCONT SIGHUP SIGIO SIGKILL SIGPIPE SIGPOLL SIGPROF SIGPWR SIGQUIT SIGSTOP SIGSYS SIGTRAP
SIGTSTP SIGTTIN SIGTTOU SIGURG SIGUSR1 SIGUSR2 SIGVTALRM SIGWINCH SIGXCPU SIGXFSZ SIG_BLOCK SIG_SETMASK SIG_UNBLOCK
alarm getitimer pause pidfd_send_signal pthread_kill pthread_sigmask setitimer siginterrupt sigpending sigtimedwait
sigwait sigwaitinfo
"""
FORBIDDEN = frozenset('<>:"|?*')
DEVICES = frozenset({"con", "prn", "aux", "nul", *(f"{name}{n}" for name in ("com", "lpt") for n in range(1, 10))})


class _Nowhere(importlib.abc.MetaPathFinder):
    def find_spec(self, fullname: str, *_: object) -> None:
        if fullname in NO_MODULES:
            raise ModuleNotFoundError(f"No module named {fullname!r}", name=fullname)


def _without(module: types.ModuleType, names: list[str], **more: object) -> types.ModuleType:
    """A copy of the module for those who import it from now on."""
    copy = types.ModuleType(module.__name__)
    vars(copy).update({name: value for name, value in vars(module).items() if name not in names}, **more)
    return copy


def is_refused(name: str) -> bool:
    return bool(FORBIDDEN & set(name)) or name != name.rstrip(". ") or name.partition(".")[0].lower() in DEVICES


def _check_name(path: object) -> None:
    """Raises the error of Windows for a name that it does not take."""
    if isinstance(path, str | os.PathLike):
        for part in pathlib.PurePosixPath(os.fspath(path)).parts:
            if part not in ("/", ".", "..") and is_refused(part):
                raise OSError(22, "Invalid argument", os.fspath(path))


_LIST, _LINK = os.listdir, os.readlink


def _open_here() -> set[str]:
    found = set()
    for number in _LIST("/proc/self/fd"):
        try:
            found.add(_LINK(f"/proc/self/fd/{number}"))
        except OSError:
            continue
    return found


def _check_free(path: object) -> None:
    real = os.path.realpath(os.fspath(path))  # type: ignore[call-overload]
    if any(each == real or each.startswith(f"{real}/") for each in _open_here()):
        error = PermissionError(13, "The file is being used by another process", real)
        error.winerror = 32  # type: ignore[attr-defined]
        raise error


def _sharing(name: str, *, paths: int, exists: bool = False) -> None:
    """Lets a function of `os` fail as on Windows."""
    real: Callable[..., object] = getattr(os, name)

    def act(*arguments: Any, **options: Any) -> object:
        if not any(options.values()):  # shutil gives folders as descriptors
            for path in arguments[:paths]:
                _check_free(path)
            for path in arguments[1:paths]:
                _check_name(path)
            if exists and os.path.lexists(arguments[1]):
                raise FileExistsError(17, "File exists", arguments[0], None, arguments[1])
        return real(*arguments, **options)

    setattr(os, name, act)


def _texts(real: Callable[..., Any]) -> Callable[..., Any]:
    """An `open` whose texts are of Windows."""

    def opened(file: Any, mode: str = "r", buffering: int = -1, encoding: Any = None, errors: Any = None,
               newline: Any = None, *rest: Any, **more: Any) -> Any:  # fmt: skip
        if set(mode) & set("wxa"):
            _check_name(file)
        if "b" not in mode:
            encoding = "cp1252" if encoding in (None, "locale") else encoding
            if set(mode) & set("wxa+") and newline is None:
                newline = "\r\n"
        return real(file, mode, buffering, encoding, errors, newline, *rest, **more)

    return opened


def _paths() -> None:
    """Relative paths with backslashes, as text; in paths that are given, backslashes separate."""
    path: Any = pathlib.PosixPath
    plain: Callable[[object], str] = pathlib.PurePath.__str__
    flavour: Any = getattr(pathlib, "_posix_flavour", None) or path._flavour
    flavour.altsep = "\\"

    def shown(self: object) -> str:
        text = plain(self)
        return text if text.startswith("/") else text.replace("/", "\\")

    path.__str__ = shown
    path.__fspath__ = plain
    path.as_posix = plain


def become() -> None:
    for name in (*LOADED.split(), *(FOR_SUBMIT if "submit" in sys.argv else ())):
        importlib.import_module(name)
    _paths()
    for name, paths, exists in (("rename", 2, True), ("replace", 2, False), ("unlink", 1, False), ("remove", 1, False)):
        _sharing(name, paths=paths, exists=exists)
    builtins.open = _texts(builtins.open)
    io.open = _texts(io.open)
    make, create = os.mkdir, os.open

    def mkdir(path: Any, *arguments: Any, **options: Any) -> None:
        _check_name(path)
        make(path, *arguments, **options)

    def open_(path: Any, flags: int, *arguments: Any, **options: Any) -> int:
        if flags & os.O_CREAT:
            _check_name(path)
        return create(path, flags, *arguments, **options)

    vars(os).update(mkdir=mkdir, open=open_)
    sys.modules["os"] = _without(os, _OF_OS.split())
    sys.modules["signal"] = _without(signal, _OF_SIGNAL.split(), SIGBREAK=signal.SIGUSR1)
    for name in NO_MODULES:
        sys.modules.pop(name, None)
    sys.meta_path.insert(0, _Nowhere())
    sys.platform = "win32"


if __name__ == "__main__":
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and "PYTHONIOENCODING" in os.environ:
            # A forked interpreter (tests/warm.py) has read the variable before.
            stream.reconfigure(encoding=os.environ["PYTHONIOENCODING"].partition(":")[0], errors="strict")
    if sys.platform != "win32":  # else tests.machines.loaded_on_windows has done it
        become()
    sys.argv = sys.argv[1:]
    sys.path[0] = str(pathlib.Path.cwd())
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
