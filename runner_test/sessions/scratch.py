"""A session's private folder, for its home and its temporary files.

It is in the system's temporary folder, not in the session's root: the sockets that worker processes make in TMPDIR may
have paths of at most 107 characters. A supervisor that is killed leaves its folder behind; the next session removes it.
"""

import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from runner_test.state import locks, remove_tree

_PREFIX = "kaggle-"
_LOCK = "session.lock"  # held for as long as the session's supervisor lives


@contextmanager
def folder() -> Iterator[Path]:
    """Make a folder that is removed at the end of the block, or, if this process is killed, by the next session."""
    _sweep()
    path = Path(tempfile.mkdtemp(prefix=_PREFIX))
    # Locked before it gets its final name, so that no other process finds a folder in use with a free lock.
    lock = locks.try_hold(path / "new.lock")
    assert lock is not None
    (path / "new.lock").rename(path / _LOCK)
    try:
        yield path
    finally:
        try:
            remove_tree(path)
        except OSError:
            pass  # a process that could not be ended still writes there
        finally:
            os.close(lock)


def _sweep() -> None:
    """Remove the folders that killed supervisors left behind."""
    for path in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        try:
            status = path.lstat()
            ours = stat.S_ISDIR(status.st_mode) and status.st_uid == os.getuid()
            if ours and (path / _LOCK).exists() and not locks.is_held(path / _LOCK):
                remove_tree(path, seconds=0)
        except OSError:
            pass  # another session removes it at the same time, or a later one will
