"""What there is of data sets: one on the target, and all of the user's own with what was pushed from here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from coordinator.datasets.ready import refresh, stamps_of
from coordinator.datasets.reference import Reference
from coordinator.errors import NoAccess
from coordinator.ledger import DatasetVersion, dataset_versions
from coordinator.target import Dataset, DatasetState
from coordinator.workspace import Workspace


@dataclass(frozen=True)
class DatasetStatus:
    """A data set as the target has it, beside the newest version that this project pushed."""

    reference: str
    there: Dataset | None
    """None if the target does not have it (any more)."""
    state: DatasetState | None
    """Of its newest version; None if it was not asked for."""
    pushed: DatasetVersion | None
    """None if this project pushed none."""
    digest: str = ""
    """Of the content of its newest version, if that was pushed with coord."""

    def to_json(self) -> dict[str, Any]:
        there = self.there
        return {
            "reference": self.reference,
            "url": there.url if there else None,
            "version": there.newest if there else None,
            "state": self.state,
            "is_private": there.is_private if there else None,
            "size": there.size if there else None,
            "digest": self.digest or None,
            "pushed": self.pushed.to_json() if self.pushed else None,
        }


def dataset_status(workspace: Workspace, reference: str) -> DatasetStatus:
    """Asks for a data set, and records what became of versions whose state was open.

    Raises NoAccess if there is none of that name, and none was pushed from here.
    """
    place = Reference.parse(reference)
    pushed = _pushed(workspace, place.address)
    there = workspace.datasets.dataset(place.address)
    if there is None:
        if pushed is None:
            raise NoAccess(
                f"{workspace.target.name} has no data set {place.address}, or does not show it to you",
                hint=f"Make one of a folder: coord data push DIR {place.address}",
            )
        return DatasetStatus(place.address, None, None, pushed)
    state = workspace.datasets.state(place.address)
    digest = stamps_of(there).get(there.newest, ("", ""))[0]
    return DatasetStatus(place.address, there, state, pushed, digest)


def all_datasets(workspace: Workspace) -> list[DatasetStatus]:
    """The user's data sets on the target, and those that were pushed from here and are not there, by their names."""
    there = {each.reference: each for each in workspace.datasets.mine()}
    ours = {each.reference for each in dataset_versions(workspace.ledger, target=workspace.target.name)}
    return [DatasetStatus(name, there.get(name), None, _pushed(workspace, name)) for name in sorted({*there, *ours})]


def _pushed(workspace: Workspace, address: str) -> DatasetVersion | None:
    """The newest version that was pushed from here, as it is now."""
    rows = dataset_versions(workspace.ledger, target=workspace.target.name, reference=address)
    found = [refresh(workspace, each) if each.state.is_open else each for each in rows]
    return next((each for each in found if each.version is not None), found[0] if found else None)
