"""What a live check has made, in a file that is written before each thing is made: nothing is forgotten, nor deleted
that was not made by a check.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from coordinator.errors import CoordError, TargetError
from coordinator.files import write_atomically
from coordinator.target import Target, Wire, wire_of

PREFIX = "coord-live-check-"
"""Begins the slug of everything that a check makes."""
MARK = "# coord live-check"
"""Begins the source of each of its kernels."""


@dataclass(frozen=True)
class Thing:
    kind: Literal["kernel", "data set"]
    reference: str
    """owner/slug"""

    def __str__(self) -> str:
        return f"{self.kind} {self.reference}"


class MadeThings:
    """The things of one target, in the order in which they were made."""

    def __init__(self, file: Path) -> None:
        """Reads what an earlier check left. Raises TargetError for a file that is none of ours."""
        self._file = file
        self._things: dict[Thing, None] = {}
        if file.is_file():
            try:
                rows = json.loads(file.read_text(encoding="utf-8"))
                self._things = dict.fromkeys(Thing(row["kind"], row["reference"]) for row in rows)
            except (ValueError, KeyError, TypeError) as error:
                hint = f"Look on the target for what begins with {PREFIX}, and remove the file."
                raise TargetError(f"{file} cannot be read: {error}", hint=hint) from error

    def all(self) -> tuple[Thing, ...]:
        return tuple(self._things)

    def note(self, thing: Thing) -> None:
        """Before it is made, so that it is known if the answer is lost."""
        self._things[thing] = None
        self._write()

    def forget(self, thing: Thing) -> None:
        self._things.pop(thing, None)
        self._write()

    def delete_all(self, target: Target, say: Callable[[str], None]) -> None:
        """Deletes the things, with a message about each; those that are still there are not forgotten."""
        for thing in reversed(self.all()):
            try:
                delete(target, thing)
            except CoordError as error:
                say(f"{thing} was not deleted: {error.what}")
            else:
                say(f"{thing} is deleted")
                self.forget(thing)

    def _write(self) -> None:
        rows = [{"kind": thing.kind, "reference": thing.reference} for thing in self._things]
        if rows:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(self._file, json.dumps(rows, indent=2) + "\n", durable=True)
        else:
            self._file.unlink(missing_ok=True)


def delete(target: Target, thing: Thing) -> None:
    """Deletes it, and asks whether it is gone; what is not there counts as deleted.

    Raises TargetError for what a check cannot have made, and for what is still there.
    """
    owner, _, slug = thing.reference.partition("/")
    if thing.kind == "data set":
        if not _is_there(target, thing):
            return
        if not slug.startswith(PREFIX):
            raise TargetError("its name is not a check's")
        _delete_dataset(wire_of(target), owner, slug)
    else:
        found = target.source(owner, slug)
        if found is None:
            return
        if not found[1].startswith(MARK):
            raise TargetError("its source is not a check's")
        target.delete(owner, slug)
    if _is_there(target, thing):
        raise TargetError(f"{target.name} took the request, and still has it")


def _is_there(target: Target, thing: Thing) -> bool:
    if thing.kind == "data set":
        return target.datasets.dataset(thing.reference) is not None
    owner, _, slug = thing.reference.partition("/")
    return target.source(owner, slug) is not None


def _delete_dataset(wire: Wire, owner: str, slug: str) -> None:
    reply = wire.call("datasets.DatasetApiService/DeleteDataset", {"ownerSlug": owner, "datasetSlug": slug})
    if reply.refusal:
        raise TargetError(reply.refusal)
