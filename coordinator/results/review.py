"""What a metrics.json holds that coord cannot use: one check, for a dry run and for a fetch."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from coordinator.errors import TargetError
from coordinator.results.events import EVENTS_MAX
from coordinator.results.oof import OOF_MAX
from coordinator.results.summary import Summary, read_summary
from coordinator.results.untrusted import number, text
from coordinator.text import clean

MODES = ("max", "min")
_STATUSES = ("complete", "error", "incomplete", "running")
_SHOWN = 6  # faults of one file
_VALUE_SHOWN = 40  # characters

_KINDS: dict[type, str] = {dict: "an object", list: "a list", str: "a text", float: "a number"}
_PARTS: dict[str, type] = {
    **dict.fromkeys(("primary", "repeats", "oracle", "choice", "profile", "resumed", "stopped"), dict),
    **dict.fromkeys(("thresholds", "stages", "versions", "counts", "config"), dict),
    **dict.fromkeys(("metrics", "baselines", "ablation", "devices", "merged"), list),
    **dict.fromkeys(("status", "run_id", "digest", "started", "experiment"), str),
    "seconds": float,
}
"""The parts of the file, as `Summary` reads them. A part may be missing, or null."""


def reported(file: Path) -> tuple[Summary | None, tuple[str, ...]]:
    """The summary in metrics.json, if it can be read, and what of the file is not used, and why; for its author."""
    try:
        summary = read_summary(file)
    except TargetError as error:
        what = error.what.replace(str(file), file.name)  # the same words, wherever the file is
        return None, (f"{what}: it stays a file, and no metrics are read from it",)
    found = [] if summary is None else [f"{file.name}: {fault}" for fault in faults(summary)]
    more = len(found) - _SHOWN
    return summary, (*found[:_SHOWN], *([f"{file.name} has {more} more faults of such kinds"] if more > 0 else []))


def too_large(directory: Path) -> Iterator[str]:
    """Which other files of a run are not read as a whole, a sentence each."""
    for name, most in (("oof.csv", OOF_MAX), ("metrics.jsonl", EVENTS_MAX)):
        with contextlib.suppress(OSError):
            if (size := (directory / name).stat().st_size) > most:
                yield f"{name} has {size:,} bytes, and is read up to {most:,}: the rest is not used"


def faults(summary: Summary) -> Iterator[str]:
    """What of a summary's JSON is not used, a sentence each."""
    data = summary.to_json()
    for name, kind in _PARTS.items():
        if not _is(data.get(name), kind):
            yield f"{name} is {_shown(data[name])}, not {_KINDS[kind]}, and is not used"
    if summary.status not in ("", *_STATUSES):
        yield f'status is {_shown(summary.status)}, and only "complete" makes a finished run'
    yield from _primary(summary, data.get("primary"))
    yield from _metrics(summary, data.get("metrics"))
    if isinstance(repeats := data.get("repeats"), dict):
        yield from _measure("repeats", repeats, "mean", "sd")
    for place, each in _entries("baselines", data.get("baselines")):
        yield from _numbers(place, each, "value") if isinstance(each, dict) else [_no_object(place, each)]
    for name in ("stages", "thresholds"):
        if isinstance(part := data.get(name), dict):
            yield from _numbers(name, part, *part)


def _primary(summary: Summary, data: object) -> Iterator[str]:
    if not isinstance(data, dict):
        return
    if not text(data.get("name")):
        yield "primary has no name: there is no primary metric"
        return
    yield from _measure("primary", data, "value")
    if summary.status == "complete" and data.get("value") is None and summary.value_of(summary.primary_name) is None:
        yield f"primary has no value of {summary.primary_name} (NaN and infinity are none): the run is not compared"


def _metrics(summary: Summary, data: object) -> Iterator[str]:
    seen: dict[str, str] = {summary.primary.name: summary.primary.mode} if summary.primary else {}
    names = set[str]()
    for place, each in _entries("metrics", data):
        if not isinstance(each, dict):
            yield _no_object(place, each)
            continue
        name, mode = text(each.get("name")), text(each.get("mode"))
        if not name:
            yield f"{place} has no name, and is not used"
            continue
        if name in names:
            yield f"{place} is {name} again: the first one is used"
        names.add(name)
        yield from _measure(f"{place} ({name})", each, "mean", "sd", "n")
        if mode in MODES and seen.setdefault(name, mode) in MODES and seen[name] != mode:
            yield f'{place}: the mode of {name} is "{mode}", and elsewhere in the file "{seen[name]}"'
        if not _is(each.get("folds"), list):
            yield f"{place}.folds is {_shown(each['folds'])}, not a list, and is not used"
        for at, fold in _entries(f"{place}.folds", each.get("folds")):
            yield from _numbers(at, fold, "value", "n") if isinstance(fold, dict) else [_no_object(at, fold)]


def _measure(place: str, data: dict[str, Any], *names: str) -> Iterator[str]:
    """Faults of a metric's direction and of these numbers."""
    if text(data.get("mode")) not in MODES:
        mode = f"is {_shown(data['mode'])}" if "mode" in data else "is missing"
        yield f'the mode of {place} {mode}: without "max" or "min" it is not compared'
    yield from _numbers(place, data, *names)


def _numbers(place: str, data: dict[str, Any], *names: str) -> Iterator[str]:
    for name in names:
        if not _is(data.get(name), float):
            yield f"{place}.{clean(name)} is {_shown(data[name])}, not a number up to 1e100, and is not used"


def _entries(place: str, data: object) -> Iterator[tuple[str, Any]]:
    """The entries of a list, each with its place; none if it is no list."""
    yield from ((f"{place}[{at}]", each) for at, each in enumerate(data if isinstance(data, list) else ()))


def _no_object(place: str, value: object) -> str:
    return f"{place} is {_shown(value)}, not an object, and is not used"


def _is(value: object, kind: type) -> bool:
    if value is None:
        return True
    return number(value) is not None if kind is float else isinstance(value, kind)


def _shown(value: object) -> str:
    shown = clean(json.dumps(value, ensure_ascii=False))
    return shown if len(shown) <= _VALUE_SHOWN else f"{shown[:_VALUE_SHOWN]}..."
