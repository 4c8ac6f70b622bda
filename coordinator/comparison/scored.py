"""The difference of two sides in a metric of the whole table (AUC, RMSE, QWK): a bootstrap over rows."""

from __future__ import annotations

import math
from collections.abc import Sequence

from coordinator.comparison import intervals as statistics
from coordinator.comparison.intervals import Interval
from coordinator.errors import TargetError
from coordinator.results import Column, Scorer, Table

_OWN_MOST = 1000
_OWN_DRAWS = 20_000_000
"""A project's own function is slower than coord's: 1000 resamples of up to 20 000 rows."""
_SAME = 1e-6  # relative: targets that were rounded in one of the files are the same

Weighted = Sequence[tuple[float, Table]]
"""The tables of one side, whose value is the weighted mean of theirs; the weights add up to 1."""


def score_difference(
    scorer: Scorer, a: Weighted, b: Weighted, *, paired: bool, level: float, of: str
) -> tuple[Interval, int]:
    """(the percentile interval of b - a, the number of rows), on the rows that all tables have.

    All rows of a resample are scored, for each table: Efron & Tibshirani, An Introduction to the Bootstrap (1993),
    chapter 13. `paired` draws the same rows for both sides. `of` says what the rows are. Raises TargetError if they
    cannot be scored, ImportError without numpy.
    """
    import numpy as np

    tables = [table for _, table in (*a, *b)]
    targets, predictions = _common(tables, of)
    rows = len(targets)
    most = {"most": _OWN_MOST, "draws": _OWN_DRAWS} if scorer.is_own else {}
    resamples = statistics.resamples_of(rows, **most)
    if paired:
        scores = scorer.scores(targets, predictions, resamples=resamples)
    else:
        apart = predictions[: len(a)], predictions[len(a) :]
        drawn = [scorer.scores(targets, each, resamples=resamples, seed=at) for at, each in enumerate(apart)]
        least = min(map(len, drawn))
        scores = np.hstack([each[:least] for each in drawn])
    differences = scores @ np.array([*(-weight for weight, _ in a), *(weight for weight, _ in b)])
    found = differences[1:][np.isfinite(differences[1:])]
    if len(scores) <= statistics.LEAST:
        raise TargetError(f"{scorer.name} is too slow: {len(scores) - 1} of {statistics.LEAST} resamples in a minute")
    if len(found) < len(scores) / 2:
        raise TargetError(f"{scorer.name} has a value on {len(found)} of {len(scores) - 1} resamples only")
    fewer = f", {len(found)} resamples" if len(found) < statistics.RESAMPLES else ""
    method = f"{'paired' if paired else 'unpaired'} percentile bootstrap of {scorer.name} over {of}{fewer}"
    return statistics.percentiles(float(differences[0]), found, level, method), rows


def _common(tables: Sequence[Table], of: str) -> tuple[Column, list[list[Column]]]:
    """(targets, the predictions of each table) on the rows that all tables have, with a target and a prediction."""
    places = [{table.ids[at]: at for at in table.complete} for table in tables]
    both = sorted(set.intersection(*(set(each) for each in places)))
    if not both:
        raise TargetError(f"none of the {of} has a target and a prediction on both sides")
    if len(both) == 1:
        raise TargetError(f"only one of the {of} has a target and a prediction on both sides")
    picked = [[each[id_] for id_ in both] for each in places]
    targets = [_picked(table.targets, rows) for table, rows in zip(tables, picked, strict=True)]
    for other in targets[1:]:
        differ = sum(not _is_same(one, two) for one, two in zip(targets[0], other, strict=True))
        if differ:
            raise TargetError(f"{differ} of {len(both)} {of} have another target on the other side")
    columns = [
        [_picked(column, rows) for column in table.predictions] for table, rows in zip(tables, picked, strict=True)
    ]
    return targets[0], columns


def _picked(column: Column, rows: Sequence[int]) -> Column:
    return [column[at] for at in rows]


def _is_same(one: float | str, other: float | str) -> bool:
    if isinstance(one, str) or isinstance(other, str):
        return one == other
    return math.isclose(one, other, rel_tol=_SAME, abs_tol=_SAME)
