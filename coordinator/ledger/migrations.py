"""The ledger's tables: how a new ledger is made, and how the ledger of an older coord gets today's tables."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Callable
from typing import Any

from coordinator.kernel import digest_of_work
from coordinator.ledger.old_messages import PATTERNS, fields_of
from coordinator.ledger.rows import primary_columns


def migrate(connection: sqlite3.Connection, version: int) -> None:
    """Takes the database from that version to the newest one. The caller holds the transaction."""
    for number, step in enumerate(MIGRATIONS[version:], start=version + 1):
        if callable(step):
            step(connection)
        else:
            # Not executescript: it would commit, and two processes may come here at once.
            for statement in filter(str.strip, step.split(";")):
                connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {number}")


def _states_instead_of_messages(connection: sqlite3.Connection) -> None:
    """Adds columns for what only a run's message recorded before; the messages stay, for people."""
    connection.execute("ALTER TABLE runs ADD COLUMN lacks TEXT NOT NULL DEFAULT '[]'")
    connection.execute("ALTER TABLE runs ADD COLUMN never_arrived INTEGER NOT NULL DEFAULT 0")
    connection.execute("ALTER TABLE runs ADD COLUMN stop_requested INTEGER NOT NULL DEFAULT 0")
    connection.execute("ALTER TABLE submissions ADD COLUMN never_arrived INTEGER NOT NULL DEFAULT 0")
    # Only the rows with such a message: a damaged row may hold a message that is no text.
    condition = " OR ".join("message LIKE ?" for _ in PATTERNS)
    for table in ("runs", "submissions"):
        for row in connection.execute(f"SELECT id, message FROM {table} WHERE {condition}", PATTERNS).fetchall():
            for name, value in fields_of(row["message"]).items():
                stored = json.dumps(value) if isinstance(value, tuple) else value
                connection.execute(f"UPDATE {table} SET {name} = ? WHERE id = ?", (stored, row["id"]))


def _sources_and_names(connection: sqlite3.Connection) -> None:
    """Adds the versions that a run reads, and the machine that wrote last; gives sweeps the work of normal names.

    Runs get the normal form of their sources' names when they are read: the work of a sweep's member must be its run's.
    """
    connection.execute("ALTER TABLE runs ADD COLUMN reads TEXT NOT NULL DEFAULT '[]'")
    connection.execute("CREATE TABLE last_writer (machine TEXT NOT NULL, host TEXT NOT NULL, wrote_at TEXT NOT NULL)")
    query = (
        "SELECT sweep, work, files, config, metadata FROM sweep_members JOIN runs USING (experiment)"
        " WHERE metadata GLOB '*[A-Z]*'"
    )
    for row in connection.execute(query).fetchall():
        try:
            files, config, metadata = (json.loads(row[name]) for name in ("files", "config", "metadata"))
            before, after = _digest_of_names_as_typed(files, config, metadata), digest_of_work(files, config, metadata)
        except (ValueError, TypeError, AttributeError):  # a damaged row, which `coord ledger check` reports
            continue
        if before == row["work"]:
            values = (after, row["sweep"], before)
            connection.execute("UPDATE sweep_members SET work = ? WHERE sweep = ? AND work = ?", values)


def _digest_of_names_as_typed(files: Any, config: Any, metadata: Any) -> str:
    """The digest of a run's work as it was before its names had one form."""
    names = ("id", "id_no", "title", "code_file", "is_private", "keywords")
    surroundings = {key: value for key, value in metadata.items() if key not in names}
    text = json.dumps([files, config, surroundings], sort_keys=True)
    return "sha256:" + hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()


def _primary_metrics(connection: sqlite3.Connection) -> None:
    """Adds the primary metric of each run, and the index by which runs are listed (see selection.py)."""
    for column in ("primary_name TEXT", "primary_mode TEXT", "primary_value REAL"):
        connection.execute(f"ALTER TABLE runs ADD COLUMN {column}")
    with_summary = "SELECT rowid FROM runs WHERE summary IS NOT NULL"
    for (number,) in connection.execute(with_summary).fetchall():
        (summary,) = connection.execute("SELECT summary FROM runs WHERE rowid = ?", (number,)).fetchone()
        found = primary_columns(summary)
        assignments = ", ".join(f"{name} = :{name}" for name in found)
        connection.execute(f"UPDATE runs SET {assignments} WHERE rowid = :number", {**found, "number": number})
    connection.execute("DROP INDEX IF EXISTS runs_by_time")  # the newest runs are found by the other one
    connection.execute(
        "CREATE INDEX runs_to_list ON runs (created_at, experiment, target, state, hidden_at, version, id, continues,"
        " fetched_at, owner, slug, started_at, ended_at, primary_name, primary_mode, primary_value)"
    )
    connection.execute("CREATE INDEX tags_by_text ON remarks (text, run_id, experiment) WHERE kind = 'tag'")
    connection.execute("CREATE INDEX remarks_by_experiment ON remarks (experiment, run_id)")
    connection.execute("CREATE INDEX remarks_by_run ON remarks (run_id)")


