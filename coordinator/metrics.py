"""Reads what a kernel reports: events in its log (`COORD {json}` lines) and the summary in metrics.json."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from coordinator.errors import TargetError
from coordinator.printable import clean as clean  # part of how a log is read
from coordinator.target import LogRecord

EVENT_PREFIX = "COORD "

_METRICS_SHOWN = 3  # in a line about one event


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


class Lines:
    """Puts records together to whole lines, clean of control characters: record borders are not line borders."""

    def __init__(self) -> None:
        self._rest: dict[str, str] = {}

    def feed(self, record: LogRecord) -> list[str]:
        """The lines that this record completes."""
        *whole, self._rest[record.stream] = (self._rest.get(record.stream, "") + record.data).split("\n")
        return [clean(text) for text in whole]

    def end(self) -> list[str]:
        """What is left without a line's end."""
        left = [clean(text) for text in self._rest.values() if text]
        self._rest = {}
        return left


def lines(records: Iterable[LogRecord]) -> Iterator[str]:
    """The lines of a log."""
    whole = Lines()
    for record in records:
        yield from whole.feed(record)
    yield from whole.end()


def event(line: str) -> dict[str, Any] | None:
    """The event that a line of the log reports, if it does."""
    if not line.startswith(EVENT_PREFIX):
        return None
    try:
        found = _json(line.removeprefix(EVENT_PREFIX))
    except ValueError:
        return None
    return found if isinstance(found, dict) and isinstance(found.get("event"), str) else None


def describe(found: dict[str, Any]) -> str:
    """An event in a few words: `fold 0, epoch 3/8: val/dice 0.7123, train/loss 0.4321`; a repeat's with its seed."""
    words = [place] if (place := where(found)) else []
    if isinstance(found.get("text"), str):
        words.append(found["text"])
    shown = ", ".join(f"{name} {value:.4f}" for name, value in list(figures(found).items())[:_METRICS_SHOWN])
    return clean(": ".join(filter(None, [", ".join(words), shown]))) or clean(str(found["event"]))


def where(found: dict[str, Any]) -> str:
    """Where in a training an event is: `fold 0, epoch 3/8`, or an empty string."""
    words = []
    if isinstance(found.get("seed"), int):
        words.append(f"seed {found['seed']}")
    if isinstance(found.get("fold"), int):
        words.append(f"fold {found['fold']}")
    if isinstance(found.get("epoch"), int):
        total = found.get("epochs")
        words.append(f"epoch {found['epoch']}" + (f"/{total}" if isinstance(total, int) else ""))
    return ", ".join(words)


def figures(found: dict[str, Any]) -> dict[str, float]:
    """An event's metrics: what was measured on unseen data first, then the sum of the losses rather than its parts."""
    metrics = found.get("metrics")
    read = {clean(name): _number(value) for name, value in metrics.items()} if isinstance(metrics, dict) else {}
    numbers = {name: number for name, number in read.items() if number is not None}
    return {
        name: numbers[name]
        for name in sorted(numbers, key=lambda name: (name.startswith("train/"), name != "train/loss"))
    }


def read_summary(file: Path) -> dict[str, Any] | None:
    """metrics.json, or None if the run left none. Raises TargetError if it is not what a kernel writes."""
    if not file.is_file():
        return None
    try:
        summary = _json(file.read_text(encoding="utf-8"))
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
            (clean(str(fold.get("fold"))), _number(fold.get("value")), _whole(fold.get("n")))
            for fold in _list(metric.get("folds"))
        )
        tables.append(
            MetricTable(
                name=clean(str(metric.get("name"))),
                mode=clean(str(metric.get("mode"))),
                folds=folds,
                mean=_number(metric.get("mean")),
                sd=_number(metric.get("sd")),
                n=_whole(metric.get("n")),
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
    read = [_number(each.get("value")) for each in _list(found.get("values"))]
    values = tuple(value for value in read if value is not None)
    if len(values) < 2:
        return None
    return Repeats(clean(str(found.get("metric"))), values, _number(found.get("mean")), _number(found.get("sd")))


def primary_name(summary: dict[str, Any]) -> str | None:
    primary = summary.get("primary")
    return clean(str(primary["name"])) if isinstance(primary, dict) and "name" in primary else None


def primary_value(summary: dict[str, Any]) -> float | None:
    primary = summary.get("primary")
    return _number(primary.get("value")) if isinstance(primary, dict) else None


def baselines(summary: dict[str, Any], metric: str) -> list[tuple[str, float | None]]:
    """(name, value) of what a trivial prediction would score in that metric."""
    return [
        (clean(str(item.get("name"))), _number(item.get("value")))
        for item in _list(summary.get("baselines"))
        if clean(str(item.get("metric"))) == metric
    ]


def _json(text: str) -> Any:
    """What a kernel wrote, as JSON that can be written again: NaN becomes null. Raises ValueError."""
    try:
        found = json.loads(text, parse_constant=lambda _: None)
        json.dumps(found, ensure_ascii=False, allow_nan=False).encode("utf-8")
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    return found


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
        baseline=_number(oracle.get("baseline")),
        alone=tuple(
            (clean(str(stage.get("name"))), _number(stage.get("value")), _number(stage.get("gain")))
            for stage in _list(oracle.get("alone"))
        ),
        ladder=tuple(
            (clean(str(rung.get("name"))), _number(rung.get("value"))) for rung in _list(oracle.get("ladder"))
        ),
        losses=tuple(
            (clean(str(name)), _number(part.get("loss")), _whole(part.get("images")))
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
            images=_whole(row.get("images")),
            figures=tuple(_number(row.get(name)) for name in ("dice", "dice_chosen", "dice_nested")),
        )
        for row in _list(summary.get("ablation"))
    ]


def _list(value: Any) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:  # a whole number of hundreds of digits
        return None
    return number if math.isfinite(number) else None


def _whole(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None
