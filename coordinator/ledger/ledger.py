"""The ledger: what was pushed, when, with which config, in which state it is, and its results. SQLite, in `.coord/`.

An intent is written before a push, its outcome afterwards. If the outcome was never recorded, the target is asked what
exists (see arrival.py); nothing is pushed again.
"""

from __future__ import annotations

import contextlib
import sqlite3
import threading
import uuid
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from coordinator.disk import why_full
from coordinator.errors import LedgerError, RunNotFound, did_you_mean
from coordinator.files import held, write_atomically
from coordinator.ledger.migrations import MIGRATIONS, migrate
from coordinator.ledger.reading import is_refusal, read_only
from coordinator.ledger.rows import BRIEF, SHORT, WHOLE, Columns, readable, to_column, to_row
from coordinator.ledger.run import Run as Run
from coordinator.ledger.selection import EVERYTHING, OF_RUNS, RunSelection, order
from coordinator.target import RunState
from coordinator.text import command_line

_LOOK = "Look into it: coord ledger check"
WRITABLE = "Its folder must be writable, and its disk not be full."

# After a kernel was deleted (the only way to stop a session), its versions count from 1 again. A run that the ledger
# shows as active under a version number that a later run now has got is gone.
_RETIRE = """
    UPDATE runs SET state = 'cancelled', message = 'its kernel was deleted and created again', ended_at = :now
    WHERE id != :id AND version >= :version AND state IN ('queued', 'running')
    AND (target, owner COLLATE NOCASE, slug) = (SELECT target, owner, slug FROM runs WHERE id = :id)
    AND (created_at, rowid) < (SELECT created_at, rowid FROM runs WHERE id = :id)
"""


# The files that this process has open, each with the number of its connections, and who may change that. Where one is
# open, nothing else may open and close the file: the system would drop the locks of all connections of the process
# (https://sqlite.org/howtocorrupt.html, 2.2), and another process would take itself for the last one.
_CONNECTED: Counter[Path] = Counter()
_CONNECTING = threading.Lock()


def new_run_id() -> str:
    return uuid.uuid4().hex[:16]


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


