"""Reads what a kernel reports: events in its log (`COORD {json}` lines) and the summary in metrics.json."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from coordinator.errors import TargetError
from coordinator.results.untrusted import dicts, number, parse_json, whole
from coordinator.text import clean as clean  # part of how a log is read


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


def read_summary(file: Path) -> dict[str, Any] | None:
    """metrics.json, or None if the run left none. Raises TargetError if it is not what a kernel writes."""
    if not file.is_file():
        return None
    try:
        summary = parse_json(file.read_text(encoding="utf-8"))
    except (ValueError, OSError) as error:
        raise TargetError(f"{file} cannot be read as JSON: {error}") from error
    if not isinstance(summary, dict):
        raise TargetError(f"{file} is not a JSON object")
    return summary


def metric_tables(summary: dict[str, Any]) -> list[MetricTable]:
    """The metrics of a summary, the primary one first; parts that are missing are None."""
    tables = []
    for metric in dicts(summary.get("metrics")):
        folds = tuple(
            (clean(str(fold.get("fold"))), number(fold.get("value")), whole(fold.get("n")))
            for fold in dicts(metric.get("folds"))
        )
        tables.append(
            MetricTable(
                name=clean(str(metric.get("name"))),
                mode=clean(str(metric.get("mode"))),
                folds=folds,
                mean=number(metric.get("mean")),
                sd=number(metric.get("sd")),
                n=whole(metric.get("n")),
            )
        )
    primary = primary_name(summary)
    return sorted(tables, key=lambda table: table.name != primary)


@dataclass(frozen=True)
class Repeats:
    """One metric over repeats with several seeds."""

    metric: str
    values: tuple[float, ...]
    mean: float | None
    sd: float | None


def repeats(summary: dict[str, Any]) -> Repeats | None:
    """The summary's spread over seeds, if it has one of at least two."""
    found = summary.get("repeats")
    if not isinstance(found, dict):
        return None
    read = [number(each.get("value")) for each in dicts(found.get("values"))]
    values = tuple(value for value in read if value is not None)
    if len(values) < 2:
        return None
    return Repeats(clean(str(found.get("metric"))), values, number(found.get("mean")), number(found.get("sd")))


def primary_name(summary: dict[str, Any]) -> str | None:
    primary = summary.get("primary")
    return clean(str(primary["name"])) if isinstance(primary, dict) and "name" in primary else None


def primary_value(summary: dict[str, Any]) -> float | None:
    primary = summary.get("primary")
    return number(primary.get("value")) if isinstance(primary, dict) else None


def baselines(summary: dict[str, Any], metric: str) -> list[tuple[str, float | None]]:
    """(name, value) of what a trivial prediction would score in that metric."""
    return [
        (clean(str(item.get("name"))), number(item.get("value")))
        for item in dicts(summary.get("baselines"))
        if clean(str(item.get("metric"))) == metric
    ]


@dataclass(frozen=True)
class Bottlenecks:
    """What the score would be if one stage of the model were perfect, and where it is lost."""

    metric: str
    baseline: float | None
    alone: tuple[tuple[str, float | None, float | None], ...]
    """(stage, score with it alone replaced by the truth, its gain)"""
    ladder: tuple[tuple[str, float | None], ...]
    """(stage, score with it and all before it replaced)"""
    losses: tuple[tuple[str, float | None, int | None], ...]
    """(kind of error, what it takes from the score, images): they add up to what is missing from 1."""


def bottlenecks(summary: dict[str, Any]) -> Bottlenecks | None:
    """The summary's analysis of bottlenecks, if it has one."""
    oracle = summary.get("oracle")
    if not isinstance(oracle, dict):
        return None
    split = oracle.get("split")
    return Bottlenecks(
        metric=clean(str(oracle.get("metric"))),
        baseline=number(oracle.get("baseline")),
        alone=tuple(
            (clean(str(stage.get("name"))), number(stage.get("value")), number(stage.get("gain")))
            for stage in dicts(oracle.get("alone"))
        ),
        ladder=tuple((clean(str(rung.get("name"))), number(rung.get("value"))) for rung in dicts(oracle.get("ladder"))),
        losses=tuple(
            (clean(str(name)), number(part.get("loss")), whole(part.get("images")))
            for name, part in (split.items() if isinstance(split, dict) else ())
            if isinstance(part, dict)
        ),
    )


@dataclass(frozen=True)
class Ablated:
    """What one value of a setting is worth, everything else as the run has it."""

    setting: str
    value: str
    is_used: bool
    """Whether the run predicts with it."""
    metric: str
    images: int | None
    figures: tuple[float | None, ...]
    """Under the thresholds of the config, under the rule chosen out of fold, and under rules chosen fold by fold."""


def ablation(summary: dict[str, Any]) -> list[Ablated]:
    """The summary's rows of settings that were compared."""
    config = summary.get("config")
    used = config.get("predict") if isinstance(config, dict) else None
    return [
        Ablated(
            setting=clean(str(row.get("name"))),
            value=clean(str(row.get("value"))),
            is_used=isinstance(used, dict) and used.get(str(row.get("name"))) == row.get("value"),
            metric=clean(str(row.get("metric"))),
            images=whole(row.get("images")),
            figures=tuple(number(row.get(name)) for name in ("dice", "dice_chosen", "dice_nested")),
        )
        for row in dicts(summary.get("ablation"))
    ]
