"""A run's folder below results/: which run it belongs to, which of its output files are here, parts of other files.

`run.json` has the run's id and origin, and the size and SHA-256 of each output file that is here. During a fetch, each
file is first recorded in `.parts/fetched.jsonl`, so that a fetch that was killed continues where it stopped. The name
of a part is made from the name of the file and from the state of that file, so that a later process finds it.
"""

from __future__ import annotations

import errno
import functools
import hashlib
import json
import os
import shutil
import threading
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from coordinator.files import write_atomically
from coordinator.names import confined, is_plain
from coordinator.system import remove, replace

RUN = "run.json"
SUMMARY = "metrics.json"
LOG_TEXT, LOG_RECORDS = "kernel.log", "kernel.log.json"
PARTS, _JOURNAL = ".parts", "fetched.jsonl"


@dataclass(frozen=True)
class Kept:
    """An output file as it was fetched."""

    size: int
    sha256: str


class Results:
    """The folder of one run's results. One process at a time changes it (`Project.fetch_lock`), in threads."""

    def __init__(self, directory: Path, *, record: str = RUN) -> None:
        """`record` is the name of the file that says what the folder holds."""
        self.directory = directory
        self._record = record
        self._parts = directory / PARTS
        self._lock = threading.Lock()

    @functools.cached_property
    def _unfinished(self) -> dict[str, Path]:
        """The parts that were here when they were first asked for: who only looks at a folder asks for none."""
        return {part.name.partition("-")[0]: part for part in self._parts.glob("*-*.part")}

    def make_room(self, provenance: Mapping[str, Any]) -> None:
        """Creates the folder and writes its run.json. `provenance` has the run's `id`.

        The results of another run are renamed first: a deleted kernel counts its versions from 1 again.
        """
        self.directory.mkdir(parents=True, exist_ok=True)
        known, _ = self._known(), self._unfinished  # looked for here, before there are threads
        if "id" in known and known["id"] != provenance["id"]:
            old = known["id"] if is_plain(known["id"]) else _short(str(known["id"]))
            replace(self.directory, _aside(self.directory, old))
            self.directory.mkdir()
            known, self._unfinished = {}, {}
        self._write_run({**provenance, "output": known.get("output", {})})

    def run_id(self) -> str | None:
        """The id of the run whose results are here; None if run.json does not have it."""
        return _id_of(self._known())

    def origin(self) -> str | None:
        """The `id` that `make_room` was given for this folder; None if it is not known."""
        found = self._known().get("id")
        return found if isinstance(found, str) else None

    def fetched(self) -> dict[PurePosixPath, Kept]:
        """The files that are recorded as fetched. Whether such a file is still here: see `is_here`."""
        return self._fetched(self._known())

    def lacking(self, run_id: str) -> list[PurePosixPath] | None:
        """The files that are recorded as fetched and not here any more; None if this folder is not that run's.

        The record is read once: of every run it is asked for this.
        """
        known = self._known()
        if _id_of(known) != run_id:
            return None
        return [path for path, kept in sorted(self._fetched(known).items()) if not self.is_here(path, kept)]

    def _fetched(self, known: Mapping[str, Any]) -> dict[PurePosixPath, Kept]:
        found = {}
        for name, kept in self._recorded(known):
            try:
                found[confined(name)] = Kept(size=int(kept["size"]), sha256=str(kept["sha256"]))
            except (KeyError, ValueError, TypeError, OverflowError):  # edited by hand: it counts as not fetched
                continue
        return found

    def is_here(self, path: PurePosixPath, kept: Kept | None) -> bool:
        """Whether the file is here with the size that it was fetched with."""
        try:
            return kept is not None and (self.directory / path).stat().st_size == kept.size
        except OSError:
            return False

    def forget(self, paths: Iterable[PurePosixPath]) -> None:
        """Removes these files from the record of fetched ones, and deletes all parts."""
        kept = self.fetched()
        for path in paths:
            kept.pop(path, None)
        self._consolidate(kept)
        self._unfinished = {}
        shutil.rmtree(self._parts, ignore_errors=True)
        self._parts.mkdir(exist_ok=True)

    def ignores_case(self) -> bool:
        """Whether two names that differ in case only are one file here. `make_room` must have been called."""
        self._parts.mkdir(exist_ok=True)
        return self._parts.with_name(PARTS.upper()).exists()

    def check_place(self, path: PurePosixPath) -> None:
        """Raises OSError if there can be no file of that name, before anything of it is transferred."""
        destination = self.directory / path
        destination.parent.mkdir(parents=True, exist_ok=True)
        if destination.is_dir() and not destination.is_symlink():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(destination))

    def part(self, path: PurePosixPath) -> tuple[str, int] | None:
        """(identity, bytes) of the part that is here of a file whose transfer broke off; None if there is none."""
        part = self._unfinished.get(_short(str(path)))
        try:
            return None if part is None else (part.stem.partition("-")[2], part.stat().st_size)
        except OSError:
            return None

    def part_file(self, path: PurePosixPath, identity: str) -> Path:
        """Where to write a part of that file. A part of another state of it is deleted."""
        key = _short(str(path))
        file = self._parts / f"{key}-{identity}.part"
        other = self._unfinished.get(key, file)
        if other != file:
            remove(other)
        self._unfinished[key] = file
        return file

    def keep(self, path: PurePosixPath, part: Path, kept: Kept) -> None:
        """Renames a complete part to the file. It is recorded first: a record without its file does no harm."""
        destination = self.directory / path
        destination.parent.mkdir(parents=True, exist_ok=True)
        # On a line of its own, even after a line that a killed process did not finish.
        line = "\n" + json.dumps({"name": str(path), **asdict(kept)}) + "\n"
        with self._lock, (self._parts / _JOURNAL).open("a", encoding="utf-8", newline="\n") as journal:
            journal.write(line)
        replace(part, destination)

    def write(self, name: str, text: str) -> None:
        """Writes a file of coord's own. A reader never sees half of it."""
        self._parts.mkdir(exist_ok=True)
        write_atomically(self.directory / name, text, durable=name == self._record, unfinished_in=self._parts)

    def finish(self, *, complete: bool) -> None:
        """Writes the record of fetched files into run.json. Parts stay, unless the fetch is `complete`."""
        self._consolidate(self.fetched())
        remove(self._parts / _JOURNAL)
        if complete:
            shutil.rmtree(self._parts, ignore_errors=True)
        elif not any(self._parts.iterdir()):
            self._parts.rmdir()

    def amend(self, run_id: str, **values: Any) -> None:
        """Sets values in the run.json that is here, if it is that run's."""
        known = self._known()
        if known.get("id") == run_id:
            self._write_run({**known, **values})
            if not any(self._parts.iterdir()):
                self._parts.rmdir()

    def names(self) -> tuple[str, ...]:
        """The relative paths of the files here, without parts, sorted."""
        paths = (path.relative_to(self.directory) for path in self.directory.rglob("*") if path.is_file())
        return tuple(sorted(path.as_posix() for path in paths if path.parts[0] != PARTS))

    def _consolidate(self, kept: Mapping[PurePosixPath, Kept]) -> None:
        output = {str(path): asdict(item) for path, item in sorted(kept.items())}
        self._write_run({**self._known(), "output": output})

    def _write_run(self, data: Mapping[str, Any]) -> None:
        self.write(self._record, json.dumps(data, indent=2, ensure_ascii=False) + "\n")

    def _known(self) -> dict[str, Any]:
        try:
            known = json.loads((self.directory / self._record).read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError):
            return {}
        return known if isinstance(known, dict) else {}

    def _recorded(self, known: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
        output = known.get("output")
        yield from (output if isinstance(output, dict) else {}).items()
        try:
            lines = (self._parts / _JOURNAL).read_text(encoding="utf-8").splitlines()
        except (OSError, ValueError):
            return
        for line in lines:
            try:
                record = json.loads(line)
                yield record["name"], record
            except (ValueError, KeyError, TypeError):  # the last line of a process that was killed
                continue


def folder_of(directory: Path, run_id: str) -> Path | None:
    """The folder with the results of this run: `directory`, or where they moved aside; None if they are not here."""
    return next((each for each in _places(directory, run_id) if Results(each).run_id() == run_id), None)


def lacking_of(directory: Path, run_id: str) -> list[PurePosixPath] | None:
    """What `Results.lacking` finds in the folder of this run; None if its results are not here."""
    found = (Results(each).lacking(run_id) for each in _places(directory, run_id))
    return next((each for each in found if each is not None), None)


def _places(directory: Path, run_id: str) -> tuple[Path, Path]:
    return directory, _aside(directory, run_id)


def _id_of(known: Mapping[str, Any]) -> str | None:
    return found if is_plain(found := known.get("id")) else None


def _aside(directory: Path, run_id: str) -> Path:
    """Where results of an earlier run of the same version move; see `Results.make_room`."""
    return directory.with_name(f"{directory.name}-{run_id[:8]}")


def identity(validator: str, size: int) -> str:
    """A short name for one state of a file, from its HTTP validator (ETag, date) and its size in bytes."""
    return _short(f"{size} {validator}")


def _short(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]
