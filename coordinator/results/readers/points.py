"""The measured points of a training, in which all readers agree, and the summary that is made of them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from coordinator.project import MetricsSettings
from coordinator.results.untrusted import float_of

PLACES = ("fold", "folds", "epoch", "epochs", "step", "seed")
"""Names of numbers that say where in a training a point is, and are no metrics."""


@dataclass(frozen=True)
class Point:
    """Metrics at one place of a training."""

    metrics: Mapping[str, float]
    fold: int | None = None
    """None if the program has no folds, or does not say."""
    epoch: float | None = None
    seed: int | None = None


@dataclass(frozen=True)
class Reading:
    """What a reader found."""

    source: str
    """The reader and the file: `csv: logs/fold0/metrics.csv and 4 more`."""
    points: tuple[Point, ...]
    """In the order in which they were measured."""
    final: Mapping[str, float] = field(default_factory=dict)
    """Values of the whole program, where it states them itself."""
    remarks: tuple[str, ...] = ()
    """What could not be read, each in a sentence."""


def summary_of(reading: Reading, settings: MetricsSettings, *, status: str) -> tuple[dict[str, Any], list[str]]:
    """The reading as the content of a metrics.json, and what the user should know about it.

    A fold's value is that of its last point, or with `epoch = "best"` that of the point where the primary metric is
    best. Without a primary metric in the settings there is none: nothing is assumed about which direction is better.
    """
    remarks = list(reading.remarks)
    values = _by_fold(reading.points, settings)
    names = list(dict.fromkeys([*reading.final, *(name for fold in values.values() for name in fold)]))
    primary = settings.primary
    if primary is not None and primary.name not in names:
        remarks.append(f'the primary metric "{primary.name}" is not in {reading.source}; there: {_listed(names)}')
        primary = None
    elif primary is None and names:
        remarks.append(
            f"which metric counts is not known: name it in pyproject.toml, for example [tool.coord.metrics] "
            f'primary = {{name = "{names[0]}", mode = "max"}}; found: {_listed(names)}'
        )
    modes = {**settings.modes, **({primary.name: primary.mode} if primary else {})}
    metrics = [_metric(name, modes.get(name, ""), values, reading.final) for name in names]
    means = {each["name"]: each["mean"] for each in metrics}
    chosen = None
    if primary is not None:
        # Where the program states no value of the whole, the mean over its folds stands for it.
        value = reading.final.get(primary.name, means[primary.name])
        chosen = {"name": primary.name, "mode": primary.mode, "value": value}
    return {
        "schema": 1,
        "status": status,
        "primary": chosen,
        "metrics": metrics,
        "read_from": reading.source,
    }, remarks


def numbers_in(found: Mapping[str, Any], prefix: str = "") -> dict[str, float]:
    """The numbers of nested data under dotted names; numbers that are written as text count, too."""
    result: dict[str, float] = {}
    for key, value in found.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping):
            result |= numbers_in(value, f"{name}.")
        elif (number := number_of(value)) is not None:
            result[name] = number
    return result


def number_of(value: object) -> float | None:
    """The number, also of a text that is one; None for anything else, for NaN, and beyond 1e100 (see `float_of`)."""
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            return None
    found = float_of(value)
    return None if math.isnan(found) else found


def whole_of(value: object) -> int | None:
    """The number without what follows its point; None for what `number_of` refuses, infinity, and beyond 2^53."""
    found = number_of(value)
    return int(found) if found is not None and abs(found) <= 2**53 else None


def _by_fold(points: Iterable[Point], settings: MetricsSettings) -> dict[int | None, dict[str, float]]:
    """Fold -> the value of each metric there."""
    folds: dict[int | None, list[Point]] = {}
    for point in points:
        folds.setdefault(point.fold, []).append(point)
    if len(folds) > 1:
        folds.pop(None, None)  # points of the whole program, not of a fold
    return {fold: _chosen(found, settings) for fold, found in folds.items()}


def _chosen(points: Sequence[Point], settings: MetricsSettings) -> dict[str, float]:
    last: dict[str, float] = {}
    for point in points:
        last |= {name: value for name, value in point.metrics.items() if math.isfinite(value)}
    primary = settings.primary
    if settings.epoch == "last" or primary is None:
        return last
    sign = 1 if primary.mode == "max" else -1
    measured = [point for point in points if math.isfinite(point.metrics.get(primary.name, math.nan))]
    best = max(measured, key=lambda point: sign * point.metrics[primary.name], default=None)
    return last if best is None else {**last, **best.metrics}


def _metric(
    name: str, mode: str, values: Mapping[int | None, Mapping[str, float]], final: Mapping[str, float]
) -> dict[str, Any]:
    import statistics  # not above: it loads decimal, fractions and random, and `coord status` needs no mean

    folds = [(fold, found[name]) for fold, found in values.items() if name in found]
    numbers = [value for _, value in folds if math.isfinite(value)]
    mean = statistics.fmean(numbers) if numbers else None
    return {
        "name": name,
        "mode": mode,
        "folds": [{"fold": fold, "value": value, "n": None} for fold, value in folds if fold is not None],
        "mean": final.get(name) if mean is None else mean,
        "sd": statistics.stdev(numbers) if len(numbers) > 1 else None,
        "n": None,
    }


def _listed(names: Sequence[str], most: int = 8) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return f"{', '.join(names[:most])}{more}" if names else "no metric"
