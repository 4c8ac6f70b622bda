"""A ledger's file that is damaged: what SQLite finds, and what can still be read of it."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path
from typing import Any

from coordinator.ledger import Ledger, connect
from coordinator.locks import held

_TABLES = ("runs", "remarks", "submissions", "sweeps", "sweep_members")


def damage(file: Path) -> list[str]:
    """What SQLite finds wrong with a ledger's file; nothing if there is no file."""
    if not file.exists():
        return []
    try:
        with contextlib.closing(connect(file)) as connection:
            found = [str(row[0]) for row in connection.execute("PRAGMA integrity_check(10)")]
    except sqlite3.DatabaseError as error:
        return [str(error)]
    return [] if found == ["ok"] else found


def salvage(file: Path) -> Path:
    """Moves a damaged ledger aside, makes a new one of what can still be read, and returns where the old one is now."""
    aside = _set_aside(file)
    with Ledger(file) as ledger:
        for table in _TABLES:
            rows = _rows(aside, table)
            with ledger.transaction() as connection:
                for row in rows:
                    _copy(connection, table, row)
    return aside


def _set_aside(file: Path) -> Path:
    """Moves the file away, with what belongs to it."""
    with held(file.with_suffix(".lock"), wait=True):
        number = 1
        while (aside := file.with_name(f"{file.name}.damaged-{number}")).exists():
            number += 1
        for ending in ("-wal", "-shm", ""):
            part = file.with_name(file.name + ending)
            if part.exists():
                part.rename(aside.with_name(aside.name + ending))
    return aside


def _rows(file: Path, table: str) -> list[dict[str, Any]]:
    """Every row of a table that can be read, in the order of writing."""
    first, last = (_read(file, f"SELECT * FROM {table} ORDER BY rowid {way}") for way in ("ASC", "DESC"))
    known = {tuple(row.values()) for row in first}
    return [*first, *(row for row in reversed(last) if tuple(row.values()) not in known)]


def _read(file: Path, query: str) -> list[dict[str, Any]]:
    """The rows up to the first that SQLite cannot read."""
    found = []
    try:
        with contextlib.closing(connect(file)) as connection:
            for row in connection.execute(query):
                found.append(dict(row))
    except sqlite3.Error:
        pass  # what was read before it counts
    return found


def _copy(connection: sqlite3.Connection, table: str, row: dict[str, Any]) -> None:
    """Adds a row, as far as the table has its columns; one that breaks the table's rules is left out."""
    columns = [column["name"] for column in connection.execute(f"PRAGMA table_info({table})")]
    names = [name for name in columns if name in row]
    marks = ", ".join(f":{name}" for name in names)
    connection.execute(f"INSERT OR IGNORE INTO {table} ({', '.join(names)}) VALUES ({marks})", row)
