"""What Linux, macOS and Windows do differently, in one place: all other modules are written once, for all of them.

`mypy --platform` reads the branches of `sys.platform`. Code that runs only where sessions run (the kernel's own parts,
the local Kaggle) is not written for Windows, and no command imports it there.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import signal
import stat
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

IS_WINDOWS: Final = sys.platform == "win32"
PATH_MAX: Final = 259
"""Characters of a path on Windows, unless the user has switched long paths on."""

READER_GONE: Final = 128 + 13
"""Exit code where the reader of the output has ended: that of SIGPIPE, which Windows does not have."""

if sys.platform == "win32":
    ENDING: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGBREAK)
else:
    ENDING: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""Signals with which a user ends a program."""

_TRIES, _PAUSE = 40, 0.05  # two seconds: scanners of viruses and indexers hold a new file for less
_HELD = (5, 32, 33)  # ERROR_ACCESS_DENIED, ERROR_SHARING_VIOLATION, ERROR_LOCK_VIOLATION


def processors() -> int:
    """How many processors this process may use."""
    if sys.platform == "linux":
        count = len(os.sched_getaffinity(0))
    else:
        count = os.cpu_count() or 1
    return count


def user_number() -> int | None:
    """The user whose rights this process has; None on Windows, which has no such number."""
    number = None
    if sys.platform != "win32":
        number = os.geteuid()
    return number


def after_fork(restore: Callable[[], None]) -> None:
    """Lets `restore` be called in each child that is forked from now on; Windows has none."""
    if sys.platform != "win32":
        os.register_at_fork(after_in_child=restore)


CAN_FORK: Final = sys.platform == "linux"
"""Whether a fork is a cheap copy that works: on macOS, libraries of the system may fail in it."""


@contextlib.contextmanager
def interrupts_held_back() -> Iterator[None]:
    """Ctrl-C waits for the end of the context, also in the processes that are started in it."""
    came: list[int] = []
    # The system gives the signal to any thread that does not block it, and Python then interrupts the main one: so
    # blocking it here is for the new processes, and another handler is for this one.
    before = signal.getsignal(signal.SIGINT)
    replaces = threading.current_thread() is threading.main_thread() and callable(before)
    if replaces:
        signal.signal(signal.SIGINT, lambda number, _frame: came.append(number))
    try:
        with _blocked_in_this_thread():
            yield
    finally:
        if replaces:
            signal.signal(signal.SIGINT, before)
        if came:
            signal.raise_signal(signal.SIGINT)


@contextlib.contextmanager
def _blocked_in_this_thread() -> Iterator[None]:
    """SIGINT is not delivered to this thread, nor to the processes that it forks; Windows has no such mask."""
    if sys.platform == "win32":
        yield
    else:
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            yield
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def is_too_long(error: OSError) -> bool:
    """Whether the path of the file is longer than this system takes. (Windows says that it finds no such file.)"""
    given = max((len(os.fsdecode(name)) for name in (error.filename, error.filename2) if _is_path(name)), default=0)
    return error.errno == errno.ENAMETOOLONG or (IS_WINDOWS and given > PATH_MAX)


def _is_path(name: object) -> bool:
    return isinstance(name, str | bytes | os.PathLike)


def replace(source: Path, destination: Path) -> None:
    """Gives a file or folder another name, atomically; a file that has the name is replaced. Raises OSError.

    On Windows a file that another program has open can't be renamed or replaced: that is tried for two seconds.
    """
    _patiently(lambda: source.replace(destination))


def remove(file: Path) -> None:
    """Deletes a file, if it is there; see `replace`."""
    _patiently(lambda: file.unlink(missing_ok=True))


def remove_tree(folder: Path) -> None:
    """Deletes a folder with all that is in it, write-protected files too. Raises OSError."""
    shutil.rmtree(folder, onerror=_unprotected if IS_WINDOWS else None)


def _unprotected(act: Callable[..., object], path: str, _: object) -> None:
    """Windows does not delete a file that is write-protected, as those of git are."""
    os.chmod(path, stat.S_IWRITE)  # noqa: PTH101 - shutil gives a text
    _patiently(lambda: act(path))


def _patiently(act: Callable[[], object]) -> None:
    for tries_left in reversed(range(_TRIES)):
        try:
            act()
            return
        except PermissionError as error:
            if not tries_left or getattr(error, "winerror", None) not in _HELD:
                raise
            time.sleep(_PAUSE)
