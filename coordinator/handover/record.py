"""One run as other tools see runs: parameters, tags, series of metrics, final metrics and small files."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from coordinator.errors import CoordError
from coordinator.files import is_leftover
from coordinator.ledger import Run
from coordinator.project import Project
from coordinator.results import PARTS, Event, folder_of, read_events

_FILE_KINDS = frozenset({".json", ".jsonl", ".csv", ".png", ".jpg", ".jpeg", ".svg", ".html", ".log", ".txt"})
_LARGEST_FILE = 16 * 2**20
"""Bytes. What people look at is smaller; checkpoints and arrays stay in results/."""

_TAGS = ("experiment", "target", "owner", "slug", "version", "url", "digest", "git", "continues", "message")


@dataclass(frozen=True)
class Row:
    """What was measured at the end of one epoch."""

    prefix: str
    """`fold0/`, or `seed1/fold0/` in a repeat; empty where the run has no folds."""
    epoch: int
    time: int
    """Milliseconds since 1970."""
    values: Mapping[str, float]
    """By the metric's own name, such as val/dice. NaN where the kernel had no finite value."""


@dataclass(frozen=True)
class File:
    """A small file of the results."""

    name: str
    """Its path in the run's results folder, with slashes."""
    path: Path
    sha256: str


@dataclass(frozen=True)
class Record:
    """Everything that is exported of a run."""

    run: Run
    started: int
    """Milliseconds since 1970, as `ended`."""
    ended: int
    tags: Mapping[str, str]
    """`coord.run_id`, `coord.digest`, ...: the provenance of the run."""
    params: Mapping[str, str | float]
    """The config, flattened: `optim.lr` -> 0.02. Lists and None are written as JSON."""
    rows: tuple[Row, ...]
    """In the order of metrics.jsonl."""
    final: Mapping[str, float]
    """`cv/dice` (mean over the folds), `cv/dice_sd`, `fold0/cv/dice`, `baseline/all-empty`, `seconds/train`, ..."""
    files: tuple[File, ...]
    warnings: tuple[str, ...]
    """What is missing, as messages."""

    @property
    def group(self) -> str:
        return self.run.experiment

    @property
    def label(self) -> str:
        return self.run.label

    def points(self) -> Iterator[tuple[str, float, int, int]]:
        """(key, value, epoch, time in milliseconds) of every measurement."""
        for row in self.rows:
            for name, value in row.values.items():
                yield row.prefix + name, value, row.epoch, row.time

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of everything that is exported, in hexadecimal: tells whether a store's copy is current."""
        rows = [[row.prefix, row.epoch, row.time, dict(row.values)] for row in self.rows]
        files = [[file.name, file.sha256] for file in self.files]
        content = [self.started, self.ended, dict(self.tags), dict(self.params), rows, dict(self.final), files]
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode("utf-8", "surrogatepass")).hexdigest()


def record_of(project: Project, run: Run) -> Record:
    """Reads what is here of a run that has ended. A run that was never fetched has no metrics.

    Raises CoordError if a file of its results cannot be read.
    """
    try:
        return _record(project, run)
    except OSError as error:
        raise CoordError(f"the results of {run.label} cannot be read: {error}") from error


def _record(project: Project, run: Run) -> Record:
    directory = folder_of(project.results(run.experiment, run.target, run.results_version), run.id)
    started = _started(run)
    rows, warnings = ((), []) if directory is None else _rows(directory / "metrics.jsonl", started)
    if directory is None:
        warnings = [f"its results are not here: coord fetch-results --exp {run.experiment} --version {run.version}"]
    final = _final(run)
    for name, value in _of_folds(directory):
        final.setdefault(name, value)
    return Record(
        run=run,
        started=started,
        ended=_ended(run, started),
        tags=_tags(run),
        params=dict(_flattened(run.config)),
        rows=rows,
        final=final,
        files=() if directory is None else tuple(_files(directory)),
        warnings=tuple(warnings),
    )


