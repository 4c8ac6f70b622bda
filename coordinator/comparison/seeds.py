"""The difference over seeds: a t interval over the runs of both sides, whichever folds they had.

Runs with the same assignment of images to folds are correlated. If one side has an assignment more often than the
other, that looks like an effect of the config: with one set of folds for all runs of one side, another set for all runs
of the other, and five runs each, a plain t interval finds a difference that does not exist in 37 of 100 cases (if other
folds change as much as other seeds do).
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Mapping, Sequence
from statistics import fmean

from coordinator.comparison import intervals as statistics
from coordinator.comparison.intervals import Interval, Spread

_WORTH_PAIRING = 3
"""Degrees of freedom. With fewer, pairing costs more precision than it gains."""


@dataclasses.dataclass(frozen=True)
class Sample:
    """One side's values, one of each run."""

    name: str
    values: tuple[float, ...]
    splits: tuple[str, ...] | None = None
    """The assignment of images to folds of each value, equal texts for equal ones; None if not all are known."""


@dataclasses.dataclass(frozen=True)
class OverSeeds:
    """b - a over seeds."""

    interval: Interval
    spread: Spread
    """The spread of one value."""
    counts: tuple[int, int]
    """How many values of a and of b were used: runs, or sets of folds."""
    of: str = "seed"
    """What one value is: a `seed`, or a `set of folds`."""
    is_within_folds: bool = False
    """Whether only runs with the same folds were compared, in several sets of folds."""
    are_folds_apart: bool = False
    """Whether the sides have no set of folds in common: effects of config and folds cannot be separated."""


def over_seeds(a: Sample, b: Sample, *, level: float) -> OverSeeds | None:
    """The interval of b - a, from at least two values of each; None if the values have no spread.

    If all have one set of folds, or each has its own: Student's t or Welch's. With several sets that both sides have:
    differences within each set, if there are enough. With sets that are not evenly shared: the mean of a set counts as
    one value.
    """
    found = _chosen(a, b, level)
    return None if statistics.is_rounding(found.spread.sd, (*a.values, *b.values)) else found


def _chosen(a: Sample, b: Sample, level: float) -> OverSeeds:
    if a.splits is None or b.splits is None or len({*a.splits, *b.splits}) == 1:
        return _plain(a.values, b.values, level)
    first, second = _by_split(a), _by_split(b)
    common = first.keys() & second.keys()
    df = sum(len(side[split]) for side in (first, second) for split in common) - len(common) - 1
    if df >= _WORTH_PAIRING:
        return _within(first, second, level)
    if _is_balanced(a.splits, b.splits):
        return _plain(a.values, b.values, level)
    if len(first) > 1 and len(second) > 1:
        means = [[fmean(values) for values in side.values()] for side in (first, second)]
        return dataclasses.replace(_plain(means[0], means[1], level), of="set of folds")
    if df > 0:
        return _within(first, second, level)
    return dataclasses.replace(_plain(a.values, b.values, level), are_folds_apart=True)


def _plain(a: Sequence[float], b: Sequence[float], level: float) -> OverSeeds:
    spread = statistics.pooled([a, b])
    assert spread is not None, "over seeds takes repeats"
    return OverSeeds(statistics.t_interval(a, b, level=level), spread, (len(a), len(b)))


def _within(a: Mapping[str, Sequence[float]], b: Mapping[str, Sequence[float]], level: float) -> OverSeeds:
    interval, spread = statistics.blocked_interval(a, b, level=level)
    common = a.keys() & b.keys()
    counts = (sum(len(a[split]) for split in common), sum(len(b[split]) for split in common))
    return OverSeeds(interval, spread, counts, is_within_folds=len(common) > 1)


def _by_split(sample: Sample) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {}
    for split, value in zip(sample.splits or (), sample.values, strict=True):
        found.setdefault(split, []).append(value)
    return found


def _is_balanced(a: Sequence[str], b: Sequence[str]) -> bool:
    """Whether folds cannot look like a difference: none comes twice on a side, or each has equal shares of both."""
    first, second = Counter(a), Counter(b)
    is_single = max(first.values()) == max(second.values()) == 1
    return is_single or all(first[split] * len(b) == second[split] * len(a) for split in {*first, *second})
