"""Locks of the operating system (flock): they end with the process that holds them, however it ends.

Two kinds. `writing` is the lock of everything that changes a store; it is filelock's. The others belong to a session or
a submission and are handed over: a flock belongs to the open file, not to the process, so a child that inherits the
descriptor keeps the lock after its parent has ended. That is how a session's supervisor takes over the lock of the
process that saved the version, without a moment in which nobody holds it. filelock keeps its descriptor to itself and
can't ask whether a lock is held, so these two functions call flock directly.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_POLL = 0.005  # seconds between two attempts to get the writers' lock


@contextmanager
def writing(root: Path) -> Iterator[None]:
    """Hold the writers' lock of the store below `root` for the length of a `with` block, waiting for it first."""
    from filelock import FileLock  # here, because only writers need it: loading it takes as long as a session's start

    # The soft lock, which file systems without flock would get, outlives a process that is killed.
    with FileLock(root / "lock", mode=0o600, poll_interval=_POLL, fallback_to_soft=False, preserve_lock_file=True):
        yield


def try_hold(path: Path) -> int | None:
    """Take the lock without waiting: the descriptor that holds it until it is closed, or None if it is held already."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


@contextmanager
def holding(path: Path) -> Iterator[None]:
    """Hold the lock for the length of a `with` block, waiting for it first: whoever waits longest gets it next."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def is_held(path: Path) -> bool:
    """Whether some process holds the lock; a lock file that does not exist is held by none."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        # A shared lock, so that two processes that only look don't take each other for the holder.
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False
