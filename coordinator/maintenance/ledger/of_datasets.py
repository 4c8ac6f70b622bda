"""Checks the ledger's versions of data sets: unreadable rows, impossible states, versions that it lacks."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

from coordinator.datasets import unknown_version
from coordinator.errors import CoordError
from coordinator.ledger import Ledger, add_dataset_version
from coordinator.maintenance.ledger.problem import NotAsked, Problem
from coordinator.project import is_target_name
from coordinator.target import DatasetState
from coordinator.workspace import Workspace

_TAKEN = (DatasetState.PROCESSING, DatasetState.READY, DatasetState.FAILED)


def check_rows(ledger: Ledger) -> Iterator[Problem]:
    """Of the ledger alone."""
    for row in ledger.statement("SELECT id, target, reference, state, version FROM dataset_versions", {}):
        name = f"version {row['id']} of the data set {row['reference']}"
        if not is_target_name(row["target"]) or row["state"] not in list(DatasetState):
            yield Problem(
                f"the row of {name} does not read",
                "remove it: the target knows what it has, and the next push asks",
                partial(_remove, ledger, row["id"]),
            )
        elif row["state"] in _TAKEN and row["version"] is None:
            yield Problem(
                f"{name} is {row['state']}, but has no number",
                f"set it to {DatasetState.SENDING}: coord data status finds out",
                partial(_reopen, ledger, row["id"]),
            )


def check_target(workspace: Workspace) -> Iterator[Problem | NotAsked]:
    """Versions that coord pushed and the ledger does not have, of what the settings and the runs attach."""
    if not workspace.target.abilities.has_datasets:
        return
    names = [*workspace.project.settings.kernel.dataset_sources]
    for run in workspace.ledger.readable():
        names += run.metadata.get("dataset_sources") or [] if run.target == workspace.target.name else []
    for reference in dict.fromkeys("/".join(str(name).split("/")[:2]) for name in names):
        try:
            found = unknown_version(workspace, reference)
        except CoordError as error:
            what = f"{reference} on {workspace.target.name} could not be asked: {error.what}"
            yield NotAsked(what, error.hint or "Try again later.")
            continue
        if found is not None:
            yield Problem(
                f"{found.label} on {found.target} was pushed with coord, and the ledger does not have it",
                "add it",
                partial(add_dataset_version, workspace.ledger, found),
            )


def _remove(ledger: Ledger, number: Any) -> None:
    ledger.statement("DELETE FROM dataset_versions WHERE id = :id", {"id": number})


def _reopen(ledger: Ledger, number: Any) -> None:
    values = {"id": number, "state": DatasetState.SENDING}
    ledger.statement("UPDATE dataset_versions SET state = :state WHERE id = :id", values)
