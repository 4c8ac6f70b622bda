"""The verb fetch-results: what a run left behind, into `results/<experiment>/<target>-v<version>/` and the ledger."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from coordinator import metrics
from coordinator.bundle.bootstrap import stamp_of
from coordinator.bundle.notebook import script_in
from coordinator.errors import CoordError, RunFailed, TargetError
from coordinator.ledger import Ledger, Run, now
from coordinator.locks import held
from coordinator.project import Project
from coordinator.refresh import refresh
from coordinator.target import LogRecord, OutputFile, Target
from coordinator.tracebacks import Sources

LOG_TEXT, LOG_RECORDS = "kernel.log", "kernel.log.json"
SUMMARY = "metrics.json"
RUN = "run.json"


@dataclass(frozen=True)
class Fetched:
    """A run's results on this machine."""

    run: Run
    directory: Path
    files: tuple[str, ...]
    size: int
    """Bytes that were transferred; 0 if everything was here already."""
    warnings: tuple[str, ...] = ()


def fetch(
    project: Project,
    target: Target,
    ledger: Ledger,
    run: Run,
    *,
    force: bool,
    start: Callable[[str], Callable[[int], None]],
) -> Fetched:
    """Brings back log, output and kernel of a run that has ended (successfully or not).

    `start` is called with the name of each file that is transferred and returns what is called with every number of
    bytes. Raises RunFailed if the run has not ended, TargetError if the output is not this run's or has a hostile name.
    """
    run = refresh(project, target, ledger, run)
    if run.state.is_active:
        raise RunFailed(
            f"{run.label} is {run.state}: there is nothing to fetch yet",
            hint=f"coord logs --exp {run.experiment} --follow waits for it.",
        )
    directory = project.results(run.experiment, run.target, run.ref.version)
    with held(project.fetch_lock(run.id), wait=True):
        run = ledger.get(run.id)  # another process may have just fetched it
        if run.fetched_at and directory.is_dir() and not force:
            return Fetched(run=run, directory=directory, files=_names(directory), size=0)
        return _fetch(project, target, ledger, run, directory, start)


def _fetch(
    project: Project,
    target: Target,
    ledger: Ledger,
    run: Run,
    directory: Path,
    start: Callable[[str], Callable[[int], None]],
) -> Fetched:
    _make_room(directory, run)
    for leftover in directory.rglob(".*.part"):  # of a fetch that was killed
        leftover.unlink()
    _write(directory / RUN, json.dumps(_provenance(run), indent=2, ensure_ascii=False) + "\n")
    files = list(target.outputs(run.ref))
    paths = [_confined(file) for file in files]
    size = 0
    for file, path in zip(files, paths, strict=True):
        size += _download(target, file, directory / path, start(str(path)))
    records = target.log(run.ref)
    _write(directory / LOG_RECORDS, json.dumps([asdict(record) for record in records], ensure_ascii=False))
    sources = Sources(project.root, run.files)
    _write(directory / LOG_TEXT, "".join(f"{sources.relative(line)}\n" for line in metrics.lines(records)))
    _save_source(target, run, directory)
    summary = metrics.read_summary(directory / SUMMARY)
    run = ledger.update(run.id, fetched_at=now(), summary=_checked(run, summary))
    return Fetched(run, directory, _names(directory), size, _warnings(run, records))


def _provenance(run: Run) -> dict[str, Any]:
    """What these results are of: enough to build the same kernel again."""
    names = ("id", "experiment", "target", "owner", "slug", "version", "url", "digest", "git", "overrides", "pushed_at")
    return {name: getattr(run, name) for name in names} | {"config": run.config, "metadata": run.metadata}


def _save_source(target: Target, run: Run, directory: Path) -> None:
    """Saves the kernel that ran, if the target still gives it: the one whose stamp names this run, and no other."""
    found = target.source(run.owner, run.slug, run.ref.version)
    if found is not None and stamp_of(script_in(found[1])).get("run") == run.id:
        _write(directory / run.metadata["code_file"], found[1])


def _make_room(directory: Path, run: Run) -> None:
    """Makes the folder. A deleted kernel counts its versions from 1 again: another run's results move aside."""
    directory.mkdir(parents=True, exist_ok=True)
    try:
        other = json.loads((directory / RUN).read_text(encoding="utf-8"))["id"]
    except (OSError, ValueError, KeyError, TypeError):
        return
    if other != run.id:
        directory.rename(directory.with_name(f"{directory.name}-{str(other)[:8]}"))
        directory.mkdir()


def _confined(file: OutputFile) -> PurePosixPath:
    """The file's path inside the results folder. Names come from the target, so they are not trusted."""
    path = PurePosixPath(file.name)
    hostile = path.is_absolute() or ".." in path.parts or not path.parts or "\\" in file.name
    if hostile or metrics.clean(file.name) != file.name:
        raise TargetError(f"the output has a file named {file.name!r}, which would lie outside the results folder")
    return path


def _download(target: Target, file: OutputFile, destination: Path, progress: Callable[[int], None]) -> int:
    destination.parent.mkdir(parents=True, exist_ok=True)
    partial = destination.with_name(f".{destination.name}.{os.getpid()}.part")
    try:
        size = target.download(file, partial, progress)
        partial.replace(destination)
    except OSError as error:
        raise CoordError(f"{destination} cannot be written: {error.strerror}") from error
    finally:
        partial.unlink(missing_ok=True)
    return size


def _write(file: Path, text: str) -> None:
    partial = file.with_name(f".{file.name}.{os.getpid()}.part")
    partial.write_text(text, encoding="utf-8")
    partial.replace(file)


def _checked(run: Run, summary: dict[str, Any] | None) -> dict[str, Any] | None:
    """The summary, if it is this run's: a result must never be attributed to another version."""
    if summary is not None and summary.get("run_id") != run.id:
        raise TargetError(
            f"the metrics.json of {run.label} says that it comes from run {summary.get('run_id')}, not from {run.id}",
            hint="Nothing was recorded. Was this kernel pushed by something else, or its id taken over?",
        )
    return summary


def _warnings(run: Run, records: list[LogRecord]) -> tuple[str, ...]:
    found = []
    if run.summary is None:
        found.append(f"{run.label} left no {SUMMARY}: there are no metrics")
    elif run.summary.get("digest") != run.digest:
        found.append(f"the script that ran ({run.summary.get('digest')}) is not the one that was pushed ({run.digest})")
    if not records:
        found.append(f"{run.label} has an empty log")
    return tuple(found)


def _names(directory: Path) -> tuple[str, ...]:
    return tuple(sorted(str(path.relative_to(directory)) for path in directory.rglob("*") if path.is_file()))
