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
from coordinator.ledger import Run
from coordinator.project import Project
from coordinator.results import PARTS, folder_of, summary as metrics

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
    """All that is handed over of a run."""

    run: Run
    started: int
    """Milliseconds since 1970, as `ended`."""
    ended: int
    tags: Mapping[str, str]
    """`coord.run_id`, `coord.digest`, ...: where the run comes from."""
    params: Mapping[str, str | float]
    """The config, flattened: `optim.lr` -> 0.02. Lists and None are written as JSON."""
    rows: tuple[Row, ...]
    """In the order of metrics.jsonl."""
    final: Mapping[str, float]
    """`cv/dice` (mean over the folds), `cv/dice_sd`, `fold0/cv/dice`, `baseline/all-empty`, `seconds/train`, ..."""
    files: tuple[File, ...]
    warnings: tuple[str, ...]
    """What is missing of it, in words."""

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
        """Of all that is handed over, in hexadecimal: by it a store's copy is known to be whole and up to date."""
        rows = [[row.prefix, row.epoch, row.time, dict(row.values)] for row in self.rows]
        files = [[file.name, file.sha256] for file in self.files]
        content = [self.started, self.ended, dict(self.tags), dict(self.params), rows, dict(self.final), files]
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode("utf-8", "surrogatepass")).hexdigest()


def record_of(project: Project, run: Run) -> Record:
    """Reads what is here of a run that has ended. Of one that was never fetched, there are no metrics.

    Raises CoordError if a file of its results cannot be read.
    """
    try:
        return _record(project, run)
    except OSError as error:
        raise CoordError(f"the results of {run.label} cannot be read: {error}") from error


def _record(project: Project, run: Run) -> Record:
    summary = run.summary or {}
    directory = folder_of(project.results(run.experiment, run.target, run.results_version), run.id)
    started = _started(run, summary)
    rows, warnings = ((), []) if directory is None else _rows(directory / "metrics.jsonl", started)
    if directory is None:
        warnings = [f"its results are not here: coord fetch-results --exp {run.experiment} --version {run.version}"]
    final = _final(summary)
    for name, value in _of_folds(directory):
        final.setdefault(name, value)
    return Record(
        run=run,
        started=started,
        ended=_ended(run, summary, started),
        tags=_tags(run, summary),
        params=dict(_flattened(run.config)),
        rows=rows,
        final=final,
        files=() if directory is None else tuple(_files(directory)),
        warnings=tuple(warnings),
    )


def clean_text(text: str) -> str:
    """Without half characters, which no store takes."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _events(file: Path) -> Iterator[dict[str, Any] | None]:
    """The events of metrics.jsonl; None for a line that is none. NaN and infinities are read as such."""
    try:
        text = file.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return
    for line in text.splitlines():
        try:
            found = json.loads(line)
        except (ValueError, RecursionError):
            found = None
        yield found if isinstance(found, dict) else None


def _rows(file: Path, started: int) -> tuple[tuple[Row, ...], list[str]]:
    rows, unreadable = [], 0
    for event in _events(file):
        if event is None:
            unreadable += 1
            continue
        epoch, values = event.get("epoch"), event.get("metrics")
        if isinstance(epoch, int) and isinstance(values, dict):
            seconds = _number(event.get("time"))
            time = started + int(1000 * seconds) if math.isfinite(seconds) else started
            # The kernel's report writes null for what is not finite: a loss that blew up should be seen.
            numbers = {clean_text(name): _number(value) for name, value in values.items()}
            rows.append(Row(_prefix(event), epoch, time, numbers))
    lines = "1 line" if unreadable == 1 else f"{unreadable} lines"
    return tuple(rows), [f"{lines} of its metrics.jsonl cannot be read"] if unreadable else []


def _of_folds(directory: Path | None) -> Iterator[tuple[str, float]]:
    """What a run says at the end of each fold: all there is of one that died before its summary had it."""
    for event in _events(directory / "metrics.jsonl") if directory is not None else ():
        if event is not None and event.get("event") == "fold" and isinstance(event.get("metrics"), dict):
            for name, value in event["metrics"].items():
                if math.isfinite(number := _number(value)):
                    yield _prefix(event) + clean_text(name), number


def _prefix(event: Mapping[str, Any]) -> str:
    return "".join(f"{name}{event[name]}/" for name in ("seed", "fold") if _is_whole(event.get(name)))


def _final(summary: dict[str, Any]) -> dict[str, float]:
    found: dict[str, float | None] = {}
    for table in metrics.metric_tables(summary):
        found[table.name] = table.mean
        # Not cv/dice/sd: where metrics are files, cv/dice cannot be a folder, too.
        found[f"{table.name}_sd"] = table.sd
        found |= {f"fold{fold}/{table.name}": value for fold, value, _ in table.folds}
    if (primary := metrics.primary_name(summary)) is not None:
        found.setdefault(primary, metrics.primary_value(summary))
        found |= {f"baseline/{name}": value for name, value in metrics.baselines(summary, primary)}
    if (repeats := metrics.repeats(summary)) is not None:
        found[f"repeats/{repeats.metric}"] = repeats.mean
        found[f"repeats/{repeats.metric}_sd"] = repeats.sd
    stages = summary.get("stages")
    stages = stages if isinstance(stages, dict) else {}
    seconds = {"total": summary.get("seconds"), **stages}
    found |= {f"seconds/{metrics.clean(name)}": _number(value) for name, value in seconds.items()}
    return {name: value for name, value in found.items() if value is not None and math.isfinite(value)}


def _tags(run: Run, summary: dict[str, Any]) -> dict[str, str]:
    primary = summary.get("primary")
    primary = primary if isinstance(primary, dict) else {}
    tags = {name: getattr(run, name) for name in _TAGS}
    tags |= {"run_id": run.id, "state": run.state.value, "overrides": " ".join(run.overrides)}
    tags |= {"primary": primary.get("name"), "mode": primary.get("mode")}
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
        if name.parts[0] == PARTS or path.is_symlink() or not path.is_file():
            continue
        if path.suffix.lower() in _FILE_KINDS and path.stat().st_size <= _LARGEST_FILE:
            yield File(name.as_posix(), path, hashlib.sha256(path.read_bytes()).hexdigest())


def _started(run: Run, summary: dict[str, Any]) -> int:
    """When the program started, as it says; else as well as coord knows."""
    times = (summary.get("started"), run.started_at, run.pushed_at, run.created_at)
    return next((time for time in map(_milliseconds, times) if time is not None), 0)


def _ended(run: Run, summary: dict[str, Any], started: int) -> int:
    seconds = _number(summary.get("seconds"))
    if math.isfinite(seconds) and seconds > 0:
        return started + int(1000 * seconds)
    return max(started, _milliseconds(run.ended_at) or started)


def _milliseconds(text: Any) -> int | None:
    try:
        time = datetime.fromisoformat(text)
    except (ValueError, TypeError):
        return None
    return int(1000 * (time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp())


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _number(value: Any) -> float:
    """NaN for what is no number."""
    try:
        return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else math.nan
    except OverflowError:  # a whole number of hundreds of digits
        return math.nan
