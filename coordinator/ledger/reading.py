"""A ledger on a disk that cannot be written: what it holds can still be read."""

from __future__ import annotations

import contextlib
import errno
import sqlite3
from pathlib import Path

_CODES = (
    *(sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM, sqlite3.SQLITE_FULL),
    sqlite3.SQLITE_IOERR,  # for example of a lock
)
_NUMBERS = (
    *(errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOSPC, errno.EDQUOT),
    *(errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP),
)


def is_refusal(error: sqlite3.Error | OSError) -> bool:
    """Whether the disk refuses to be written or to lock files: it may well be read."""
    if isinstance(error, OSError):
        return error.errno in _NUMBERS
    return (getattr(error, "sqlite_errorcode", 0) & 0xFF) in _CODES


def read_only(file: Path) -> sqlite3.Connection:
    """The content of a ledger, in memory; nothing if there is no file. Raises sqlite3.Error."""
    memory = sqlite3.connect(":memory:", isolation_level=None)
    memory.row_factory = sqlite3.Row
    try:
        if file.exists():
            with contextlib.closing(_source(file)) as source:
                source.backup(memory)
    except BaseException:
        memory.close()
        raise
    return memory


def _source(file: Path) -> sqlite3.Connection:
    """SQLite has to write beside a ledger to see what others write now, unless it is told that nobody does."""
    wal = file.with_name(f"{file.name}-wal")
    try:
        return _connected(file, "mode=ro")
    except sqlite3.Error:
        if wal.exists() and wal.stat().st_size:
            raise
        return _connected(file, "immutable=1")


def _connected(file: Path, option: str) -> sqlite3.Connection:
    connection = sqlite3.connect(f"{file.absolute().as_uri()}?{option}", uri=True)
    try:
        connection.execute("SELECT 1 FROM sqlite_master")
    except BaseException:
        connection.close()
        raise
    return connection
