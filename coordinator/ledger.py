"""The ledger: what was pushed, when, with which config, where it stands and what came back. SQLite, in `.coord/`.

An intent is written before a push, its outcome after; a run whose outcome never came in is settled by asking the target
what exists (see refresh.py), never by pushing again.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import sqlite3
import uuid
from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import NoneType
from typing import Any

from coordinator.errors import LedgerError, RunFailed, RunNotFound, did_you_mean
from coordinator.locks import held
from coordinator.target import KernelRef, RunState

# Each entry takes the database from the version of its index to the next; entries are never changed, only appended.
_MIGRATIONS = (
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
)


MERGED = 0
"""The version of a run that was put together of others (see merge_folds.py): Kaggle counts from 1."""

# A kernel that was deleted (the only way to stop a session) counts from 1 again. What was still thought to run as a
# version that has now been given to a later run is gone.
_RETIRE = """
    UPDATE runs SET state = 'cancelled', message = 'its kernel was deleted, and made anew', ended_at = :now
    WHERE id != :id AND version >= :version AND state IN ('queued', 'running')
    AND (target, owner, slug) = (SELECT target, owner, slug FROM runs WHERE id = :id)
    AND (created_at, rowid) < (SELECT created_at, rowid FROM runs WHERE id = :id)
"""


@dataclasses.dataclass(frozen=True)
class Run:
    """One row of the ledger: one kernel version doing one experiment."""

    id: str
    experiment: str
    target: str
    owner: str
    slug: str
    digest: str
    config: dict[str, Any]
    metadata: dict[str, Any]
    """kernel-metadata.json as it was pushed."""
    overrides: list[str]
    state: RunState
    created_at: str
    """ISO 8601, UTC, as all times here."""
    files: dict[str, str] = dataclasses.field(default_factory=dict)
    """Path -> SHA-256 of every file that went in; empty for runs that were pushed before this was written down."""
    git: str | None = None
    """Commit of the project, with "-dirty" when the working tree differed from it."""
    version: int | None = None
    """None until the target has answered."""
    url: str = ""
    message: str = ""
    """Why it failed, or what is not known about it."""
    timeout_seconds: int | None = None
    """The session's time limit that was asked for; None is the target's own."""
    sent_at: str | None = None
    """When its push was last on the way to the target."""
    pushed_at: str | None = None
    started_at: str | None = None
    """When its session started, as well as coord knows: when it was first seen running, or what its log says."""
    ended_at: str | None = None
    """When coord first saw it ended."""
    fetched_at: str | None = None
    last_event: dict[str, Any] | None = None
    """The last epoch (or later) event seen in its log."""
    summary: dict[str, Any] | None = None
    """metrics.json, once fetched."""
    continues: str | None = None
    """Id of the run whose output it goes on from (see continuation.py)."""

    @property
    def ref(self) -> KernelRef:
        if self.version is None:
            raise LedgerError(f"run {self.id} of {self.experiment} has no version yet", hint="Run: coord status")
        if self.version == MERGED:
            raise RunFailed(
                f"{self.label} was {self.message}: it has no kernel of its own",
                hint="The runs of the folds have theirs.",
            )
        return KernelRef(self.owner, self.slug, self.version)

    @property
    def label(self) -> str:
        """As people name it: `smoke local-v3`."""
        return f"{self.experiment} {self.target}-v{self.version if self.version is not None else '?'}"

    def to_json(self) -> dict[str, Any]:
        return dataclasses.asdict(self)


_JSON_COLUMNS: dict[str, type | tuple[type, ...]] = {
    "config": dict,
    "metadata": dict,
    "overrides": list,
    "last_event": (dict, NoneType),
    "summary": (dict, NoneType),
    "files": dict,
}


def new_run_id() -> str:
    return uuid.uuid4().hex[:16]


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


class Ledger:
    """Open it as a context manager. Every method is one transaction."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._connection: sqlite3.Connection | None = None

    def __enter__(self) -> Ledger:
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            _ignore_in_git(self._file.parent)
            # One at a time: of two that turn a new file to WAL at once, SQLite lets one fail without waiting.
            with held(self._file.with_suffix(".lock"), wait=True):
                self._connection = _connect(self._file)
                self._migrate()
        except (sqlite3.Error, OSError) as error:
            self.close()
            raise LedgerError(
                f"the ledger {self._file} cannot be opened: {error}", hint="Look into it: coord ledger check"
            ) from error
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def add(self, run: Run) -> None:
        """Records the intent to push, before anything is sent."""
        values = _to_row(dataclasses.asdict(run))
        names = ", ".join(values)
        marks = ", ".join(f":{name}" for name in values)
        with self._transaction() as connection:
            connection.execute(f"INSERT INTO runs ({names}) VALUES ({marks})", values)

    def update(self, run_id: str, *, only_in: Collection[RunState] = tuple(RunState), **changes: Any) -> Run:
        """Sets the named fields of a run and returns it; unless its state is in `only_in`, nothing is set.

        `only_in` keeps what was asked of a target a moment ago from replacing what another process has learnt since.
        Raises RunNotFound.
        """
        values = _to_row(changes)
        assignments = ", ".join(f"{name} = :{name}" for name in values)
        states = ", ".join(f"'{state}'" for state in only_in)
        with self._transaction() as connection:
            set_rows = connection.execute(
                f"UPDATE runs SET {assignments} WHERE id = :id AND state IN ({states})", {**values, "id": run_id}
            ).rowcount
            if set_rows and values.get("version") is not None:
                connection.execute(_RETIRE, {"id": run_id, "version": values["version"], "now": now()})
        return self.get(run_id)

    def get(self, run_id: str) -> Run:
        found = self._query("SELECT * FROM runs WHERE id = ?", run_id)
        if not found:
            raise RunNotFound(f"the ledger has no run {run_id}")
        return found[0]

    def runs(self, *, experiment: str | None = None, target: str | None = None) -> list[Run]:
        """Newest first."""
        return self._query(
            "SELECT * FROM runs WHERE (?1 IS NULL OR experiment = ?1) AND (?2 IS NULL OR target = ?2)"
            " ORDER BY created_at DESC, rowid DESC",
            experiment,
            target,
        )

    def find(self, experiment: str, *, target: str | None = None, version: int | None = None) -> Run:
        """The newest run of an experiment that has a version, or the one of that version.

        Raises RunNotFound, with what there is instead.
        """
        runs = [run for run in self.runs(experiment=experiment, target=target) if run.version is not None]
        found = [run for run in runs if version is None or run.version == version]
        if found:
            return found[0]
        if runs:
            versions = ", ".join(f"{run.target}-v{run.version}" for run in runs)
            raise RunNotFound(f'"{experiment}" has no run of version {version}', hint=f"It has {versions}.")
        others = sorted({run.experiment for run in self.runs(target=target)})
        hint = f"There are runs of {', '.join(others)}." if others else f"Push one: coord push --exp {experiment}"
        where = f" on {target}" if target else ""
        raise RunNotFound(f'no run of "{experiment}"{where}{did_you_mean(experiment, others)}', hint=hint)

    def transaction(self) -> contextlib.AbstractContextManager[sqlite3.Connection]:
        """One transaction for all that is written within it: for several runs, or another module's tables.

        Each by itself would wait for the disk. Raises LedgerError.
        """
        return self._transaction()

    def _migrate(self) -> None:
        with self._transaction() as connection:
            version = connection.execute("PRAGMA user_version").fetchone()[0]
            if version > len(_MIGRATIONS):
                raise LedgerError(
                    f"the ledger {self._file} was written by a newer coord (format {version})", hint="Update coord."
                )
            for number, script in enumerate(_MIGRATIONS[version:], start=version + 1):
                # Not executescript: it would commit, and two processes may come here at once.
                for statement in filter(str.strip, script.split(";")):
                    connection.execute(statement)
                connection.execute(f"PRAGMA user_version = {number}")

    def replace(self, run: Run) -> None:
        """Records a run that was rebuilt, in place of what the ledger has under its id."""
        values = _to_row(dataclasses.asdict(run))
        marks = ", ".join(f":{name}" for name in values)
        with self._transaction() as connection:
            connection.execute(f"INSERT OR REPLACE INTO runs ({', '.join(values)}) VALUES ({marks})", values)

    def statement(self, sql: str, values: Mapping[str, Any]) -> list[sqlite3.Row]:
        """Runs one statement as a transaction and returns its rows: for modules that have a table of their own."""
        row = {name: _to_column("", value) for name, value in values.items()}
        with self._transaction() as connection:
            return connection.execute(sql, row).fetchall()

    def unreadable(self) -> dict[str, str]:
        """Run id -> why its row does not read."""
        try:
            return _readable(self._open.execute("SELECT * FROM runs"))[1]
        except sqlite3.Error as error:
            raise LedgerError(f"the ledger {self._file} cannot be read: {error}") from error

    def readable(self) -> list[Run]:
        """Newest first: what `runs` gives where every row reads."""
        rows = self._open.execute("SELECT * FROM runs ORDER BY created_at DESC, rowid DESC")
        return _readable(rows)[0]

    def _query(self, sql: str, *values: Any) -> list[Run]:
        try:
            runs, unreadable = _readable(self._open.execute(sql, values))
        except sqlite3.Error as error:
            raise LedgerError(
                f"the ledger {self._file} cannot be read: {error}", hint="Look into it: coord ledger check"
            ) from error
        for run_id, reason in unreadable.items():
            raise LedgerError(
                f"the ledger {self._file} has a damaged row, run {run_id}: {reason}",
                hint="Look into it: coord ledger check",
            )
        return runs

    @property
    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            raise RuntimeError("the ledger is not open")
        return self._connection

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        connection = self._open
        if connection.in_transaction:
            yield connection  # a part of the one around it
            return
        try:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
            except BaseException:
                connection.execute("ROLLBACK")
                raise
            connection.execute("COMMIT")
        except sqlite3.Error as error:
            raise LedgerError(f"the ledger {self._file} cannot be written: {error}") from error


