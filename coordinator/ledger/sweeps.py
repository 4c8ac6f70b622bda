"""The ledger's record of sweeps, and experiments that have no file because a sweep made them."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from coordinator.errors import LedgerError, RunNotFound, UsageError, did_you_mean
from coordinator.ledger.ledger import Ledger, Run
from coordinator.ledger.selection import OF_RUNS, RunSelection, order
from coordinator.ledger.work import work_of
from coordinator.names import is_plain
from coordinator.project import Project, TargetName, recorded_target

if TYPE_CHECKING:
    from coordinator.project import Experiment


@dataclass(frozen=True)
class Member:
    """One experiment of a sweep."""

    experiment: str
    base: str
    """The experiment whose file it starts from."""
    overrides: tuple[str, ...]
    whole: str
    """The experiment that this is one fold of; empty if it is whole."""
    work: str
    """The digest of what it does (see work.py) when the sweep began."""
    run_id: str | None = None
    """A run of another name that had done the same work before the sweep."""


@dataclass(frozen=True)
class Sweep:
    """Experiments that were asked for together."""

    name: str
    base: str
    target: TargetName
    is_repeat: bool
    """Runs from before it began do not count."""
    created_at: str
    members: tuple[Member, ...]

    def to_json(self) -> dict[str, Any]:
        """Everything: the run.json of each of its runs has it, so that a lost ledger can be rebuilt."""
        return asdict(self)


def from_json(data: object) -> Sweep | None:
    """What `to_json` wrote; None if it is anything else, or has names that can be no parts of paths."""
    if not isinstance(data, dict) or not isinstance(data.get("members"), list):
        return None
    try:
        members = [Member(**{**each, "overrides": tuple(each["overrides"])}) for each in data["members"]]
        found = Sweep(**{**data, "target": recorded_target(data["target"]), "members": tuple(members)})
    except (TypeError, KeyError, ValueError):
        return None
    names, texts = [found.name, found.base], [found.created_at]
    for each in members:
        names += [each.experiment, each.base, *filter(None, [each.whole, each.run_id])]
        texts += [each.whole, each.work, *each.overrides]
    is_sound = all(map(is_plain, names)) and all(isinstance(text, str) for text in texts)
    return found if is_sound and isinstance(found.is_repeat, bool) else None


def add(ledger: Ledger, sweep: Sweep) -> None:
    """Records a sweep, before anything of it is pushed; the ledger must have none of its name."""
    name = sweep.name
    row = (name, sweep.base, sweep.target, sweep.is_repeat, sweep.created_at)
    with ledger.transaction() as connection:
        connection.execute("INSERT INTO sweeps VALUES (?, ?, ?, ?, ?)", row)
        connection.executemany(
            "INSERT INTO sweep_members VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            [
                (name, at, each.experiment, each.base, json.dumps(each.overrides), each.whole, each.work, each.run_id)
                for at, each in enumerate(sweep.members)
            ],
        )


def all_sweeps(ledger: Ledger) -> list[Sweep]:
    """Newest first."""
    with ledger.transaction() as connection:
        rows = connection.execute("SELECT * FROM sweeps ORDER BY created_at DESC, rowid DESC").fetchall()
        return [_sweep(connection, row) for row in rows]


@dataclass(frozen=True)
class ListedLine:
    """A line of a list of runs: a run, or a sweep in place of its runs."""

    runs: tuple[str, ...]
    """Ids; of a sweep, of the newest run of each of its experiments that has one, the newest first."""
    sweep: Sweep | None = None


def newest_lines(ledger: Ledger, which: RunSelection, most: int | None, *, active: bool = False) -> list[ListedLine]:
    """The newest lines of the runs that are asked for, at most so many; a sweep is where its newest run is.

    With `active`, older lines follow that have a run with a session. Of the runs behind the last line no row is read.
    """
    with ledger.transaction() as connection:
        found = _lines(connection, which, most)
        if active and most is not None:
            found = list(dict.fromkeys([*found, *_lines(connection, replace(which, active=True), None)]))
        by_name = {name: _named(connection, name) for _, name in found if name}
        names = {member.experiment for sweep in by_name.values() for member in sweep.members}
        own: dict[str, dict[str, str]] = {name: {} for name in by_name}
        for run_id, experiment, name in _swept(connection, replace(which, experiments=names)) if names else ():
            if name in own:
                own[name].setdefault(experiment, run_id)
    return [
        ListedLine(tuple(own[name].values()), by_name[name]) if name else ListedLine((run_id,))
        for run_id, name in found
    ]


def _lines(connection: sqlite3.Connection, which: RunSelection, most: int | None) -> list[tuple[str, str]]:
    """(id of the run, or empty; name of the sweep, or empty) for each line."""
    found: dict[tuple[str, str], None] = {}
    for run_id, _, name in _swept(connection, which):
        found[("", name) if name else (run_id, "")] = None
        if len(found) == most:
            break
    return list(found)


def _swept(connection: sqlite3.Connection, which: RunSelection) -> Iterator[tuple[str, str, str | None]]:
    """(id, experiment, name of the newest sweep that has it) of each run. One that goes on from another, or was merged,
    has another config.
    """
    where, values = which.where()
    query = (
        "SELECT id, experiment, CASE WHEN continues IS NULL AND version IS NOT 0 THEN"
        " (SELECT name FROM sweep_members AS member CROSS JOIN sweeps ON name = member.sweep"
        " WHERE member.experiment = runs.experiment AND sweeps.target = runs.target"
        " ORDER BY sweeps.created_at DESC, sweeps.rowid DESC LIMIT 1) END"
        f" FROM {OF_RUNS} WHERE {where} ORDER BY {order(None)}"
    )
    with contextlib.closing(connection.execute(query, values)) as rows:
        yield from map(tuple, rows)


def _named(connection: sqlite3.Connection, name: str) -> Sweep:
    return _sweep(connection, connection.execute("SELECT * FROM sweeps WHERE name = ?", (name,)).fetchone())


def find_sweep(ledger: Ledger, name: str) -> Sweep:
    """Raises UsageError, with what there is instead."""
    found = all_sweeps(ledger)
    for sweep in found:
        if sweep.name == name:
            return sweep
    names = [sweep.name for sweep in found]
    hint = f"There are {', '.join(names[:8])}." if names else "Make one: coord sweep --exp NAME --grid PATH=VALUE,VALUE"
    raise UsageError(f'there is no sweep "{name}"{did_you_mean(name, names)}', hint=hint)


def sweeps_of(ledger: Ledger, run: Run) -> list[Sweep]:
    """The sweeps of a run, newest first: its experiment is a member, or was split into members, or it did the work."""
    with ledger.transaction() as connection:
        rows = connection.execute(
            "SELECT * FROM sweeps WHERE target = :target AND name IN (SELECT sweep FROM sweep_members"
            " WHERE experiment = :experiment OR whole = :experiment OR run_id = :id)"
            " ORDER BY created_at DESC, rowid DESC",
            {"target": run.target, "experiment": run.experiment, "id": run.id},
        ).fetchall()
        return [_sweep(connection, row) for row in rows]


def run_of(ledger: Ledger, sweep: Sweep, member: Member) -> Run | None:
    """The newest run of the member's own work, or else the earlier run that had done it; None if there is none.

    A run that is hidden did not do it, unless it is still at it.
    """
    for run in ledger.runs(experiment=member.experiment, target=sweep.target, hidden=True):
        if run.counts and not run.is_merged and work_of(run) == member.work:
            return run if not sweep.is_repeat or run.created_at >= sweep.created_at else None
    try:
        earlier = ledger.get(member.run_id) if member.run_id is not None else None
    except RunNotFound:  # the ledger was rebuilt without it
        return None
    return earlier if earlier is not None and earlier.counts else None


def members(ledger: Ledger) -> list[Member]:
    """The members of all sweeps, each experiment once."""
    found = {member.experiment: member for sweep in all_sweeps(ledger) for member in sweep.members}
    return list(found.values())


def swept(project: Project, name: str) -> Member | None:
    """The sweep's member of that name, for an experiment that has no file; None if there is none."""
    if project.experiment_file(name).is_file() or not project.ledger.is_file():
        return None
    with Ledger(project.ledger) as ledger, ledger.transaction() as connection:
        row = connection.execute("SELECT * FROM sweep_members WHERE experiment = ? LIMIT 1", (name,)).fetchone()
        if row is not None:
            return _member(row)
        row = connection.execute("SELECT * FROM sweep_members WHERE whole = ? LIMIT 1", (name,)).fetchone()
        # The last override sets the fold.
        return None if row is None else _whole(_member(row))


