"""Merges the summaries of runs of single folds into one summary of all folds.

The primary metric, and what a trivial prediction scores in it, are means over the images, as its per-image values in
oof.csv are; a metric's `mean` and `sd` are over its folds (the sample's standard deviation).
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from typing import Any

from coordinator.results.summary import Summary
from coordinator.results.untrusted import mappings, number, whole


def merge_summaries(summaries: Sequence[Summary], of_all: frozenset[str], **identity: Any) -> Summary:
    """The summary of all folds. Every one of `summaries` has a primary value; `identity` is added to the result.

    Left out are the metrics named in `of_all`, and analyses that are about the images of one fold only (a chosen rule,
    bottlenecks).
    """
    first, read = summaries[0], [summary.to_json() for summary in summaries]
    sizes = [_images(summary, first.primary_name) for summary in summaries]
    same = {
        key: read[0][key]
        for key in ("schema", "versions", "devices", "counts")
        if key in read[0] and all(each.get(key) == read[0][key] for each in read)
    }
    stages = dict.fromkeys(name for summary in summaries for name in summary.stages)
    return Summary.parse(
        {
            **same,
            "status": "complete",
            "error": None,
            "started": min((each.started for each in summaries if each.started), default=None),
            "seconds": _sum(each.seconds for each in summaries),
            "primary": {**read[0]["primary"], "value": _weighted([each.primary_value for each in summaries], sizes)},
            "metrics": [
                _merged_metric(metric, read)
                for metric in mappings(read[0].get("metrics"))
                if metric.get("name") not in of_all and all(_folds(each, metric.get("name")) for each in read)
            ],
            "baselines": [
                {
                    **baseline,
                    "value": _weighted([_baseline(each, str(baseline.get("name"))) for each in summaries], sizes),
                }
                for baseline in mappings(read[0].get("baselines"))
                if baseline.get("metric") == first.primary_name
            ],
            "stages": {name: _sum(summary.stages.get(name) for summary in summaries) for name in stages},
            **identity,
        }
    )


def _folds(summary: dict[str, Any], metric: object) -> list[dict[str, Any]]:
    """The values of a metric over the folds of one run."""
    found = (each for each in mappings(summary.get("metrics")) if each.get("name") == metric)
    return [fold for each in found for fold in mappings(each.get("folds"))]


def _merged_metric(metric: dict[str, Any], summaries: Sequence[dict[str, Any]]) -> dict[str, Any]:
    folds = [fold for summary in summaries for fold in _folds(summary, metric.get("name"))]
    values = [value for fold in folds if (value := number(fold.get("value"))) is not None]
    return {
        **metric,
        "folds": sorted(folds, key=lambda fold: whole(fold.get("fold")) or 0),
        "mean": statistics.fmean(values) if values else None,
        "sd": statistics.stdev(values) if len(values) > 1 else None,
        "n": sum(whole(fold.get("n")) or 0 for fold in folds),
    }


def _images(summary: Summary, metric: str | None) -> int:
    """How many images the metric is over; 1 if that is not known, so that every run counts the same."""
    found = summary.metric(metric)
    return found.images if found and found.images else 1


def _baseline(summary: Summary, name: str) -> float | None:
    return next((each.value for each in summary.baselines_in(summary.primary_name) if each.name == name), None)


def _weighted(values: Sequence[float | None], weights: Sequence[int]) -> float | None:
    known = [value for value in values if value is not None]
    if len(known) < len(values):
        return None
    return sum(value * weight for value, weight in zip(known, weights, strict=True)) / sum(weights)


def _sum(values: Iterable[float | None]) -> float:
    return round(sum(value for value in values if value is not None), 3)