def _connect(file: Path) -> sqlite3.Connection:
    # Autocommit mode: transactions are begun by hand, so that a writer takes its lock before it reads.
    connection = sqlite3.connect(file, timeout=30.0, isolation_level=None)
    try:
        connection.row_factory = sqlite3.Row
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def _ignore_in_git(state: Path) -> None:
    ignore = state / ".gitignore"
    if not ignore.exists():
        # Under its name it is whole: a half-written one would never be written again.
        new = ignore.with_name(f".gitignore.{os.getpid()}")
        new.write_text("# What coord remembers about this project on this machine.\n*\n", encoding="utf-8")
        new.replace(ignore)


def _to_row(values: dict[str, Any]) -> dict[str, Any]:
    return {name: _to_column(name, value) for name, value in values.items()}


def _to_column(name: str, value: Any) -> Any:
    if name in _JSON_COLUMNS and value is not None:
        return json.dumps(value)
    # A target's message may hold half a character, which SQLite does not take.
    return value.encode("utf-8", "replace").decode("utf-8") if type(value) is str else value


def _to_run(row: sqlite3.Row) -> Run:
    """Raises ValueError or TypeError if it is none."""
    values = dict(row)
    for name in _JSON_COLUMNS:
        if values.get(name) is not None:
            values[name] = json.loads(values[name])
    for name, kind in _JSON_COLUMNS.items():
        if name in values and not isinstance(values[name], kind):
            raise TypeError(f"{name} is not of the kind that it should be")
    return Run(**{**values, "state": RunState(values["state"])})