def find_experiment(project: Project, name: str, overrides: Sequence[str] = ()) -> Experiment:
    """The experiment of that name, from its file or from a sweep. Raises ExperimentError."""
    from coordinator.project import derive, resolve  # what reads configs; `coord status` folds sweeps without it

    member = swept(project, name)
    if member is None:
        return resolve(project, name, overrides)
    # The command in its kernel's header repeats the member's own overrides.
    return derive(project, name, member.base, tuple(dict.fromkeys([*member.overrides, *overrides])))


def _sweep(connection: sqlite3.Connection, row: sqlite3.Row) -> Sweep:
    rows = connection.execute("SELECT * FROM sweep_members WHERE sweep = ? ORDER BY position", (row["name"],))
    try:
        target = recorded_target(row["target"])
    except ValueError as error:
        raise LedgerError(f"the ledger has a damaged row, sweep {row['name']}: {error}") from error
    values: dict[str, Any] = {**dict(row), "target": target, "is_repeat": bool(row["is_repeat"])}
    return Sweep(**values, members=tuple(_member(each) for each in rows))


def _whole(fold: Member) -> Member:
    return Member(fold.whole, fold.base, fold.overrides[:-1], whole="", work="")


def _member(row: sqlite3.Row) -> Member:
    return Member(
        experiment=row["experiment"],
        base=row["base"],
        overrides=tuple(json.loads(row["overrides"])),
        whole=row["whole"],
        work=row["work"],
        run_id=row["run_id"],
    )
