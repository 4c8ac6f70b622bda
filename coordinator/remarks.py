"""Notes and tags in the ledger: of an experiment, or of one of its runs."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Any, Literal

from coordinator.errors import UsageError, did_you_mean
from coordinator.ledger import Ledger, Run, now
from coordinator.printable import clean

LONGEST_TAG = 50
"""Characters: it is to be typed again, and to be seen in a table."""

Kind = Literal["note", "tag"]


@dataclasses.dataclass(frozen=True)
class Remark:
    """One note or tag."""

    experiment: str
    run_id: str | None
    """None: of the experiment, and so of all of its runs."""
    kind: Kind
    text: str
    created_at: str

    def is_of(self, run: Run) -> bool:
        return self.run_id == run.id if self.run_id else self.experiment == run.experiment

    def to_json(self) -> dict[str, Any]:
        return dataclasses.asdict(self)


def said(ledger: Ledger, *, experiment: str | None = None, kind: Kind | None = None) -> list[Remark]:
    """In the order of writing."""
    with ledger.transaction() as connection:
        rows = connection.execute(
            "SELECT experiment, run_id, kind, text, created_at FROM remarks"
            " WHERE (?1 IS NULL OR experiment = ?1) AND (?2 IS NULL OR kind = ?2) ORDER BY number",
            (experiment, kind),
        ).fetchall()
    return [Remark(**dict(row)) for row in rows]


def note(ledger: Ledger, experiment: str, text: str, *, run: Run | None = None) -> None:
    """Adds a note, as one line without control characters. Raises UsageError if it is empty."""
    line = " ".join(clean(" ".join(text.split())).split())
    if not line:
        raise UsageError("the note is empty")
    _add(ledger, experiment, run, "note", line)


def tag(ledger: Ledger, experiment: str, text: str, *, run: Run | None = None) -> None:
    """Adds a tag, unless it is there. Raises UsageError if it is not one word of at most `LONGEST_TAG` characters."""
    if not text or any(not character.isprintable() or character in " ," for character in text):
        raise UsageError(f'"{text}" is no tag: one word without commas')
    if len(text) > LONGEST_TAG:
        raise UsageError(f"a tag has at most {LONGEST_TAG} characters, not {len(text)}", hint="coord note takes more.")
    if text not in _tags(ledger, experiment, run):
        _add(ledger, experiment, run, "tag", text)


def untag(ledger: Ledger, experiment: str, text: str, *, run: Run | None = None) -> None:
    """Removes a tag. Raises UsageError if it is not there."""
    there = _tags(ledger, experiment, run)
    if text not in there:
        has = f"It has {', '.join(there)}." if there else "It has none."
        what = run.label if run is not None else experiment
        raise UsageError(f'{what} has no tag "{text}"{did_you_mean(text, there)}', hint=has)
    with ledger.transaction() as connection:
        connection.execute(
            "DELETE FROM remarks WHERE experiment = ? AND run_id IS ? AND kind = 'tag' AND text = ?",
            (experiment, run.id if run is not None else None, text),
        )


def texts(found: Iterable[Remark], run: Run, kind: Kind) -> list[str]:
    """What is said of a run, or of its experiment; each once."""
    return list(dict.fromkeys(each.text for each in found if each.kind == kind and each.is_of(run)))


def _tags(ledger: Ledger, experiment: str, run: Run | None) -> list[str]:
    run_id = run.id if run is not None else None
    return [each.text for each in said(ledger, experiment=experiment, kind="tag") if each.run_id == run_id]


def _add(ledger: Ledger, experiment: str, run: Run | None, kind: Kind, text: str) -> None:
    with ledger.transaction() as connection:
        connection.execute(
            "INSERT INTO remarks (experiment, run_id, kind, text, created_at) VALUES (?, ?, ?, ?, ?)",
            (experiment, run.id if run is not None else None, kind, text.encode("utf-8", "replace").decode(), now()),
        )