# Each entry takes the database from the version of its index to the next; entries are never changed, only appended.
MIGRATIONS: tuple[str | Callable[[sqlite3.Connection], None], ...] = (
    """
    CREATE TABLE runs (
        id TEXT PRIMARY KEY,
        experiment TEXT NOT NULL,
        target TEXT NOT NULL,
        owner TEXT NOT NULL,
        slug TEXT NOT NULL,
        version INTEGER,
        url TEXT NOT NULL DEFAULT '',
        digest TEXT NOT NULL,
        git TEXT,
        config TEXT NOT NULL,
        metadata TEXT NOT NULL,
        overrides TEXT NOT NULL,
        state TEXT NOT NULL,
        message TEXT NOT NULL DEFAULT '',
        created_at TEXT NOT NULL,
        pushed_at TEXT,
        ended_at TEXT,
        fetched_at TEXT,
        last_event TEXT,
        summary TEXT
    );
    CREATE INDEX runs_by_experiment ON runs (experiment, created_at);
    """,
    "ALTER TABLE runs ADD COLUMN files TEXT NOT NULL DEFAULT '{}'",
    "ALTER TABLE runs ADD COLUMN sent_at TEXT",
    "ALTER TABLE runs ADD COLUMN started_at TEXT; ALTER TABLE runs ADD COLUMN timeout_seconds INTEGER",
    """
    CREATE TABLE remarks (
        number INTEGER PRIMARY KEY,
        experiment TEXT NOT NULL,
        run_id TEXT,
        kind TEXT NOT NULL,
        text TEXT NOT NULL,
        created_at TEXT NOT NULL
    )
    """,
    "ALTER TABLE runs ADD COLUMN continues TEXT",
    """
    CREATE TABLE submissions (
        id TEXT PRIMARY KEY,
        run_id TEXT NOT NULL,
        target TEXT NOT NULL,
        competition TEXT NOT NULL,
        file_name TEXT NOT NULL,
        sha256 TEXT NOT NULL,
        is_upload INTEGER NOT NULL,
        description TEXT NOT NULL,
        state TEXT NOT NULL,
        created_at TEXT NOT NULL,
        ref INTEGER,
        public REAL,
        private REAL,
        message TEXT NOT NULL DEFAULT '',
        scored_at TEXT
    )
    """,
    """
    CREATE TABLE sweeps (
        name TEXT PRIMARY KEY,
        base TEXT NOT NULL,
        target TEXT NOT NULL,
        is_repeat INTEGER NOT NULL,
        created_at TEXT NOT NULL
    );
    CREATE TABLE sweep_members (
        sweep TEXT NOT NULL REFERENCES sweeps (name),
        position INTEGER NOT NULL,
        experiment TEXT NOT NULL,
        base TEXT NOT NULL,
        overrides TEXT NOT NULL,
        whole TEXT NOT NULL,
        work TEXT NOT NULL,
        run_id TEXT,
        PRIMARY KEY (sweep, experiment)
    );
    CREATE INDEX sweep_members_by_experiment ON sweep_members (experiment);
    """,
    _states_instead_of_messages,
    _sources_and_names,
    "ALTER TABLE runs ADD COLUMN launch TEXT NOT NULL DEFAULT '{}'",
    """
    CREATE TABLE dataset_versions (
        id TEXT PRIMARY KEY,
        target TEXT NOT NULL,
        reference TEXT NOT NULL,
        version INTEGER,
        digest TEXT NOT NULL,
        files INTEGER NOT NULL,
        size INTEGER NOT NULL,
        before INTEGER NOT NULL,
        state TEXT NOT NULL,
        created_at TEXT NOT NULL,
        sent_at TEXT,
        ready_at TEXT,
        message TEXT NOT NULL DEFAULT '',
        never_arrived INTEGER NOT NULL DEFAULT 0
    )
    """,
    "ALTER TABLE runs ADD COLUMN hidden_at TEXT",
    "CREATE INDEX runs_by_time ON runs (created_at)",  # the newest ones cost as many rows as are asked for
    "ALTER TABLE runs ADD COLUMN attempts INTEGER NOT NULL DEFAULT 0",
    _primary_metrics,
)
