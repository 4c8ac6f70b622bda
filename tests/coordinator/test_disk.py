"""Which errors mean that there is no room, and what is said of them."""

from __future__ import annotations

import errno
import os
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from coordinator.disk import hint, why_full


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.ENOSPC, "the disk is full: "),
        (errno.EDQUOT, "your share of this disk is used up"),
        (errno.EFBIG, "the file is larger than the disk of"),
        (errno.EROFS, None),
        (errno.EACCES, None),
        (errno.EIO, None),
    ],
)
def test_errors_of_the_system(tmp_path: Path, number: int, words: str | None) -> None:
    """The disk is named by a folder that is there, also for a file that is not."""
    error = OSError(number, os.strerror(number))
    found = why_full(error, tmp_path / "new/file")
    assert (found is None) == (words is None)
    if words and found:
        assert found[0].startswith(words)
        assert (hint(error, tmp_path / "new") or "").startswith(words[0].upper())
    if number == errno.ENOSPC and found:
        assert str(tmp_path) in found[0]


def _sqlite(code: int) -> sqlite3.OperationalError:
    error = sqlite3.OperationalError("disk I/O error")
    error.sqlite_errorcode = code
    return error


@pytest.mark.parametrize("code", [sqlite3.SQLITE_IOERR, sqlite3.SQLITE_IOERR_WRITE, sqlite3.SQLITE_CANTOPEN])
def test_what_sqlite_calls_an_error_of_the_disk(tmp_path: Path, code: int) -> None:
    """Only where the disk has room is it one."""
    assert shutil.disk_usage(tmp_path).free > 1 << 21
    assert why_full(_sqlite(code), tmp_path / "ledger.sqlite") is None
    assert why_full(_sqlite(sqlite3.SQLITE_FULL), tmp_path) is not None
    assert why_full(_sqlite(sqlite3.SQLITE_CORRUPT), tmp_path) is None


def test_a_limit_of_the_shell_is_called_that(tmp_path: Path) -> None:
    """`ulimit -f`, of the system and of SQLite: how much it allows, and how to raise it."""
    program = (
        "import resource, sqlite3, sys\n"
        "from pathlib import Path\n"
        "from coordinator.disk import why_full\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, resource.RLIM_INFINITY))\n"
        "for name in ('a.txt', 'b.sqlite'):\n"
        "    file = Path(sys.argv[1], name)\n"
        "    try:\n"
        "        if name == 'a.txt':\n"
        "            file.write_bytes(bytes(50_000))\n"
        "        else:\n"
        "            connection = sqlite3.connect(file)\n"
        "            connection.execute('CREATE TABLE t (x)')\n"
        "            connection.execute('INSERT INTO t VALUES (?)', ('x' * 50_000,))\n"
        "            connection.commit()\n"
        "    except (OSError, sqlite3.Error) as error:\n"
        "        print(why_full(error, file))\n"
    )
    done = subprocess.run([sys.executable, "-c", program, tmp_path], capture_output=True, text=True, check=True)
    told = "('the file is larger than this shell allows (20,000 bytes a file)', 'Raise the limit: ulimit -f unlimited')"
    assert done.stdout.splitlines() == [told, told]
