"""The ledger's versions of data sets: what was sent to which data set, and whether sessions get it yet.

A version's notes (the description, of the first version) hold the digest of its content and its id: by them it is found
on the target if an answer is lost, and by other projects and machines that would send the same.
"""

from __future__ import annotations

import dataclasses
import re
import sqlite3
import uuid
from collections.abc import Iterable
from typing import Any

from coordinator.errors import LedgerError
from coordinator.kaggle_rules import normal_name
from coordinator.ledger.arrival import NEVER_ARRIVED
from coordinator.ledger.ledger import Ledger
from coordinator.project import TargetName, recorded_target
from coordinator.target import DatasetState


@dataclasses.dataclass(frozen=True)
class DatasetVersion:
    """One row: one version that was sent, or was about to be sent, or was found on the target."""

    id: str
    target: TargetName
    reference: str
    """owner/slug"""
    digest: str
    """Of its content: see datasets.contents."""
    files: int
    size: int
    """Bytes of all files."""
    state: DatasetState
    created_at: str
    """ISO 8601, UTC, as all times here."""
    version: int | None = None
    before: int = 0
    """The newest version that the target had before this one; 0 if there was no such data set."""
    sent_at: str | None = None
    """When its request was last on its way."""
    ready_at: str | None = None
    """When coord first saw that it was ready."""
    message: str = ""
    """For people: why it was refused, or could not be processed. Nothing is decided by it."""
    never_arrived: bool = False
    """It was given up: it did not appear on the target for as long as it may take. (It may all the same, later.)"""

    def __post_init__(self) -> None:
        object.__setattr__(self, "reference", normal_name(self.reference))

    @property
    def label(self) -> str:
        return self.reference if self.version is None else f"{self.reference} v{self.version}"

    def to_json(self) -> dict[str, Any]:
        return dataclasses.asdict(self)


def new_dataset_version_id() -> str:
    return uuid.uuid4().hex[:8]


def dataset_stamp(digest: str, number: str) -> str:
    """What a version's notes end with: `(coord sha256:... 1a2b3c4d)`."""
    return f"(coord {digest} {number})"


def stamped_dataset(notes: str) -> tuple[str, str] | None:
    """(digest of the content, id of the version) that notes are stamped with; of several stamps, the last."""
    found = re.findall(r"\(coord (sha256:[0-9a-f]{64}) ([0-9a-f]{8})\)", notes)
    return found[-1] if found else None


def add_dataset_version(ledger: Ledger, each: DatasetVersion) -> DatasetVersion:
    """Records the intent to send it, before anything is sent; or a version that was found."""
    values = dataclasses.asdict(each)
    names, marks = ", ".join(values), ", ".join(f":{name}" for name in values)
    ledger.statement(f"INSERT INTO dataset_versions ({names}) VALUES ({marks})", values)
    return each


def update_dataset_version(ledger: Ledger, each: DatasetVersion, **changes: Any) -> DatasetVersion:
    """Sets the named fields, and returns the version with them."""
    assignments = ", ".join(f"{name} = :{name}" for name in changes)
    ledger.statement(f"UPDATE dataset_versions SET {assignments} WHERE id = :id", {**changes, "id": each.id})
    return dataclasses.replace(each, **changes)


def give_up_dataset_version(ledger: Ledger, each: DatasetVersion) -> DatasetVersion:
    """Records that it never arrived."""
    return update_dataset_version(ledger, each, state=DatasetState.REFUSED, never_arrived=True, message=NEVER_ARRIVED)


def dataset_versions(
    ledger: Ledger, *, target: str | None = None, reference: str | None = None
) -> list[DatasetVersion]:
    """Newest first."""
    rows = ledger.statement(
        "SELECT * FROM dataset_versions WHERE (:target IS NULL OR target = :target)"
        " AND (:reference IS NULL OR reference = :reference) ORDER BY created_at DESC, rowid DESC",
        {"target": target, "reference": None if reference is None else normal_name(reference)},
    )
    return [_version(row) for row in rows]


def newest_of_each(versions: Iterable[DatasetVersion]) -> dict[tuple[str, str], DatasetVersion]:
    """(target, reference) -> the newest version that the target has taken; `versions` are the newest first."""
    found: dict[tuple[str, str], DatasetVersion] = {}
    for each in versions:
        if each.version is not None and each.state in (DatasetState.PROCESSING, DatasetState.READY):
            found.setdefault((each.target, each.reference), each)
    return found


def _version(row: sqlite3.Row) -> DatasetVersion:
    values = {**dict(row), "never_arrived": bool(row["never_arrived"])}
    try:
        parsed = {"target": recorded_target(row["target"]), "state": DatasetState(row["state"])}
    except ValueError as error:
        raise LedgerError(f"the ledger has a damaged row, data set version {row['id']}: {error}") from error
    return DatasetVersion(**{**values, **parsed})
