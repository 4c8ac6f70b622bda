"""A run's row in the ledger: written, and read. Of many rows, most of what they hold is never asked for.

Columns that differ in all rows are parsed when their field is first used. SQLite checks them, and cuts out of each
summary what is asked for of many runs at a time: it does both several times as fast as Python.
"""

from __future__ import annotations

import functools
import json
import sqlite3
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields
from types import NoneType
from typing import Any

from coordinator.kaggle_rules import normal_metadata
from coordinator.kernel import Source
from coordinator.ledger.run import Run, normal_fields, plain_field
from coordinator.project import recorded_target
from coordinator.results import JSON_MAX, Event, Summary
from coordinator.target import RunState

_PARSED: dict[str, Callable[[Any], Any]] = {
    "last_event": Event.parse,
    "summary": Summary.parse,
    "lacks": tuple,
    "reads": Source.parse_all,
    "metadata": normal_metadata,
}
"""The fields that are values parsed from JSON, and how they are parsed."""
_JSON_COLUMNS: dict[str, type | tuple[type, ...]] = {
    "config": dict,
    "metadata": dict,
    "overrides": list,
    "last_event": (dict, NoneType),
    "summary": (dict, NoneType),
    "files": dict,
    "launch": dict,
    "lacks": list,
    "reads": list,
}
_FLAGS = ("never_arrived", "stop_requested")


def to_row(values: Mapping[str, Any]) -> dict[str, Any]:
    """Fields of a run as the ledger's columns hold them; with a summary, also what runs are sorted by of it."""
    row = {name: to_column(name, value) for name, value in values.items()}
    return row | primary_columns(row["summary"]) if "summary" in row else row


def primary_columns(stored: Any) -> dict[str, Any]:
    """The columns with the primary metric of a summary, which is as its column holds it; None where it has none."""
    try:
        summary = _parsed("summary", stored)
    except (ValueError, TypeError, RecursionError):  # a damaged row, which says so where it is read
        summary = None
    primary = summary.primary if summary is not None else None
    values = (primary.name, primary.mode or None, summary.primary_value) if primary else (None, None, None)
    names = ("primary_name", "primary_mode", "primary_value")
    return {name: to_column("", value) for name, value in zip(names, values, strict=True)}


def to_column(name: str, value: Any) -> Any:
    """One field's value as its column holds it."""
    if name in _JSON_COLUMNS and value is not None:
        return json.dumps(plain_field(value))
    # A target's message may hold half a character, which SQLite does not take.
    return value.encode("utf-8", "replace").decode("utf-8") if type(value) is str else value


def _parsed(name: str, stored: Any) -> Any:
    """The value of a JSON column. Raises ValueError or TypeError if it is damaged."""
    parse, kind = _PARSED.get(name), _JSON_COLUMNS[name]
    # An older coord took in summaries of any size: such a run counts as one without.
    is_kept = stored is not None and (kind in (dict, list) or len(stored) <= JSON_MAX)
    value = json.loads(stored) if is_kept else None
    if not isinstance(value, kind):
        raise TypeError(f"{name} has a value of another type than it should")
    return value if parse is None or value is None else parse(value)


_REPORTED = ("status", "seconds", "primary", "metrics", "repeats", "merged")
"""The parts of a summary that are asked for of many runs at a time."""


@dataclass(frozen=True)
class Columns:
    """Which columns are read, and how."""

    own: tuple[str, ...]
    shared: tuple[str, ...]
    """Those in which many rows have the same: their values are shared, as nobody changes a run's."""
    later: tuple[str, ...] = ()
    """Those that are parsed when they are asked for."""
    has_report: bool = True
    """Whether the summary is there, as far as many runs are asked for it."""

    @functools.cached_property
    def select(self) -> str:
        """What to select of the table runs."""
        if not self.has_report:
            return ", ".join((*self.own, *self.shared))
        parts = f"json_extract(summary, {', '.join(repr(f'$.{name}') for name in _REPORTED)})"
        # Empty without a summary, and NULL where SQLite does not take it.
        cut_out = f"CASE WHEN summary IS NULL THEN '' WHEN {_is_object('summary')} THEN {parts} END"
        checks = [_is_object("config")]
        if "last_event" in self.later:
            checks.append(f"(last_event IS NULL OR {_is_object('last_event')})")
        return ", ".join((*self.own, *self.later, cut_out, " AND ".join(checks), *self.shared))

    @functools.cached_property
    def fields(self) -> tuple[str, ...]:
        """Where a run has the values of its row, up to those that are shared."""
        report = ("_reported", "_is_sound") if self.has_report else ()
        return (*self.own, *(f"_{name}" for name in self.later), *report)


