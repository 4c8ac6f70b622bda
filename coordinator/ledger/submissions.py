"""The ledger's submissions: what was sent to which competition, and what it scored.

A submission's description holds the run's id and its own: by them it is found on the target if an answer is lost.
"""

from __future__ import annotations

import dataclasses
import re
import sqlite3
import uuid
from typing import Any

from coordinator.errors import LedgerError
from coordinator.kaggle_rules import normal_name
from coordinator.ledger.arrival import NEVER_ARRIVED
from coordinator.ledger.ledger import Ledger
from coordinator.project import TargetName, recorded_target
from coordinator.target import SubmissionState


@dataclasses.dataclass(frozen=True)
class Submission:
    """One row: one file that was sent, or was about to be sent, to a competition."""

    id: str
    run_id: str
    target: TargetName
    competition: str
    file_name: str
    sha256: str
    """Of the file; empty if the submission was added from the target."""
    is_upload: bool
    """The file itself was sent, instead of the kernel's version."""
    description: str
    """As on the target, with the stamp at its end."""
    state: SubmissionState
    created_at: str
    """ISO 8601, UTC, as all times here."""
    ref: int | None = None
    """The target's number for it."""
    public: float | None = None
    private: float | None = None
    message: str = ""
    """For people: why it was refused or could not be scored. Nothing is decided by it."""
    scored_at: str | None = None
    """When coord first saw its score."""
    never_arrived: bool = False
    """It was given up: it did not appear on the target for as long as it may take. (It may all the same, later.)"""

    def __post_init__(self) -> None:
        object.__setattr__(self, "competition", normal_name(self.competition))

    def to_json(self) -> dict[str, Any]:
        return dataclasses.asdict(self)


def new_submission_id() -> str:
    return uuid.uuid4().hex[:8]


def stamp(run_id: str, submission_id: str) -> str:
    """What a description ends with: `(coord 13fc23ef3e524867-1a2b3c4d)`."""
    return f"(coord {run_id}-{submission_id})"


def stamped(description: str) -> tuple[str, str] | None:
    """(run's id, submission's id) that a description is stamped with."""
    found = re.search(r"\(coord ([0-9a-f]{16})-([0-9a-f]{8})\)", description)
    return (found[1], found[2]) if found else None


_FLAGS = ("is_upload", "never_arrived")


def add(ledger: Ledger, submission: Submission) -> None:
    """Records the intent to submit, before anything is sent."""
    values = dataclasses.asdict(submission)
    names, marks = ", ".join(values), ", ".join(f":{name}" for name in values)
    ledger.statement(f"INSERT INTO submissions ({names}) VALUES ({marks})", values)


def update(ledger: Ledger, submission: Submission, **changes: Any) -> Submission:
    """Sets the named fields, and returns the submission with them."""
    assignments = ", ".join(f"{name} = :{name}" for name in changes)
    ledger.statement(f"UPDATE submissions SET {assignments} WHERE id = :id", {**changes, "id": submission.id})
    return dataclasses.replace(submission, **changes)


def give_up(ledger: Ledger, submission: Submission) -> Submission:
    """Records that it never arrived."""
    return update(ledger, submission, state=SubmissionState.REFUSED, never_arrived=True, message=NEVER_ARRIVED)


def all_submissions(ledger: Ledger, *, target: str | None = None, competition: str | None = None) -> list[Submission]:
    """Newest first. (Rows of an older coord have the competition's name as it was typed.)"""
    rows = ledger.statement(
        "SELECT * FROM submissions WHERE (:target IS NULL OR target = :target)"
        " AND (:competition IS NULL OR competition = :competition COLLATE NOCASE) ORDER BY created_at DESC, rowid DESC",
        {"target": target, "competition": competition},
    )
    return [_submission(row) for row in rows]


def _submission(row: sqlite3.Row) -> Submission:
    values = {**dict(row), **{name: bool(row[name]) for name in _FLAGS}}
    try:
        parsed = {"target": recorded_target(row["target"]), "state": SubmissionState(row["state"])}
    except ValueError as error:
        raise LedgerError(f"the ledger has a damaged row, submission {row['id']}: {error}") from error
    return Submission(**{**values, **parsed})
