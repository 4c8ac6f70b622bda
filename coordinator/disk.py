"""A disk that refuses to be written, in words: that it is full is said, whoever notices it and whatever he calls it."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import sys
from pathlib import Path

_FREE = 1 << 20  # bytes: with less than that, it is the disk that SQLite's "disk I/O error" is about
_SQLITE_IOERR, _SQLITE_FULL, _SQLITE_CANTOPEN = 10, 13, 14  # primary result codes, https://sqlite.org/rescode.html
_REPEAT = "Free some space there, then repeat the command."


def why_full(error: BaseException, place: Path) -> tuple[str, str] | None:
    """(what is full, what to do) if writing at `place` failed for want of room; None if it failed for another reason.

    The error is an OSError (ENOSPC, EDQUOT, EFBIG) or an sqlite3.Error: SQLite says "disk I/O error" or "unable to
    open database file" for some of these, and then the disk is asked.
    """
    number = error.errno if isinstance(error, OSError) else None
    sqlite = getattr(error, "sqlite_errorcode", None)
    primary = sqlite & 0xFF if isinstance(sqlite, int) else None
    if number == errno.EDQUOT:
        return "your share of this disk is used up", _REPEAT
    if number == errno.EFBIG:
        return _too_large(place)
    if number == errno.ENOSPC or primary == _SQLITE_FULL:
        return _full(place), _REPEAT
    if primary in (_SQLITE_IOERR, _SQLITE_CANTOPEN):
        if _no_more_files(place) or _free(place) < _FREE:
            return _full(place), _REPEAT
        if primary == _SQLITE_IOERR and _limit() is not None:
            return _too_large(place)
    return None


def hint(error: BaseException, place: Path) -> str | None:
    """What to do where a message has the system's own words already; None if nothing is full."""
    found = why_full(error, place)
    return f"{found[0][:1].upper()}{found[0][1:]}. {found[1]}" if found else None


def _full(place: Path) -> str:
    if _no_more_files(place):
        return f"the disk of {_existing(place)} takes no more files (its inodes are used up)"
    return f"the disk is full: {_free(place) / 1e6:,.1f} MB are free in {_existing(place)}"


def _too_large(place: Path) -> tuple[str, str]:
    limit = _limit()
    if limit is None:
        return f"the file is larger than the disk of {_existing(place)} allows", "Work on another disk."
    what = f"the file is larger than this shell allows ({limit:,} bytes a file)"
    return what, "Raise the limit: ulimit -f unlimited"


def _limit() -> int | None:
    """How large a file may become, in bytes; None if there is no limit, or no such thing on this system."""
    found = None
    if sys.platform != "win32":
        import resource

        soft, _ = resource.getrlimit(resource.RLIMIT_FSIZE)
        found = None if soft == resource.RLIM_INFINITY else soft
    return found


def _existing(place: Path) -> Path:
    place = place.absolute()
    return next((each for each in (place, *place.parents) if each.is_dir()), place)


def _free(place: Path) -> float:
    try:
        return shutil.disk_usage(_existing(place)).free
    except OSError:
        return float("inf")


def _no_more_files(place: Path) -> bool:
    is_full = False
    if sys.platform != "win32":
        with contextlib.suppress(OSError):
            found = os.statvfs(_existing(place))
            is_full = found.f_files > 0 and found.f_favail == 0
    return is_full
