"""A session's private folder for its home and its temporary files, and the end of those that a kill left behind.

Under the system's temporary folder, not under the session's root: the sockets that worker processes make in TMPDIR may
have paths of at most 107 characters.
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
    """A new folder that goes when the block ends; or, where this process is killed, when the next one begins."""
    _sweep()
    path = Path(tempfile.mkdtemp(prefix=_PREFIX))
    # Held before it has its name: nobody ever sees a folder in use with a free lock.
    lock = locks.try_hold(path / "new.lock")
    assert lock is not None
    (path / "new.lock").rename(path / _LOCK)
    try:
        yield path
    finally:
        try:
            remove_tree(path)
        except OSError:
            pass  # a process that nobody could end still writes there
        finally:
            os.close(lock)


def _sweep() -> None:
    """Remove the folders of sessions whose supervisors were killed."""
    for path in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        try:
            status = path.lstat()
            ours = stat.S_ISDIR(status.st_mode) and status.st_uid == os.getuid()
            if ours and (path / _LOCK).exists() and not locks.is_held(path / _LOCK):
                remove_tree(path, seconds=0)
        except OSError:
            pass  # somebody else's sweep was quicker, or it will go next time
