"""Rank correlation of two series: whether CV and a score give runs the same order."""

from __future__ import annotations

import dataclasses
import math
import statistics
from collections.abc import Iterable, Sequence
from itertools import combinations

PARTS = ("public", "private")
_ENOUGH = 3  # runs; with fewer, an order shows nothing


@dataclasses.dataclass(frozen=True)
class Agreement:
    """Whether CV and a score put runs in the same order. 1 is: the better by CV, the better by score."""

    target: str
    competition: str
    metric: str
    mode: str
    part: str
    """public or private"""
    n: int
    """Runs that have both."""
    spearman: float | None
    """None with too few runs, or if all runs have the same value on one side."""
    kendall: float | None


def agreement(
    place: tuple[str, str, str, str],
    part: str,
    pairs: Iterable[tuple[float | None, float | None]],
    score_mode: str,
) -> Agreement:
    """Of (target, competition, metric, mode) and pairs of a run's CV and score, of which those count that have both."""
    target, competition, metric, mode = place
    both = [(cv, score) for cv, score in pairs if cv is not None and score is not None]
    # With signs so that more is better on both sides.
    ours = [cv if mode == "max" else -cv for cv, _ in both]
    theirs = [score if score_mode == "max" else -score for _, score in both]
    enough = len(both) >= _ENOUGH
    return Agreement(
        target=target,
        competition=competition,
        metric=metric,
        mode=mode,
        part=part,
        n=len(both),
        spearman=spearman(ours, theirs) if enough else None,
        kendall=kendall(ours, theirs) if enough else None,
    )


def spearman(first: Sequence[float], second: Sequence[float]) -> float | None:
    """Spearman's rho: Pearson's correlation of the ranks, ties with their mean rank (C. Spearman, 1904).

    None for fewer than two values, or where one series is the same throughout.
    """
    try:
        return statistics.correlation(_ranks(first), _ranks(second))
    except statistics.StatisticsError:
        return None


def kendall(first: Sequence[float], second: Sequence[float]) -> float | None:
    """Kendall's tau-b, which allows for ties (M. G. Kendall, The Treatment of Ties in Ranking Problems, 1945).

    None for fewer than two values, or where one series is the same throughout.
    """
    score, untied_first, untied_second = 0, 0, 0
    for (a, b), (c, d) in combinations(zip(first, second, strict=True), 2):
        one, other = _sign(a - c), _sign(b - d)
        score += one * other
        untied_first += one != 0
        untied_second += other != 0
    if not untied_first or not untied_second:
        return None
    return score / math.sqrt(untied_first * untied_second)


def _ranks(values: Sequence[float]) -> list[float]:
    """Ranks from 1; equal values have the mean of their ranks."""
    order = sorted(values)
    first = {value: place for place, value in reversed(list(enumerate(order, start=1)))}
    last = {value: place for place, value in enumerate(order, start=1)}
    return [(first[value] + last[value]) / 2 for value in values]


def _sign(value: float) -> int:
    return (value > 0) - (value < 0)
