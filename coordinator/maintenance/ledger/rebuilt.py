"""Rebuilds runs from what is left of them: from their results here, or from their kernels on a target."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from coordinator.bundle import reader
from coordinator.errors import BundleError, CoordError
from coordinator.kernel import Source
from coordinator.ledger import Run, Sweep, fields_of, from_json
from coordinator.project import Project, parse_target
from coordinator.results import RUN, SUMMARY, Event, Summary, read_summary
from coordinator.target import RunState, Target

_FROM_RESULTS = (
    *("id", "experiment", "target", "owner", "slug", "version", "url", "digest", "git", "overrides", "pushed_at"),
    *("config", "metadata"),
)
_SINCE = (*("state", "message", "created_at", "started_at", "ended_at", "timeout_seconds", "last_event", "files"),)
"""Values that older versions of run.json lack."""


@dataclass(frozen=True)
class Rebuilt:
    """A run and its sweeps, read from a results folder."""

    run: Run
    sweeps: tuple[Sweep, ...]
    """The sweeps of the run, as they were when it was fetched."""


def fetched(project: Project) -> Iterator[tuple[Path, Rebuilt | None]]:
    """Every results folder, and what its run.json has; None if that cannot be read."""
    for directory in sorted(project.all_results.glob("*/*-v*")):
        if directory.is_dir():
            try:
                yield directory, _from_results(directory)
            except (OSError, ValueError, KeyError, TypeError, CoordError):
                yield directory, None


def _from_results(directory: Path) -> Rebuilt:
    values = json.loads((directory / RUN).read_text(encoding="utf-8"))
    summary = read_summary(directory / SUMMARY)
    written = iso(datetime.fromtimestamp((directory / RUN).stat().st_mtime, UTC))
    run = Run(
        **{name: values[name] for name in _FROM_RESULTS} | {"target": parse_target(values["target"])},
        **(_told(values) if "state" in values else _guessed(directory, values, summary, written)),
        summary=summary,
        continues=values.get("continues"),
        reads=Source.parse_all(values.get("reads", [])),
    )
    if not isinstance(run.version, int) or not all(isinstance(each, dict) for each in (run.metadata, run.config)):
        raise TypeError(f"{RUN} has values of another kind")
    found = values.get("sweeps", [])  # older versions of run.json lack it
    return Rebuilt(run, tuple(filter(None, map(from_json, found if isinstance(found, list) else []))))


def _told(values: dict[str, Any]) -> dict[str, Any]:
    event = values["last_event"]
    told = {name: values[name] for name in _SINCE} | {
        "state": RunState(values["state"]),
        "last_event": None if event is None else Event.parse(event),
    }
    if "lacks" not in values:  # from an older coord
        return told | fields_of(values["message"])
    return told | {"lacks": tuple(map(str, values["lacks"])), "stop_requested": bool(values["stop_requested"])}


def _guessed(directory: Path, values: dict[str, Any], summary: Summary | None, written: str) -> dict[str, Any]:
    """The values that an older run.json lacks, from its metrics and its kernel."""
    is_complete = summary is not None and summary.status == "complete"
    return {
        # Only runs that have ended are fetched.
        "state": RunState.COMPLETE if is_complete else RunState.ERROR,
        "message": "" if is_complete else "rebuilt from its results, which do not say how it ended",
        "created_at": values["pushed_at"] or written,
        "ended_at": written,
        "files": _files(directory, values),
    }


def _files(directory: Path, values: dict[str, Any]) -> dict[str, str]:
    """The digests of the sources by path, from the kernel, if that was fetched and is this run's."""
    try:
        kernel = reader.read_kernel((directory / values["metadata"]["code_file"]).read_bytes(), RUN)
    except (OSError, BundleError):
        return {}
    is_its_own = kernel.stamp.get("run") == values["id"]
    return {file.path: file.sha256 for file in kernel.files} if is_its_own else {}


def from_kernel(target: Target, slug: str, version: int, text: str, *, created_at: str) -> Run | None:
    """The run that pushed a kernel, as far as the kernel has it; None if coord did not make that kernel."""
    try:
        kernel = reader.read_kernel(text.encode("utf-8", "replace"), slug)
    except BundleError:
        return None
    is_notebook = text.lstrip().startswith("{")
    return Run(
        id=kernel.stamp["run"],
        experiment=kernel.experiment,
        target=target.name,
        owner=target.owner,
        slug=slug,
        version=version,
        url=target.url(target.owner, slug),
        digest=kernel.stamp.get("digest", kernel.digest),
        git=kernel.stamp.get("git"),
        config=kernel.config or {},
        metadata={
            "id": f"{target.owner}/{slug}",
            "code_file": "kernel.ipynb" if is_notebook else "kernel.py",
            "kernel_type": "notebook" if is_notebook else "script",
        },
        overrides=[],
        files={file.path: file.sha256 for file in kernel.files},
        state=RunState.QUEUED,
        created_at=created_at,
    )


def iso(time: datetime) -> str:
    return time.isoformat(timespec="seconds")
