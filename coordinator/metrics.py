"""Reads what a kernel reports: events in its log (`COORD {json}` lines) and the summary in metrics.json."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from coordinator.errors import TargetError
from coordinator.target import LogRecord

EVENT_PREFIX = "COORD "

# What may not reach a terminal from a log: C0 and C1 control characters, except tab and newline.
_CONTROL = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|[\x00-\x08\x0b-\x1f\x7f-\x9f]")

# In a traceback, the folder into which the kernel's bootstrap unpacked the sources: what is left is the project's path.
_UNPACKED = re.compile(r'File "/(?:[^"]*/)?coord-[a-z0-9_]{8}/')


@dataclass(frozen=True)
class MetricTable:
    """One metric's cross-validation values, ready to be shown."""

    name: str
    mode: str
    """"max" or "min": the direction that is better."""
    folds: tuple[tuple[str, float | None, int | None], ...]
    """(fold, value, number of images)"""
    mean: float | None
    sd: float | None
    n: int | None


def lines(records: Iterable[LogRecord]) -> Iterator[str]:
    """Whole lines of a log, without control characters; record borders are not line borders."""
    rest: dict[str, str] = {}
    for record in records:
        text = rest.get(record.stream, "") + record.data
        *whole, rest[record.stream] = text.split("\n")
        yield from map(clean, whole)
    yield from (clean(text) for text in rest.values() if text)


def clean(text: str) -> str:
    """The text as it may be written to a terminal; a carriage return starts the line anew, as progress bars mean it."""
    return _UNPACKED.sub('File "', _CONTROL.sub("", text.rstrip("\r").rpartition("\r")[2]))


def event(line: str) -> dict[str, Any] | None:
    """The event that a line of the log reports, if it does."""
    if not line.startswith(EVENT_PREFIX):
        return None
    try:
        found = json.loads(line.removeprefix(EVENT_PREFIX))
    except ValueError:
        return None
    return found if isinstance(found, dict) and isinstance(found.get("event"), str) else None


def describe(found: dict[str, Any]) -> str:
    """An event in a few words: `fold 0, epoch 3/8, val/dice 0.7123`."""
    words = []
    for key, label in (("fold", "fold"), ("epoch", "epoch")):
        if isinstance(found.get(key), int):
            total = found.get(f"{key}s")
            shown = found[key] if key == "epoch" else found[key] + 1
            words.append(f"{label} {shown}/{total}" if isinstance(total, int) else f"{label} {found[key]}")
    metrics = found.get("metrics")
    if isinstance(metrics, dict):
        words.extend(f"{name} {value:.4f}" for name, value in metrics.items() if isinstance(value, int | float))
    if isinstance(found.get("text"), str):
        words.append(found["text"])
    return clean(", ".join(words)) or clean(str(found["event"]))


def read_summary(file: Path) -> dict[str, Any] | None:
    """metrics.json, or None if the run left none. Raises TargetError if it is not what a kernel writes."""
    if not file.is_file():
        return None
    try:
        summary = json.loads(file.read_text(encoding="utf-8"))
    except (ValueError, OSError) as error:
        raise TargetError(f"{file} cannot be read as JSON: {error}") from error
    if not isinstance(summary, dict):
        raise TargetError(f"{file} is not a JSON object")
    return summary


def metric_tables(summary: dict[str, Any]) -> list[MetricTable]:
    """The metrics of a summary, the primary one first; parts that are missing are None."""
    tables = []
    for metric in _list(summary.get("metrics")):
        folds = tuple(
            (str(fold.get("fold")), _number(fold.get("value")), _whole(fold.get("n")))
            for fold in _list(metric.get("folds"))
        )
        tables.append(
            MetricTable(
                name=str(metric.get("name")),
                mode=str(metric.get("mode")),
                folds=folds,
                mean=_number(metric.get("mean")),
                sd=_number(metric.get("sd")),
                n=_whole(metric.get("n")),
            )
        )
    primary = primary_name(summary)
    return sorted(tables, key=lambda table: table.name != primary)


def primary_name(summary: dict[str, Any]) -> str | None:
    primary = summary.get("primary")
    return str(primary["name"]) if isinstance(primary, dict) and "name" in primary else None


def primary_value(summary: dict[str, Any]) -> float | None:
    primary = summary.get("primary")
    return _number(primary.get("value")) if isinstance(primary, dict) else None


def baselines(summary: dict[str, Any], metric: str) -> list[tuple[str, float | None]]:
    """(name, value) of what a trivial prediction would score in that metric."""
    return [
        (str(item.get("name")), _number(item.get("value")))
        for item in _list(summary.get("baselines"))
        if item.get("metric") == metric
    ]


def _list(value: Any) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _whole(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None
