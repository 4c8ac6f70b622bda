"""Notes and tags in the ledger: of an experiment, or of one of its runs.

They are also written into a file, one line for each change: if the ledger is lost, `coord ledger check --repair` reads
them from there.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Sequence
from operator import itemgetter
from pathlib import Path
from typing import Any, Literal

from coordinator.disk import hint as full_hint
from coordinator.errors import LedgerError, UsageError, did_you_mean
from coordinator.ledger.ledger import Ledger, Run, now
from coordinator.text import clean

LONGEST_TAG = 50
"""Characters: people type tags, and tables show them."""

Kind = Literal["note", "tag"]


@dataclasses.dataclass(frozen=True)
class Remark:
    """One note or tag."""

    experiment: str
    run_id: str | None
    """None: about the experiment, and so about all of its runs."""
    kind: Kind
    text: str
    created_at: str

    def is_of(self, run: Run) -> bool:
        return self.run_id == run.id if self.run_id else self.experiment == run.experiment

    def to_json(self) -> dict[str, Any]:
        return dataclasses.asdict(self)


class Remarks:
    """Remarks by what they are of: `texts` of thousands of runs looks at each remark once."""

    def __init__(self, found: Iterable[Remark]) -> None:
        self._of: dict[tuple[str | None, str | None], list[tuple[int, Remark]]] = {}
        for number, each in enumerate(found):
            key = (each.run_id, None) if each.run_id else (None, each.experiment)
            self._of.setdefault(key, []).append((number, each))

    def texts(self, run: Run, kind: Kind) -> list[str]:
        """The notes or tags of a run and of its experiment, each once, in the order of writing."""
        found = sorted(self._of.get((run.id, None), []) + self._of.get((None, run.experiment), []), key=itemgetter(0))
        return list(dict.fromkeys(each.text for _, each in found if each.kind == kind))


def remarks_of(ledger: Ledger, *, experiment: str | None = None, kind: Kind | None = None) -> list[Remark]:
    """In the order of writing."""
    where = "(:experiment IS NULL OR experiment = :experiment) AND (:kind IS NULL OR kind = :kind)"
    return _found(ledger, where, {"experiment": experiment, "kind": kind})


def remarks_about(ledger: Ledger, runs: Iterable[Run]) -> Remarks:
    """Those of these runs and of their experiments."""
    runs = list(runs)
    # NULL or empty: of the experiment. As one condition it would take no index.
    of = "experiment IN (SELECT value FROM json_each(:experiments)) AND run_id"
    where = f"run_id IN (SELECT value FROM json_each(:ids)) OR ({of} IS NULL) OR ({of} = '')"
    experiments = list({run.experiment for run in runs})
    ids = [run.id for run in runs]
    return Remarks(_found(ledger, where, {"ids": json.dumps(ids), "experiments": json.dumps(experiments)}))


def known_tags(ledger: Ledger) -> set[str]:
    return {row["text"] for row in ledger.statement("SELECT DISTINCT text FROM remarks WHERE kind = 'tag'", {})}


def _found(ledger: Ledger, where: str, values: dict[str, str | None]) -> list[Remark]:
    query = f"SELECT experiment, run_id, kind, text, created_at FROM remarks WHERE {where} ORDER BY created_at, number"
    return [Remark(**dict(row)) for row in ledger.statement(query, values)]


def note(ledger: Ledger, experiment: str, text: str, *, run: Run | None = None, copy: Path | None = None) -> None:
    """Adds a note, as one line without control characters, also to the file `copy`.

    Raises UsageError if it is empty.
    """
    line = " ".join(clean(" ".join(text.split())).split())
    if not line:
        raise UsageError("the note is empty")
    _add(ledger, experiment, run, "note", line, copy)


def tag(ledger: Ledger, experiment: str, text: str, *, run: Run | None = None, copy: Path | None = None) -> None:
    """Adds a tag, unless it is there, also to the file `copy`.

    Raises UsageError if it is not one word of at most `LONGEST_TAG` characters.
    """
    if not text or any(not character.isprintable() or character in " ," for character in text):
        raise UsageError(f'"{text}" is not a tag: a tag is one word without commas')
    if len(text) > LONGEST_TAG:
        raise UsageError(f"a tag has at most {LONGEST_TAG} characters, not {len(text)}", hint="coord note takes more.")
    if text not in _tags(ledger, experiment, run):
        _add(ledger, experiment, run, "tag", text, copy)


def untag(ledger: Ledger, experiment: str, text: str, *, run: Run | None = None, copy: Path | None = None) -> None:
    """Removes a tag, also from the file `copy`. Raises UsageError if it is not there."""
    there = _tags(ledger, experiment, run)
    if text not in there:
        has = f"It has {', '.join(there)}." if there else "It has none."
        what = run.label if run is not None else experiment
        raise UsageError(f'{what} has no tag "{text}"{did_you_mean(text, there)}', hint=has)
    run_id = run.id if run is not None else None
    with ledger.transaction() as connection:
        connection.execute(
            "DELETE FROM remarks WHERE experiment = ? AND run_id IS ? AND kind = 'tag' AND text = ?",
            (experiment, run_id, text),
        )
    if copy is not None:
        keep(copy, [Remark(experiment, run_id, "tag", text, now())], are_removed=True)


def texts(found: Iterable[Remark], run: Run, kind: Kind) -> list[str]:
    """The notes or tags of a run and of its experiment, each once."""
    return list(dict.fromkeys(each.text for each in found if each.kind == kind and each.is_of(run)))


def _tags(ledger: Ledger, experiment: str, run: Run | None) -> list[str]:
    run_id = run.id if run is not None else None
    return [each.text for each in remarks_of(ledger, experiment=experiment, kind="tag") if each.run_id == run_id]


def keep(copy: Path, changes: Sequence[Remark], *, are_removed: bool = False) -> None:
    """Appends to the file that remarks were added, or removed. Raises LedgerError if it cannot be written."""
    lines = [{**each.to_json(), "removed": True} if are_removed else each.to_json() for each in changes]
    try:
        copy.parent.mkdir(parents=True, exist_ok=True)
        with copy.open("a", encoding="utf-8", newline="\n") as file:
            # Each on a line of its own, even if a killed process left the last line unfinished.
            file.write("".join(f"\n{json.dumps(line, ensure_ascii=False)}\n" for line in lines))
    except OSError as error:
        hint = "It is in the ledger; coord ledger check --repair copies it once that file can be written."
        raise LedgerError(
            f"{copy} cannot be written: {error.strerror or error}",
            hint="\n".join(filter(None, [full_hint(error, copy), hint])),
        ) from error


def kept(copy: Path) -> list[Remark]:
    """The remarks of the file, in the order of writing; lines that cannot be read are ignored."""
    try:
        lines = copy.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
    found = list[Remark]()
    for line in lines:
        try:
            values = json.loads(line)
            is_removed = values.pop("removed", False)
            each = Remark(**values)
        except (ValueError, TypeError, AttributeError):
            continue
        if is_removed:
            found = [one for one in found if dataclasses.replace(one, created_at=each.created_at) != each]
        else:
            found.append(each)
    return found


def restore(ledger: Ledger, found: Sequence[Remark]) -> None:
    """Records remarks as they are, in one transaction."""
    with ledger.transaction() as connection:
        connection.executemany(
            "INSERT INTO remarks (experiment, run_id, kind, text, created_at)"
            " VALUES (:experiment, :run_id, :kind, :text, :created_at)",
            [each.to_json() for each in found],
        )


def _add(ledger: Ledger, experiment: str, run: Run | None, kind: Kind, text: str, copy: Path | None) -> None:
    run_id = run.id if run is not None else None
    each = Remark(experiment, run_id, kind, text.encode("utf-8", "replace").decode(), now())
    restore(ledger, [each])
    if copy is not None:
        keep(copy, [each])
