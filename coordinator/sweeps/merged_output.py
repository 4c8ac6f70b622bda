"""Merges the outputs of single folds' runs: rows, events and summary, as of one run of all folds.

The primary metric, and what a trivial prediction scores in it, are means over the images, as its per-image values in
oof.csv are; a metric's `mean` and `sd` are over its folds (the sample's standard deviation).
"""

from __future__ import annotations

import csv
import io
import math
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from coordinator.errors import RunFailed
from coordinator.results import events, summary as metrics

OOF, EVENTS = "oof.csv", "metrics.jsonl"


def merged_oof(whole: str, folders: Sequence[Path], of_all: frozenset[str]) -> str:
    """The rows of every oof.csv, sorted by the first column, each image once; the columns `of_all` are left blank."""
    header: list[str] = []
    rows: dict[str, list[str]] = {}
    for folder in folders:
        with (folder / OOF).open(encoding="utf-8", newline="") as file:
            own, *found = list(csv.reader(file)) or [[]]
        if header and own != header:
            raise RunFailed(
                f"{whole} cannot be merged: {folder.parent.name}/{OOF} has other columns than the first fold's"
            )
        header = own
        for row in found:
            if row[0] in rows:
                raise RunFailed(
                    f"{whole} cannot be merged: {row[0]} is in two folds",
                    hint="Were the runs made with other seeds, or on other data?",
                )
            rows[row[0]] = ["" if name in of_all else value for name, value in zip(header, row, strict=True)]
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([header, *(rows[name] for name in sorted(rows))])
    return text.getvalue()


def merged_events(folders: Sequence[Path]) -> str:
    """The lines of every metrics.jsonl, one fold's after the other's; their times are of their own sessions.

    A line that is none of JSON, or a fold without the file, is left out.
    """
    lines = []
    for number, folder in enumerate(folders):
        try:
            own = (folder / EVENTS).read_text(encoding="utf-8", errors="replace").splitlines()
        except FileNotFoundError:
            continue
        for line in own:
            event = events.event(f"{events.EVENT_PREFIX}{line}")
            # One run starts once and ends once.
            is_first, is_last = number == 0, number == len(folders) - 1
            if event is not None and (is_first or event["event"] != "start") and (is_last or event["event"] != "end"):
                lines.append(f"{line}\n")
    return "".join(lines)


def merged_summary(summaries: Sequence[Mapping[str, Any]], of_all: frozenset[str]) -> dict[str, Any]:
    """One summary of all folds, from the summaries of the single folds.

    What was found out by one fold's run about its own pictures alone (a chosen rule, bottlenecks) is left out.
    """
    first = summaries[0]
    name = str(metrics.primary_name(dict(first)))
    sizes = [_images(summary, name) for summary in summaries]
    values = [metrics.primary_value(dict(summary)) for summary in summaries]
    same = {
        key: first[key]
        for key in ("schema", "versions", "devices", "counts")
        if key in first and all(summary.get(key) == first[key] for summary in summaries)
    }
    return {
        **same,
        "status": "complete",
        "error": None,
        "started": min((str(each["started"]) for each in summaries if "started" in each), default=None),
        "seconds": _sum(each.get("seconds") for each in summaries),
        "primary": {**first["primary"], "value": _weighted(values, sizes)},
        "metrics": [_merged_metric(each, summaries) for each in _shared(summaries) if each["name"] not in of_all],
        "baselines": [
            {
                **baseline,
                "value": _weighted(
                    [dict(metrics.baselines(dict(each), name)).get(str(baseline["name"])) for each in summaries], sizes
                ),
            }
            for baseline in first.get("baselines") or ()
            if baseline.get("metric") == name
        ],
        "stages": _stages(summaries),
    }


def _shared(summaries: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The first summary's metrics that are over folds and that every other one has, too."""
    names = [{each.get("name") for each in summary.get("metrics") or () if each.get("folds")} for summary in summaries]
    return [each for each in summaries[0].get("metrics") or () if all(each.get("name") in found for found in names)]


def _merged_metric(metric: Mapping[str, Any], summaries: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    folds = [
        fold
        for summary in summaries
        for each in summary["metrics"]
        if each.get("name") == metric["name"]
        for fold in each["folds"]
    ]
    values = [fold["value"] for fold in folds if isinstance(fold.get("value"), int | float)]
    return {
        **metric,
        "folds": sorted(folds, key=lambda fold: int(fold["fold"])),
        "mean": statistics.fmean(values) if values else None,
        "sd": statistics.stdev(values) if len(values) > 1 else None,
        "n": sum(fold.get("n") or 0 for fold in folds),
    }


def _images(summary: Mapping[str, Any], name: str) -> int:
    """How many images the metric is over; 1 if that is not known, so that every run counts the same."""
    table = next((each for each in metrics.metric_tables(dict(summary)) if each.name == name), None)
    return table.n if table is not None and table.n else 1


def _weighted(values: Sequence[float | None], weights: Sequence[int]) -> float | None:
    known = [value for value in values if value is not None and math.isfinite(value)]
    if len(known) < len(values):
        return None
    return sum(value * weight for value, weight in zip(known, weights, strict=True)) / sum(weights)


def _stages(summaries: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    names = dict.fromkeys(name for summary in summaries for name in summary.get("stages") or ())
    return {name: _sum((summary.get("stages") or {}).get(name) for summary in summaries) for name in names}


def _sum(values: Any) -> float:
    return round(sum(value for value in values if isinstance(value, int | float)), 3)
