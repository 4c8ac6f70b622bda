"""The ledger's record of sweeps, and experiments that have no file because a sweep made them."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from coordinator.errors import UsageError, did_you_mean
from coordinator.experiment import Experiment, derive, resolve
from coordinator.ledger import Ledger, now
from coordinator.project import Project


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
    """What it does (see identical.py), as it was when the sweep began."""
    run_id: str | None = None
    """A run of another name that had done the same work before."""


@dataclass(frozen=True)
class Sweep:
    """Experiments that were asked for together."""

    name: str
    base: str
    target: str
    is_repeat: bool
    """What was run before it began does not count."""
    created_at: str
    members: tuple[Member, ...]


def add(
    ledger: Ledger, name: str, base: str, target: str, members: Sequence[Member], *, is_repeat: bool = False
) -> Sweep:
    """Records a new sweep, before anything of it is pushed."""
    created_at = now()
    with ledger.transaction() as connection:
        connection.execute("INSERT INTO sweeps VALUES (?, ?, ?, ?, ?)", (name, base, target, is_repeat, created_at))
        connection.executemany(
            "INSERT INTO sweep_members VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            [
                (name, at, each.experiment, each.base, json.dumps(each.overrides), each.whole, each.work, each.run_id)
                for at, each in enumerate(members)
            ],
        )
    return Sweep(name, base, target, is_repeat, created_at, tuple(members))


def all_sweeps(ledger: Ledger) -> list[Sweep]:
    """Newest first."""
    with ledger.transaction() as connection:
        rows = connection.execute("SELECT * FROM sweeps ORDER BY created_at DESC, rowid DESC").fetchall()
        return [_sweep(connection, row) for row in rows]


def find(ledger: Ledger, name: str) -> Sweep:
    """Raises UsageError, with what there is instead."""
    found = all_sweeps(ledger)
    for sweep in found:
        if sweep.name == name:
            return sweep
    names = [sweep.name for sweep in found]
    hint = f"There are {', '.join(names[:8])}." if names else "Make one: coord sweep --exp NAME --grid PATH=VALUE,VALUE"
    raise UsageError(f'there is no sweep "{name}"{did_you_mean(name, names)}', hint=hint)


def members(ledger: Ledger) -> list[Member]:
    """Those of all sweeps, each experiment once."""
    found = {member.experiment: member for sweep in all_sweeps(ledger) for member in sweep.members}
    return list(found.values())


def swept(project: Project, name: str) -> Member | None:
    """What the sweeps know of an experiment that has no file."""
    if project.experiment_file(name).is_file() or not project.ledger.is_file():
        return None
    with Ledger(project.ledger) as ledger, ledger.transaction() as connection:
        row = connection.execute("SELECT * FROM sweep_members WHERE experiment = ? LIMIT 1", (name,)).fetchone()
        if row is not None:
            return _member(row)
        row = connection.execute("SELECT * FROM sweep_members WHERE whole = ? LIMIT 1", (name,)).fetchone()
        # The last value that was set is the fold.
        return None if row is None else _whole(_member(row))


def find_experiment(project: Project, name: str, overrides: Sequence[str] = ()) -> Experiment:
    """The experiment of that name: of its file, or as a sweep has made it. Raises ExperimentError."""
    member = swept(project, name)
    if member is None:
        return resolve(project, name, overrides)
    # What its kernel's head tells one to type sets the same values once more.
    return derive(project, name, member.base, tuple(dict.fromkeys([*member.overrides, *overrides])))


def _sweep(connection: sqlite3.Connection, row: sqlite3.Row) -> Sweep:
    rows = connection.execute("SELECT * FROM sweep_members WHERE sweep = ? ORDER BY position", (row["name"],))
    values: dict[str, Any] = {**dict(row), "is_repeat": bool(row["is_repeat"])}
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