class Ledger:
    """Open it as a context manager. Every method is one transaction."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._connection: sqlite3.Connection | None = None
        self._not_writable: tuple[str, str] | None = None
        """Why its disk cannot be written, and what to do; None if it can."""
        self._is_counted = False
        self._known: tuple[tuple[int, int], tuple[list[Run], dict[str, str]]] | None = None
        """What `_every` has read, and how far the file was changed then."""

    def __enter__(self) -> Ledger:
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            _ignore_in_git(self._file.parent)
            with _CONNECTING, contextlib.ExitStack() as stack:
                if not (_CONNECTED[self._file] or _has_wal(self._file)):
                    # One at a time: of two that turn a new file to WAL at once, SQLite lets one fail without waiting.
                    stack.enter_context(held(self._file.with_suffix(".lock"), wait=True))
                self._connection = connect(self._file)
                self._is_counted = True
                _CONNECTED[self._file] += 1
                self._migrate()
        except (sqlite3.Error, OSError) as error:
            self.close()
            if not self._opened_for_reading(error):
                hint = WRITABLE if isinstance(error, OSError) else _LOOK
                raise self._error("opened", error, hint) from error
        except BaseException:  # of a newer coord; Ctrl-C while another process holds the lock
            self.close()
            raise
        return self

    def _opened_for_reading(self, error: sqlite3.Error | OSError) -> bool:
        """Whether the disk only refuses to be written, and the ledger could be read, into memory."""
        if not is_refusal(error):
            return False
        try:
            self._connection = read_only(self._file)
            self._migrate()
            self._connection.execute("PRAGMA query_only = ON")
        except (sqlite3.Error, OSError):
            self.close()
            return False
        except BaseException:
            self.close()
            raise
        full = why_full(error, self._file)
        self._not_writable = full or (str(error), WRITABLE)
        return True

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        if self._is_counted:
            self._is_counted = False
            with _CONNECTING:
                _CONNECTED[self._file] -= 1

    def add(self, run: Run) -> None:
        """Records the intent to push, before anything is sent."""
        values = to_row(run.fields())
        names = ", ".join(values)
        marks = ", ".join(f":{name}" for name in values)
        with self._transaction() as connection:
            connection.execute(f"INSERT INTO runs ({names}) VALUES ({marks})", values)

    def update(self, run_id: str, *, only_in: Collection[RunState] = tuple(RunState), **changes: Any) -> Run:
        """Sets the named fields of a run and returns it; unless its state is in `only_in`, nothing is set.

        With `only_in`, an answer that a target gave a moment ago does not replace what another process recorded since.
        Raises RunNotFound.
        """
        values = to_row(changes)
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
        if (found := self.known(run_id)) is None:
            raise RunNotFound(f"the ledger has no run {run_id}")
        return found

    def known(self, run_id: str) -> Run | None:
        """The run of that id; None if there is none: another program may have named it."""
        return next(iter(self._query(f"SELECT {WHOLE.select} FROM runs WHERE id = :id", {"id": run_id})), None)

    def runs(
        self, *, experiment: str | None = None, target: str | None = None, hidden: bool = False, brief: bool = False
    ) -> list[Run]:
        """Newest first; with `hidden`, also those that the user has hidden.

        With `brief`, each has only what comparisons need (see rows.py): two thirds of the time, a third of the memory.
        """
        where = (
            " FROM runs WHERE (:experiment IS NULL OR experiment = :experiment)"
            " AND (:target IS NULL OR target = :target) AND (:hidden OR hidden_at IS NULL)"
            " ORDER BY created_at DESC, rowid DESC"
        )
        values = {"experiment": experiment, "target": target, "hidden": hidden}
        if brief:
            runs, unreadable = self._read(f"SELECT {BRIEF.select}{where}", values, BRIEF)
            if not unreadable:
                return runs
        return self._query(f"SELECT {WHOLE.select}{where}", values)

    def experiments(self) -> set[str]:
        """The names of all experiments that have runs, hidden ones too."""
        query = (
            "SELECT DISTINCT experiment FROM runs WHERE typeof(experiment) = 'text'"  # of a damaged row it may be any
        )
        return {row[0] for row in self.statement(query, {})}

    def selected(
        self, which: RunSelection = EVERYTHING, *, sort: str | None = None, most: int | None = None
    ) -> list[Run]:
        """The runs that are asked for, newest first or by `sort` (see selection.order); at most so many.

        The rows of others are not read.
        """
        return self._sound(*self._selected(WHOLE, which, sort, most))

    def short(self, which: RunSelection = EVERYTHING) -> list[Run]:
        """The same, newest first, each with the fields of `rows.SHORT` only: no row is read for them."""
        return self._sound(*self._selected(SHORT, which, None, None))

    def has(self, which: RunSelection = EVERYTHING) -> bool:
        """Whether there is a run that is asked for."""
        where, values = which.where()
        return bool(self.statement(f"SELECT 1 FROM {OF_RUNS} WHERE {where} LIMIT 1", values))

    def _selected(
        self, columns: Columns, which: RunSelection, sort: str | None, most: int | None
    ) -> tuple[list[Run], dict[str, str]]:
        where, values = which.where()
        found = f"{OF_RUNS} WHERE {where} ORDER BY {order(sort)}"
        if sort is not None or most is not None:  # whole rows are not sorted, but those that are left
            values["most"] = -1 if most is None else most
            found = f"runs WHERE rowid IN (SELECT rowid FROM {found} LIMIT :most) ORDER BY {order(sort)}"
        return self._read(f"SELECT {columns.select} FROM {found}", values, columns)

    def find(self, experiment: str, *, target: str | None = None, version: int | None = None) -> Run:
        """The newest run of an experiment that has a version and is not hidden, or the one of that version.

        Raises RunNotFound, with what there is instead.
        """
        every = self.runs(experiment=experiment, target=target, hidden=True)
        runs = [run for run in every if run.version is not None]
        found = [run for run in runs if (run.hidden_at is None if version is None else run.version == version)]
        if found:
            return found[0]
        if runs and version is None:
            raise RunNotFound(
                f'all runs of "{experiment}" are hidden', hint=f"Name its version, or: coord hide --undo {experiment}"
            )
        if runs:
            versions = ", ".join(f"{run.target}-v{run.version}" for run in runs)
            raise RunNotFound(f'"{experiment}" has no run of version {version}', hint=f"It has {versions}.")
        others = sorted({run.experiment for run in self.runs(target=target)})
        push = command_line("coord", "push", "--exp", experiment)
        hint = f"There are runs of {', '.join(others)}." if others else f"Push one: {push}"
        where = f" on {target}" if target else ""
        raise RunNotFound(
            f'no run of "{experiment}"{where}{did_you_mean(experiment, {*others} - {experiment})}', hint=hint
        )

    def moment(self) -> str:
        """The time for a new entry: now, or that of the newest entry if the clock was set back behind it.

        Runs and sweeps are in the order of their times: a new one must not come before what was there.
        """
        with self._transaction() as connection:
            (newest,) = connection.execute(
                "SELECT max(created_at) FROM"
                " (SELECT created_at FROM runs UNION ALL SELECT created_at FROM sweeps"
                "  UNION ALL SELECT created_at FROM submissions UNION ALL SELECT created_at FROM dataset_versions)"
            ).fetchone()
        try:
            datetime.fromisoformat(newest or "")
        except (ValueError, TypeError):  # there is none, or its row is damaged
            return now()
        return max(now(), str(newest))

    def transaction(self) -> contextlib.AbstractContextManager[sqlite3.Connection]:
        """One transaction for everything that is written within it: for several runs, or another module's tables.

        (Each transaction waits for the disk.) Raises LedgerError.
        """
        return self._transaction()

    def _migrate(self) -> None:
        with self._transaction() as connection:
            version = connection.execute("PRAGMA user_version").fetchone()[0]
            if version > len(MIGRATIONS):
                raise LedgerError(
                    f"the ledger {self._file} was written by a newer coord (format {version})", hint="Update coord."
                )
            migrate(connection, version)

    def replace(self, run: Run) -> None:
        """Records a run that was rebuilt, instead of the row that the ledger has under its id."""
        values = to_row(run.fields())
        marks = ", ".join(f":{name}" for name in values)
        with self._transaction() as connection:
            connection.execute(f"INSERT OR REPLACE INTO runs ({', '.join(values)}) VALUES ({marks})", values)

    def statement(self, sql: str, values: Mapping[str, Any]) -> list[sqlite3.Row]:
        """Runs one statement as a transaction and returns its rows: for modules that have a table of their own."""
        row = {name: to_column("", value) for name, value in values.items()}
        with self._transaction() as connection:
            return connection.execute(sql, row).fetchall()

    def unreadable(self) -> dict[str, str]:
        """Run id -> why its row cannot be read."""
        return dict(self._every()[1])

    def readable(self) -> list[Run]:
        """Newest first: all runs whose rows can be read."""
        return list(self._every()[0])

    def _every(self) -> tuple[list[Run], dict[str, str]]:
        """All rows, newest first. They are read again only if anything was written since, from here or elsewhere."""
        try:
            (version,) = self._open.execute("PRAGMA data_version").fetchone()
            state = (version, self._open.total_changes)
            if self._known is None or self._known[0] != state:
                rows = self._open.execute(f"SELECT {WHOLE.select} FROM runs ORDER BY created_at DESC, rowid DESC")
                self._known = (state, readable(rows))
            return self._known[1]
        except sqlite3.Error as error:
            raise self._error("read", error) from error

    def _query(self, sql: str, values: Mapping[str, Any]) -> list[Run]:
        return self._sound(*self._read(sql, values, WHOLE))

    def _read(self, sql: str, values: Mapping[str, Any], columns: Columns) -> tuple[list[Run], dict[str, str]]:
        """The runs of the rows that can be read, and for the others run id -> why not."""
        try:
            return readable(self._open.execute(sql, values), columns)
        except sqlite3.Error as error:
            raise self._error("read", error, _LOOK) from error

    def _sound(self, runs: list[Run], unreadable: Mapping[str, str]) -> list[Run]:
        """The runs. Raises LedgerError if there are rows that cannot be read."""
        for run_id, reason in unreadable.items():
            raise LedgerError(
                f"the ledger {self._file} has a damaged row, run {run_id}: {reason}",
                hint=_LOOK,
            )
        return runs

    def _error(self, done: str, error: Exception, hint: str | None = None) -> LedgerError:
        """The error as a message: a full disk is called that, whatever SQLite calls it."""
        full = why_full(error, self._file)
        why, hint = full or (str(error), hint)
        return LedgerError(f"the ledger {self._file} cannot be {done}: {why}", hint=hint)

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
            connection.execute("BEGIN" if self._not_writable else "BEGIN IMMEDIATE")
            try:
                yield connection
            except BaseException:
                connection.execute("ROLLBACK")
                raise
            connection.execute("COMMIT")
        except sqlite3.Error as error:
            if self._not_writable is None:
                raise self._error("written", error) from error
            why, hint = self._not_writable
            raise LedgerError(f"the ledger {self._file} cannot be written: {why}", hint=hint) from error


def _has_wal(file: Path) -> bool:
    """Whether the file is a database in WAL mode: bytes 18 and 19 of its header (https://sqlite.org/fileformat.html)."""
    try:
        with file.open("rb") as content:
            return content.read(20)[18:] == b"\2\2"
    except FileNotFoundError:
        return False


def connect(file: Path) -> sqlite3.Connection:
    """To a ledger's file, as every connection to it is. Raises sqlite3.Error."""
    # Autocommit mode: transactions begin explicitly, so that a writer takes its lock before it reads.
    connection = sqlite3.connect(file, timeout=30.0, isolation_level=None)
    try:
        connection.row_factory = sqlite3.Row
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
    except UnicodeDecodeError as error:  # SQLite quotes the bytes that it cannot parse
        connection.close()
        raise sqlite3.DatabaseError("malformed database schema") from error
    except BaseException:
        connection.close()
        raise
    return connection


def _ignore_in_git(state: Path) -> None:
    ignore = state / ".gitignore"
    if not ignore.exists():
        write_atomically(ignore, "# What coord remembers about this project on this machine.\n*\n")
