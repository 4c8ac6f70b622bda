"""The verb export: hands the runs that have ended over to the stores of other tools."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from coordinator.errors import UsageError
from coordinator.files import held
from coordinator.handover.choice import ended
from coordinator.handover.destination import Destination, Taken
from coordinator.handover.record import record_of
from coordinator.handover.to_mlflow import MlflowStore
from coordinator.handover.to_tensorboard import TensorboardFolder
from coordinator.handover.to_wandb import WandbFolder
from coordinator.ledger import Run
from coordinator.workspace import Workspace


@dataclass(frozen=True)
class Stores:
    """Which stores are wanted, and where each is."""

    mlflow: str | None = None
    """The address of a server or of a database."""
    tensorboard: Path | None = None
    wandb_offline: Path | None = None
    group: str | None = None
    """MLflow's experiment, Weights & Biases' project; None is the name of the project's folder."""

    def __post_init__(self) -> None:
        """Raises UsageError for an empty name or address."""
        if self.group is not None and not self.group.strip():
            raise UsageError("--under: the name is empty")
        if self.mlflow is not None and not self.mlflow.strip():
            raise UsageError("--mlflow: the address is empty")  # MLflow would take a default of its own

    def open(self, default_group: str) -> list[Destination]:
        """Raises UsageError if no store is wanted, and DependencyError if a store's library is missing."""
        group = self.group or default_group
        found: list[Destination] = []
        if self.mlflow is not None:
            found.append(MlflowStore(self.mlflow, group))
        if self.tensorboard is not None:
            found.append(TensorboardFolder(self.tensorboard))
        if self.wandb_offline is not None:
            found.append(WandbFolder(self.wandb_offline, group))
        if not found:
            raise UsageError("where to? name at least one of --mlflow URI, --tensorboard DIR, --wandb-offline DIR")
        return found


@dataclass(frozen=True)
class HandedOver:
    """A run that a store has now."""

    run: Run
    store: str
    taken: Taken

    def to_json(self) -> dict[str, Any]:
        taken = {"outcome": self.taken.outcome, "place": self.taken.place}
        return {"run": self.run.id, "label": self.run.label, "to": self.store, **taken}


def hand_over(workspace: Workspace, stores: Stores, experiments: Collection[str]) -> Iterator[HandedOver]:
    """Hands the runs of these experiments (or of all) to each store, oldest first, and yields what each has taken.

    Says what a run's record lacks, and which runs have not ended yet. Raises RunNotFound for a name without runs,
    UsageError and DependencyError for the stores, CoordError if one cannot be written.
    """
    runs, active = ended(workspace.ledger, experiments)
    # Two exports at once would both find that a run is not in the store yet.
    with held(workspace.project.export_lock, wait=True):
        destinations = stores.open(workspace.project.root.name)
        for run in runs:
            record = record_of(workspace.project, run)
            for warning in record.warnings:
                workspace.say(f"{run.label}: {warning}")
            for destination in destinations:
                yield HandedOver(run, destination.name, destination.take(record))
    for run in active:
        workspace.say(f"{run.label} {run.state.phrase}: it can be exported when it has ended")
