"""Rebuilds runs from what is left of them: from their results here, or from their kernels on a target.

Both may come from somebody else. So every value is checked before it becomes a row of the ledger, whose names are parts
of paths.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from operator import attrgetter
from pathlib import Path
from typing import Any

from coordinator.bundle import reader
from coordinator.errors import BundleError, CoordError, TargetError
from coordinator.files import is_leftover
from coordinator.kernel import CODE_FILE, CODE_FILES, Source
from coordinator.ledger import Run, Sweep, fields_of, from_json
from coordinator.names import is_confined, is_plain
from coordinator.progress import Count
from coordinator.project import recorded_target
from coordinator.results import RUN, SUMMARY, Event, Summary, check_json, lenient_json, read_summary
from coordinator.target import RunState, Target
from coordinator.workspace import Workspace

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


def fetched(workspace: Workspace) -> Iterator[tuple[Path, Rebuilt | None]]:
    """Every results folder, and what its run.json has; None if that cannot be read."""
    found = sorted(workspace.project.all_results.glob("*/*-v*"), key=attrgetter("parts"))
    with workspace.progress(count := Count("reading results/", len(found), "folders")):
        for directory in count.each(found):
            if is_leftover(directory.name):
                continue
            try:
                yield directory, _from_results(directory)
            except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError, CoordError):
                if directory.is_dir():
                    yield directory, None


def _from_results(directory: Path) -> Rebuilt:
    with (directory / RUN).open("rb") as content:
        values = lenient_json(content.read().decode("utf-8"))
        written = iso(datetime.fromtimestamp(os.fstat(content.fileno()).st_mtime, UTC))
    values.pop("output", None)  # as many as there are files: `Results` reads them
    check_json(values)
    summary = None
    with contextlib.suppress(TargetError):  # the file cannot be read: of_results.py says so
        summary = read_summary(directory / SUMMARY)
    run = Run(
        **{name: values[name] for name in _FROM_RESULTS} | {"target": recorded_target(values["target"])},
        **(_told(values) if "state" in values else _guessed(directory, values, summary, written)),
        summary=summary,
        continues=values.get("continues"),
        launch=values.get("launch", {}),
        reads=Source.parse_all(values.get("reads", [])),
        hidden_at=values.get("hidden_at"),
    )
    check_rebuilt(run)
    found = values.get("sweeps", [])  # older versions of run.json lack it
    return Rebuilt(run, tuple(filter(None, map(from_json, found if isinstance(found, list) else []))))


def check_rebuilt(run: Run) -> None:
    """Raises ValueError or TypeError, with the value, unless all values are of the kinds that coord itself records."""
    names = (run.id, run.experiment, run.owner, run.slug, *([] if run.continues is None else [run.continues]))
    for name in names:
        if not is_plain(name):
            raise ValueError(f"{name!r} is no name")
    for path, digest in run.files.items():
        if not is_confined(path) or not isinstance(digest, str):
            raise ValueError(f"{path!r} is no path of a source")
    if run.metadata.get("code_file", CODE_FILE) not in CODE_FILES.values():
        raise ValueError(f"{run.metadata['code_file']!r} is no name of a kernel's file")
    for time in filter(None, (run.created_at, run.pushed_at, run.started_at, run.ended_at, run.hidden_at)):
        if datetime.fromisoformat(time).tzinfo is None:
            raise ValueError(f"{time!r} has no time zone")
    for values, kind in (
        ((run.version, 0 if run.timeout_seconds is None else run.timeout_seconds), int),
        ((run.url, run.digest, run.message, run.created_at, run.git or "", *run.overrides), str),
        ((run.metadata, run.config, run.launch), dict),
        ((run.overrides,), list),
    ):
        if wrong := [each for each in values if not isinstance(each, kind) or isinstance(each, bool)]:
            raise TypeError(f"{wrong[0]!r} is of another kind than it should")


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
    """The run that pushed a kernel, as far as the kernel has it; None if coord did not make that kernel.

    Raises ValueError or TypeError if it has values that coord does not write.
    """
    try:
        kernel = reader.read_kernel(text.encode("utf-8", "replace"), slug)
    except BundleError:
        return None
    is_notebook = text.lstrip().startswith("{")
    run = Run(
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
            "code_file": CODE_FILES["notebook" if is_notebook else "script"],
            "kernel_type": "notebook" if is_notebook else "script",
            "kernel_sources": [f"{target.owner}/{need}" for need in kernel.needs.values()],
        },
        overrides=[],
        files={file.path: file.sha256 for file in kernel.files},
        launch={"needs": kernel.needs} if kernel.needs else {},
        state=RunState.QUEUED,
        created_at=created_at,
    )
    check_rebuilt(run)
    check_json([run.config, run.metadata, run.launch])
    return run


def iso(time: datetime) -> str:
    return time.isoformat(timespec="seconds")
