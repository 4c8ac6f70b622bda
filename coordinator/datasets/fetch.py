"""The verb data fetch: a version of a data set into a folder, checked and resumed as a run's output is."""

from __future__ import annotations

import functools
import hashlib
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from coordinator.datasets.contents import digest_of
from coordinator.datasets.ready import stamps_of
from coordinator.datasets.reference import Reference
from coordinator.errors import NoAccess, UsageError
from coordinator.files import check_free, held
from coordinator.kaggle_rules import DATASET_MAX
from coordinator.ledger import now
from coordinator.results import PARTS, Results
from coordinator.target import LOCAL, Dataset, Download, OutputFile
from coordinator.text import command_line
from coordinator.transfers import Addresses, Tally, Transfer, arriving
from coordinator.workspace import Workspace

RECORD = ".coord-data.json"
"""Says which version a folder holds, with the size and SHA-256 of each file."""


@dataclass(frozen=True)
class FetchedDataset:
    """A version of a data set on this machine."""

    reference: str
    version: int
    directory: Path
    files: tuple[str, ...]
    transferred: int
    """Bytes; 0 if everything was here already."""
    warnings: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        return {
            "reference": self.reference,
            "version": self.version,
            "directory": str(self.directory),
            "files": list(self.files),
            "transferred": self.transferred,
            "warnings": list(self.warnings),
        }


def fetch_dataset(workspace: Workspace, reference: str, folder: Path) -> FetchedDataset:
    """Brings a version of a data set, the newest if none is named, into a new folder or one that has a part of it.

    What came of a file stays when this is interrupted, and the next fetch goes on there. Raises UsageError if the
    folder has anything else in it, NoAccess if there is no such data set, TargetError, OSError.
    """
    place = Reference.parse(reference)
    there = workspace.datasets.dataset(place.address)
    if there is None:
        raise NoAccess(
            f"{workspace.target.name} has no data set {place.address}, or does not show it to you",
            hint=f"Make it known to it: {command_line('coord', LOCAL, 'add-dataset', place.address, 'DIR')}"
            if workspace.target.abilities.is_on_this_machine
            else "Its name is in the address of its page: kaggle.com/datasets/OWNER/SLUG.",
        )
    version = place.version or there.newest
    if version > there.newest:
        raise NoAccess(
            f"{place.address} has no version {version} on {workspace.target.name}",
            hint=f"Its newest is {there.newest}: {command_line('coord', 'data', 'fetch', place.address, str(folder))}",
        )
    folder = folder.resolve()
    lock = hashlib.sha256(str(folder).encode("utf-8", "surrogateescape")).hexdigest()[:16]
    with held(workspace.project.fetch_lock(lock), wait=True):
        return _Fetch(workspace, place.address, version, folder).all(there)


@dataclass(frozen=True)
class _Fetch:
    """One fetch, under its lock."""

    workspace: Workspace
    address: str
    version: int
    folder: Path

    def all(self, there: Dataset) -> FetchedDataset:
        origin = f"{self.address}/{self.version}"
        results = Results(self.folder, record=RECORD)
        if results.origin() is None:
            check_free(self.folder)
        elif results.origin() != origin:
            raise UsageError(f"{self.folder} holds {results.origin()}", hint="Name a new folder.")
        listed = arriving.Arriving.of(self._listing(), (PARTS, RECORD), ignores_case=False)
        about = {"id": origin, "target": self.workspace.target.name, "fetched_at": now()}
        results.make_room(about)
        if results.ignores_case():
            listed = arriving.Arriving.of(self._listing(), (PARTS, RECORD), ignores_case=True)
        fetched = results.fetched()
        missing = [path for path in listed.files if not results.is_here(path, fetched.get(path))]
        tally = Tally(len(missing), "fetching")
        transfer = Transfer(
            self._open,
            results,
            Addresses(listed.files, lambda: listed.files),
            tally,
            threading.Event(),
            clock=self.workspace.clock,
            most=DATASET_MAX,
        )
        refused: arriving.Refused = {}
        jobs = [functools.partial(arriving.bring_named, transfer, path, refused) for path in missing]
        with self.workspace.progress(tally):
            arriving.run(transfer, jobs, go_on=f"coord data fetch {origin} {self.folder}")
        left_alone = [*arriving.said(listed.left_alone), *arriving.said(refused)]
        results.finish(complete=not left_alone)
        names = tuple(sorted(str(path) for path in listed.files if results.is_here(path, results.fetched().get(path))))
        changed = [] if left_alone or listed.renamed else self._changed(there, results)
        warnings = (*left_alone, *listed.said(), *changed)
        return FetchedDataset(self.address, self.version, self.folder, names, tally.moved, warnings)

    def _listing(self) -> list[OutputFile]:
        files = self.workspace.datasets.files(self.address, self.version)
        return [OutputFile(file.name, url=file.name) for file in files]

    def _open(self, file: OutputFile, *, offset: int = 0) -> Download:
        return self.workspace.datasets.open_file(self.address, self.version, file.name, offset=offset)

    def _changed(self, there: Dataset, results: Results) -> list[str]:
        """A warning if coord pushed this version, and it holds something else now."""
        pushed = stamps_of(there).get(self.version)
        here = ((str(path), kept.size, kept.sha256) for path, kept in results.fetched().items())
        if pushed is None or pushed[0] == digest_of(here):
            return []
        return [
            f"{self.address} v{self.version} does not hold what was pushed: archives were unpacked, or it was changed"
        ]
