"""Which runs are asked for, and in which order, in SQL: what shows N runs reads N rows of the table.

The index `runs_to_list` (see migrations.py) has the short columns of all runs. SQLite filters and orders by it, and
looks only the rows up that are left. The primary metric is in columns of its own, which `rows.to_row` fills: no
expression of SQL finds it in every summary.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from coordinator.target import RunState

_NEWEST_FIRST = "created_at DESC, rowid DESC"
OF_RUNS = "runs INDEXED BY runs_to_list"
"""The table, read by that index also where SQLite would guess that another one is better."""

SORT_KEYS = {
    "run": "experiment || ' ' || target || '-v' || ifnull(version, '?')",
    "primary": "primary_name",
    "mode": "primary_mode",
    "value": "primary_value",
    **{
        name: name
        for name in (
            *("id", "experiment", "target", "version", "state", "message", "digest", "git", "created_at", "sent_at"),
            *("pushed_at", "started_at", "ended_at", "fetched_at", "continues", "hidden_at"),
            *("never_arrived", "stop_requested"),
        )
    },
}
"""The columns of `coord runs` that SQLite can order by -> how. (Numbers come before texts there, as in listing.py.)"""

_ACTIVE = ", ".join(f"'{state}'" for state in RunState if state.is_active)
_HAS_TAG = """(
    id IN (SELECT run_id FROM remarks WHERE kind = 'tag' AND text = :tag{0} AND run_id != '')
    OR experiment IN (SELECT experiment FROM remarks WHERE kind = 'tag' AND text = :tag{0} AND ifnull(run_id, '') = '')
)"""


@dataclass(frozen=True)
class RunSelection:
    """The runs that are asked for; a field that is left out takes all."""

    experiments: Collection[str] | None = None
    """Names."""
    target: str | None = None
    version: int | None = None
    state: str | None = None
    tags: tuple[str, ...] = ()
    """A run, or its experiment, must have all of them."""
    active: bool = False
    """Only those that have a session, or wait for one."""
    hidden: bool = True
    """Whether hidden runs are among them; those with a session are always (see `Run.counts`)."""

    def where(self) -> tuple[str, dict[str, Any]]:
        """The condition, and its values."""
        values: dict[str, Any] = {
            name: value
            for name, value in (("target", self.target), ("version", self.version), ("state", self.state))
            if value is not None
        }
        conditions = [f"{name} = :{name}" for name in values]
        if self.experiments is not None:
            conditions.append("experiment IN (SELECT value FROM json_each(:experiments))")
            values["experiments"] = json.dumps(list(self.experiments))
        for number, tag in enumerate(self.tags):
            conditions.append(_HAS_TAG.format(number))
            values[f"tag{number}"] = tag
        if not all(map(_can_be_stored, values.values())):
            return "0", {}
        if self.active:
            conditions.append(f"state IN ({_ACTIVE})")
        if not self.hidden:
            conditions.append(f"(hidden_at IS NULL OR state IN ({_ACTIVE}))")
        return " AND ".join(conditions) or "1", values


EVERYTHING = RunSelection()


def order(sort: str | None) -> str:
    """What to order by: the newest first; or one of `SORT_KEYS`, or `-NAME` from the highest down.

    What has no value comes last.
    """
    if sort is None:
        return _NEWEST_FIRST
    key = SORT_KEYS[sort.removeprefix("-")]
    return f"({key}) IS NULL, {key}{' DESC' if sort.startswith('-') else ''}, {_NEWEST_FIRST}"


def setting(name: str) -> str | None:
    """What SQLite selects of a setting (`config.optim.lr`): its type in JSON, and its value.

    The type is NULL where it is not there, and `unknown` where SQLite cannot parse the text: JSON has no NaN.

    None if no path of SQLite's says which setting that is, or if the name is none. (A dot parts keys: keys that have
    one are found only where no nested setting has that name.)
    """
    column, _, path = name.partition(".")
    if column not in ("config", "metadata") or not path.isprintable() or set(path) & {*"\"'\\"}:
        return None
    steps = "".join(f'."{step}"' for step in path.split("."))
    known = f"CASE WHEN json_valid({column}) THEN"
    return f"{known} json_type({column}, '${steps}') ELSE 'unknown' END, {known} json_extract({column}, '${steps}') END"


def _can_be_stored(value: Any) -> bool:
    """Whether SQLite takes a value: an unusual argument of a command is no name of anything, and no error."""
    if isinstance(value, int):
        return abs(value) < 2**63
    return bool(value == value.encode(errors="replace").decode())