def _readable(rows: Iterable[sqlite3.Row]) -> tuple[list[Run], dict[str, str]]:
    """The rows that are runs, and of the others the id and what is wrong."""
    runs, unreadable = [], {}
    for row in rows:
        try:
            runs.append(_to_run(row))
        except (ValueError, TypeError) as error:
            unreadable[str(row["id"])] = str(error)
    return runs, unreadable


def damage(file: Path) -> list[str]:
    """What SQLite finds wrong with a ledger's file; nothing if there is no file."""
    if not file.exists():
        return []
    try:
        with contextlib.closing(_connect(file)) as connection:
            found = [str(row[0]) for row in connection.execute("PRAGMA integrity_check(10)")]
    except sqlite3.DatabaseError as error:
        return [str(error)]
    return [] if found == ["ok"] else found


def set_aside(file: Path) -> Path:
    """Moves a damaged ledger away, with what belongs to it, and returns where it is now."""
    with held(file.with_suffix(".lock"), wait=True):
        number = 1
        while (aside := file.with_name(f"{file.name}.damaged-{number}")).exists():
            number += 1
        for ending in ("-wal", "-shm", ""):
            part = file.with_name(file.name + ending)
            if part.exists():
                part.rename(aside.with_name(aside.name + ending))
    return aside


def salvaged(file: Path) -> list[Run]:
    """The runs that can still be read from a damaged ledger, oldest first."""
    found: dict[str, Run] = {}
    for direction in ("ASC", "DESC"):  # from both ends up to what is damaged
        try:
            with contextlib.closing(_connect(file)) as connection:
                for row in connection.execute(f"SELECT * FROM runs ORDER BY rowid {direction}"):
                    for run in _readable([row])[0]:
                        found[run.id] = run
        except sqlite3.Error:
            pass  # what was read before it counts
    return sorted(found.values(), key=lambda run: run.created_at)
