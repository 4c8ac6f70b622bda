"""A damaged ledger file: what SQLite finds wrong, and a new ledger from the rows that can still be read."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from coordinator.disk import why_full
from coordinator.errors import LedgerError
from coordinator.files import held
from coordinator.ledger.ledger import WRITABLE, Ledger, connect
from coordinator.ledger.old_messages import fields_of
from coordinator.ledger.reading import is_refusal, read_only
from coordinator.ledger.rows import blanked, primary_columns, to_row

_TABLES = ("runs", "remarks", "submissions", "sweeps", "sweep_members", "dataset_versions")

_CANNOT_TELL = (
    *(sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY),
    *(sqlite3.SQLITE_PERM, sqlite3.SQLITE_AUTH, sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_NOMEM),
)
_MISSES = 20_000  # rows that are tried after the last one found, if the end of the table cannot be read
_LARGEST = 1 << 30  # bytes: a damaged header may give any size


def damage(file: Path) -> list[str]:
    """What SQLite finds wrong with a ledger's file; nothing if there is no file.

    Raises LedgerError if the file cannot be checked: a file that is locked, or may not be opened, is not damaged.
    """
    if not file.exists():
        return []
    try:
        return _integrity(connect, file)
    except sqlite3.Error as error:
        if _primary_code(error) not in _CANNOT_TELL:
            return [str(error)]
        try:
            if is_refusal(error):
                return _integrity(read_only, file)
        except sqlite3.Error as second:
            error = second
        why, hint = why_full(error, file) or (str(error), WRITABLE)
        raise LedgerError(f"the ledger {file} cannot be checked: {why}", hint=hint) from error


def _integrity(opened: Callable[[Path], sqlite3.Connection], file: Path) -> list[str]:
    with contextlib.closing(opened(file)) as connection:
        found = [str(row[0]) for row in connection.execute("PRAGMA integrity_check(10)")]
    return [] if found == ["ok"] else found


def salvage_ledger(file: Path) -> Path:
    """Moves a damaged ledger aside, writes a new one from what can be read, and returns the path of the old one."""
    aside = _set_aside(file)
    with Ledger(file) as ledger, _opened(aside) as damaged:
        for table in _TABLES:
            rows = _rows(damaged, table)
            with ledger.transaction() as connection:
                for row in rows:
                    _copy(connection, table, row)
    return aside


def other_copies(file: Path) -> list[Path]:
    """Files beside the ledger that are another version of it: sync tools leave these when two machines wrote."""
    ours = (file.name, f"{file.name}-", f"{file.name}.damaged-", f"{file.name}.taken-over-")
    found = sorted(file.parent.glob(f"{file.stem}*{file.suffix}*"))
    return [each for each in found if each.name != ours[0] and not each.name.startswith(ours[1:])]


def take_over(ledger: Ledger, file: Path, copy: Path) -> None:
    """Adds the rows of a copy that the ledger lacks, and moves the copy aside."""
    with _opened(copy) as other:
        for table in _TABLES:
            with ledger.transaction() as connection:
                for row in _rows(other, table):
                    _copy(connection, table, row)
    number = 1
    while (aside := file.with_name(f"{file.name}.taken-over-{number}")).exists():
        number += 1
    copy.rename(aside)


def _primary_code(error: sqlite3.Error) -> int:
    code = getattr(error, "sqlite_errorcode", None)  # our own have none
    return code & 0xFF if isinstance(code, int) else sqlite3.SQLITE_CORRUPT


def blank(ledger: Ledger, run_id: str) -> None:
    """Resets the columns of a run's row that cannot be read."""
    with ledger.transaction() as connection:
        (row,) = connection.execute("SELECT * FROM runs WHERE id = ?", (run_id,)).fetchall()
        values = blanked(row)
        values |= primary_columns(values.get("summary", row["summary"]))
        for name, value in values.items():
            connection.execute(f"UPDATE runs SET {name} = ? WHERE id = ?", (value, run_id))


def _set_aside(file: Path) -> Path:
    """Moves the file to another name, with SQLite's files beside it."""
    with held(file.with_suffix(".lock"), wait=True):
        number = 1
        while (aside := file.with_name(f"{file.name}.damaged-{number}")).exists():
            number += 1
        for ending in ("-wal", "-shm", ""):
            part = file.with_name(file.name + ending)
            if part.exists():
                part.rename(aside.with_name(aside.name + ending))
    return aside


def _rows(connection: sqlite3.Connection, table: str) -> list[dict[str, Any]]:
    """Every row of a table that can be read, in the order of writing."""
    found: dict[int, dict[str, Any]] = {}
    select = f"SELECT rowid AS rowid_, * FROM {table}"
    if not _read(connection, f"{select} LIMIT 0", found):
        return []  # not a row is the fault, but the table: to ask for each by its number takes seconds
    if _read(connection, f"{select} ORDER BY rowid", found):
        return list(found.values())
    # From the end back to the damaged part; the rows in between one by one.
    first = max(found, default=0) + 1
    behind: dict[int, dict[str, Any]] = {}
    _read(connection, f"{select} ORDER BY rowid DESC", behind)
    for number in range(first, min(behind, default=first + _MISSES)):
        _read(connection, f"{select} WHERE rowid = {number}", found)
    found |= behind
    return [found[number] for number in sorted(found)]


def _read(connection: sqlite3.Connection, query: str, found: dict[int, dict[str, Any]]) -> bool:
    """Adds rows by their number, up to the first that SQLite cannot read; returns whether it read all."""
    try:
        for row in connection.execute(query):
            values = dict(row)
            found[values.pop("rowid_")] = values
    except (sqlite3.Error, UnicodeDecodeError):  # the latter in the name of a column
        return False
    return True


@contextlib.contextmanager
def _opened(file: Path) -> Iterator[sqlite3.Connection]:
    """A copy of a damaged ledger that SQLite reads as far as it can: of the size that its header gives, any schema."""
    with tempfile.TemporaryDirectory(dir=file.parent) as folder:
        copy = Path(shutil.copy(file, folder))
        with contextlib.suppress(OSError):
            shutil.copy(file.with_name(f"{file.name}-wal"), folder)
        with copy.open("r+b") as content:
            head = content.read(32)
            size = int.from_bytes(head[16:18], "big") * int.from_bytes(head[28:32], "big")
            if copy.stat().st_size < size <= _LARGEST:
                content.truncate(size)  # SQLite refuses a truncated file
        with contextlib.closing(sqlite3.connect(copy)) as connection:
            connection.row_factory = sqlite3.Row
            with contextlib.suppress(sqlite3.Error):
                connection.execute("PRAGMA writable_schema = ON")  # or one table that doesn't parse hides the others
            yield connection


def _copy(connection: sqlite3.Connection, table: str, row: dict[str, Any]) -> None:
    """Adds a row with the columns that the table has; a row that violates the table's constraints is left out."""
    if "message" in row and "never_arrived" not in row:  # from a ledger of an older coord
        row = row | to_row(fields_of(str(row["message"])))
    if table == "runs":  # that ledger may be older, and damaged
        row = row | primary_columns(row.get("summary"))
    columns = [column["name"] for column in connection.execute(f"PRAGMA table_info({table})")]
    names = [name for name in columns if name in row]
    marks = ", ".join(f":{name}" for name in names)
    connection.execute(f"INSERT OR IGNORE INTO {table} ({', '.join(names)}) VALUES ({marks})", row)