WHOLE = Columns(
    own=(
        *("id", "experiment", "version", "digest", "git", "url", "message", "timeout_seconds", "continues"),
        *("hidden_at", "created_at", "sent_at", "pushed_at", "started_at", "ended_at", "fetched_at", "attempts"),
    ),
    shared=(
        *("target", "owner", "slug", "state", "never_arrived", "stop_requested"),
        *("metadata", "overrides", "files", "launch", "lacks", "reads"),
    ),
    later=("config", "last_event", "summary"),
)
BRIEF = Columns(
    own=("id", "experiment", "version", "continues", "hidden_at", "created_at", "fetched_at"),
    shared=("target", "state", "overrides", "files"),
    later=("config",),
)
"""What a comparison needs of every run of the ledger. Another field of such a run is an AttributeError."""
SHORT = Columns(
    own=("id", "experiment", "version", "continues", "hidden_at", "created_at", "fetched_at"),
    shared=("target", "owner", "slug", "state"),
    has_report=False,
)
"""What the index `runs_to_list` has: thousands of such runs are read without their rows."""


def _is_object(column: str) -> str:
    """SQL: whether a column holds the text of a JSON object that is read. (Of a BLOB, `json_valid` is an error.)"""
    size = f"length(CAST({column} AS BLOB))"  # that of a text is counted
    return (
        f"CASE WHEN typeof({column}) = 'text' AND {column} GLOB '{{*' AND {size} <= {JSON_MAX}"
        f" THEN json_valid({column}) ELSE 0 END"
    )


class _Later:
    """A field that a row of the ledger has as text, or does not have. What a run itself has goes before it."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __get__(self, run: Run | None, _: type[Run]) -> Any:
        if run is None:
            return self
        there, found = vars(run), None
        if self._name == "summary" and "_reported" in there:
            if there["_reported"]:
                found = Summary(there.get("_summary", ""), _REPORTED, there["_reported"])
        elif f"_{self._name}" in there:
            found = _parsed(self._name, there[f"_{self._name}"])
        else:
            raise AttributeError(f"the {self._name} of run {run.id} was not read: see BRIEF and SHORT")
        there[self._name] = found
        return found


for _field in fields(Run):
    setattr(Run, _field.name, _Later(_field.name))


def to_run(row: sqlite3.Row, columns: Columns = WHOLE) -> Run:
    """Raises ValueError or TypeError if the row is damaged; a brief one also if SQLite does not find it sound."""
    # Not by __init__, which sets one field after the other past the frozen class: most of the time to read a row.
    run = object.__new__(Run)
    there = vars(run)
    there.update(zip(columns.fields, row, strict=False))
    there.update(_shared(columns.shared, row[len(columns.fields) :]))
    if columns.has_report and (not there["_is_sound"] or there["_reported"] is None):
        if columns is BRIEF:
            raise ValueError("it has to be read whole")
        there.update({name: _parsed(name, there[f"_{name}"]) for name in columns.later})
    return run


@functools.lru_cache(maxsize=1024)
def _shared(names: tuple[str, ...], columns: tuple[Any, ...]) -> dict[str, Any]:
    values = dict(zip(names, columns, strict=True))
    values |= {name: _parsed(name, value) for name, value in values.items() if name in _JSON_COLUMNS}
    values |= {name: bool(values[name]) for name in _FLAGS if name in values}
    values |= {"target": recorded_target(values["target"]), "state": RunState(values["state"])}
    return values | normal_fields(values)


def blanked(row: sqlite3.Row) -> dict[str, str | None]:
    """The damaged columns of a row, each with a value, as stored, that it can be reset to."""
    found: dict[str, str | None] = {}
    for name, kind in _JSON_COLUMNS.items():
        try:
            value = None if row[name] is None else json.loads(row[name])
            is_sound = isinstance(value, kind)
            if is_sound and value is not None and name in _PARSED:
                _PARSED[name](value)
        except (ValueError, TypeError):
            is_sound = False
        if not is_sound:
            found[name] = None if isinstance(kind, tuple) else json.dumps(kind())
    if "metadata" in found:  # with the keys that every run has
        found["metadata"] = json.dumps({"id": f"{row['owner']}/{row['slug']}", "code_file": "kernel.py"})
    if row["state"] not in tuple(RunState):
        found["state"] = RunState.PUSHING if row["version"] is None else RunState.QUEUED
    return found


def readable(rows: Iterable[sqlite3.Row], columns: Columns = WHOLE) -> tuple[list[Run], dict[str, str]]:
    """The runs of the sound rows, and for the damaged ones run id -> what is wrong."""
    runs, unreadable = [], {}
    for row in rows:
        try:
            runs.append(to_run(row, columns))
        except (ValueError, TypeError) as error:
            unreadable[str(row["id"])] = str(error)
    return runs, unreadable