def clean_text(text: str) -> str:
    """The text without lone surrogates, which no store accepts."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _rows(file: Path, started: int) -> tuple[tuple[Row, ...], list[str]]:
    rows, unreadable = [], 0
    for event in read_events(file):
        if event is None:
            unreadable += 1
        elif isinstance(event.epoch, int) and event.metrics:  # parts of epochs are no steps of a series
            # The kernel writes null for what is not finite; it is kept as NaN, because a diverged loss should be seen.
            rows.append(Row(_prefix(event), event.epoch, started + int(1000 * (event.time or 0)), event.metrics))
    lines = "1 line" if unreadable == 1 else f"{unreadable} lines"
    return tuple(rows), [f"{lines} of its metrics.jsonl cannot be read"] if unreadable else []


def _of_folds(directory: Path | None) -> Iterator[tuple[str, float]]:
    """The metrics at the end of each fold: a run that was killed has them in its events only."""
    for event in read_events(directory / "metrics.jsonl") if directory is not None else ():
        if event is not None and event.kind == "fold":
            for name, value in event.metrics.items():
                if math.isfinite(value):
                    yield _prefix(event) + name, value


def _prefix(event: Event) -> str:
    named = (("seed", event.seed), ("fold", event.fold))
    return "".join(f"{name}{number}/" for name, number in named if number is not None)


def _final(run: Run) -> dict[str, float]:
    summary, found = run.reported, dict[str, float | None]()
    for metric in summary.primary_first:
        found[metric.name] = metric.mean
        # Not cv/dice/sd: if a store keeps metrics as files, cv/dice cannot be a folder as well.
        found[f"{metric.name}_sd"] = metric.sd
        found |= {f"fold{each.fold}/{metric.name}": each.value for each in metric.folds}
    if (primary := summary.primary) is not None:
        found.setdefault(primary.name, primary.value)
        found |= {f"baseline/{each.name}": each.value for each in summary.baselines_in(primary.name)}
    if (repeats := summary.repeats) is not None:
        found[f"repeats/{repeats.metric}"] = repeats.mean
        found[f"repeats/{repeats.metric}_sd"] = repeats.sd
    found["seconds/total"] = summary.seconds
    found |= {f"seconds/{stage}": seconds for stage, seconds in summary.stages.items()}
    return {name: value for name, value in found.items() if value is not None}


def _tags(run: Run) -> dict[str, str]:
    tags = {name: getattr(run, name) for name in _TAGS}
    tags |= {"run_id": run.id, "state": run.state.value, "overrides": " ".join(run.overrides)}
    if run.reported.primary:
        tags |= {"primary": run.reported.primary.name, "mode": run.reported.primary.mode}
    return {f"coord.{name}": clean_text(str(value)) for name, value in tags.items() if value not in (None, "")}


def _flattened(config: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, str | float]]:
    for name, value in config.items():
        if isinstance(value, dict) and value:
            yield from _flattened(value, f"{before}{name}.")
        else:
            plain = value if isinstance(value, str | int | float) else json.dumps(value, ensure_ascii=False)
            yield clean_text(f"{before}{name}"), clean_text(plain) if isinstance(plain, str) else plain


def _files(directory: Path) -> Iterator[File]:
    for path in sorted(directory.rglob("*")):
        name = path.relative_to(directory)
        if name.parts[0] == PARTS or is_leftover(path.name) or path.is_symlink() or not path.is_file():
            continue
        if path.suffix.lower() in _FILE_KINDS and path.stat().st_size <= _LARGEST_FILE:
            yield File(name.as_posix(), path, hashlib.sha256(path.read_bytes()).hexdigest())


def _started(run: Run) -> int:
    """When the program started, by its own report; else the best time that coord knows."""
    times = (run.reported.started, run.started_at, run.pushed_at, run.created_at)
    return next((time for time in map(_milliseconds, times) if time is not None), 0)


def _ended(run: Run, started: int) -> int:
    seconds = run.reported.seconds
    if seconds is not None and seconds > 0:
        return started + int(1000 * seconds)
    return max(started, _milliseconds(run.ended_at) or started)


def _milliseconds(text: Any) -> int | None:
    try:
        time = datetime.fromisoformat(text)
    except (ValueError, TypeError):
        return None
    return int(1000 * (time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp())
