"""A run, and its row in the ledger."""

from __future__ import annotations

import dataclasses
import json
import sqlite3
from collections.abc import Callable, Iterable, Mapping
from types import NoneType
from typing import Any

from coordinator.errors import LedgerError, RunFailed
from coordinator.results import Event, Summary
from coordinator.target import KernelRef, RunState

MERGED = 0
"""The version of a run that was put together of others (see merge_folds.py): Kaggle counts from 1."""


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
    last_event: Event | None = None
    """The last epoch (or later) event seen in its log."""
    summary: Summary | None = None
    """metrics.json, once fetched."""
    continues: str | None = None
    """Id of the run whose output it goes on from (see continuation.py)."""

    @property
    def reported(self) -> Summary:
        """Its summary, or an empty one if there is none."""
        return self.summary or _NOTHING

    @property
    def end(self) -> Event | None:
        """The event that its program ended with; None if its log has none, or was not read so far."""
        return self.last_event if self.last_event and self.last_event.kind == "end" else None

    @property
    def results_version(self) -> int:
        """The version that its folder of results is named by: a merged run has one, too, but no kernel (see `ref`)."""
        if self.version is None:
            raise LedgerError(f"run {self.id} of {self.experiment} has no version yet", hint="Run: coord status")
        return self.version

    @property
    def ref(self) -> KernelRef:
        version = self.results_version
        if version == MERGED:
            raise RunFailed(
                f"{self.label} was {self.message}: it has no kernel of its own",
                hint="The runs of the folds have theirs.",
            )
        return KernelRef(self.owner, self.slug, version)

    @property
    def label(self) -> str:
        """As people name it: `smoke local-v3`."""
        return f"{self.experiment} {self.target}-v{self.version if self.version is not None else '?'}"

    def to_json(self) -> dict[str, Any]:
        return {name: value.to_json() if name in _PARSED and value else value for name, value in vars(self).items()}


_NOTHING = Summary.parse({})
_PARSED: dict[str, Callable[[Any], Any]] = {"last_event": Event.parse, "summary": Summary.parse}
"""The fields that are values parsed from JSON, and how they are parsed."""
_JSON_COLUMNS: dict[str, type | tuple[type, ...]] = {
    "config": dict,
    "metadata": dict,
    "overrides": list,
    "last_event": (dict, NoneType),
    "summary": (dict, NoneType),
    "files": dict,
}


def to_row(values: Mapping[str, Any]) -> dict[str, Any]:
    """Fields of a run as the ledger's columns hold them."""
    return {name: to_column(name, value) for name, value in values.items()}


def to_column(name: str, value: Any) -> Any:
    """One of them; a name that is no field of a run's is a plain value's."""
    if name in _JSON_COLUMNS and value is not None:
        return json.dumps(value.to_json() if name in _PARSED else value)
    # A target's message may hold half a character, which SQLite does not take.
    return value.encode("utf-8", "replace").decode("utf-8") if type(value) is str else value


def to_run(row: sqlite3.Row) -> Run:
    """Raises ValueError or TypeError if it is none."""
    values = dict(row)
    for name in _JSON_COLUMNS:
        if values.get(name) is not None:
            values[name] = json.loads(values[name])
    for name, kind in _JSON_COLUMNS.items():
        if name in values and not isinstance(values[name], kind):
            raise TypeError(f"{name} is not of the kind that it should be")
    for name, parse in _PARSED.items():
        if values.get(name) is not None:
            values[name] = parse(values[name])
    return Run(**{**values, "state": RunState(values["state"])})


def blanked(row: sqlite3.Row) -> dict[str, str | None]:
    """Of a row that does not read: the columns that are to blame, and what they can be set to, as they are stored."""
    found: dict[str, str | None] = {}
    for name, kind in _JSON_COLUMNS.items():
        try:
            is_sound = isinstance(None if row[name] is None else json.loads(row[name]), kind)
        except (ValueError, TypeError):
            is_sound = False
        if not is_sound:
            found[name] = None if isinstance(kind, tuple) else json.dumps(kind())
    if "metadata" in found:  # what every run's has
        found["metadata"] = json.dumps({"id": f"{row['owner']}/{row['slug']}", "code_file": "kernel.py"})
    if row["state"] not in tuple(RunState):
        found["state"] = RunState.PUSHING if row["version"] is None else RunState.QUEUED
    return found


def readable(rows: Iterable[sqlite3.Row]) -> tuple[list[Run], dict[str, str]]:
    """The rows that are runs, and of the others the id and what is wrong."""
    runs, unreadable = [], {}
    for row in rows:
        try:
            runs.append(to_run(row))
        except (ValueError, TypeError) as error:
            unreadable[str(row["id"])] = str(error)
    return runs, unreadable
