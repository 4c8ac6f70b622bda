"""Compares two sides on their out-of-fold rows (images, say): on the rows and folds that both have.

Where each row has a value of the metric, by the mean of their differences; where the project names a scorer of the
whole table, by that.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from coordinator.comparison import intervals as statistics
from coordinator.comparison.configs import attached
from coordinator.comparison.intervals import Interval
from coordinator.comparison.scored import score_difference
from coordinator.comparison.seeds import Sample
from coordinator.comparison.sides import Repeat, Side
from coordinator.errors import CoordError, NotComparable, TargetError
from coordinator.project import Project
from coordinator.results import OutOfFold, Scorer, Table, oof, read_table, said, scorer_of


@dataclasses.dataclass(frozen=True)
class Images:
    """The difference on out-of-fold rows: b minus a, of their means or of the scores of all of them."""

    interval: Interval | None
    images: int
    is_paired: bool
    why: str = ""
    """Why it is not paired, or why there is no difference."""
    rows: str = "rows"
    """What the rows are, in the plural."""

    def to_json(self) -> dict[str, Any]:
        found = dataclasses.asdict(self)
        del found["rows"]
        return found


@dataclasses.dataclass(frozen=True)
class Fold:
    """One fold, with its value in each of two runs."""

    fold: str
    a: float | None
    b: float | None


@dataclasses.dataclass(frozen=True)
class Measured:
    """A side with its out-of-fold rows."""

    side: Side
    rows: Mapping[Repeat, OutOfFold]
    """Of those repeats that have some."""
    of: str = "rows"
    """What the rows are, in the plural."""
    is_table: bool = False
    """Whether the settings say where the predictions are, which the `scorer` scores as a whole."""
    scorer: Scorer | None = None
    """None if the settings name none for this metric."""
    faults: tuple[str, ...] = ()
    """Why a run's predictions cannot be read."""

    @property
    def sample(self) -> Sample:
        """The values, each with its assignment of rows to folds if that is known of all."""
        known = (self.rows.get(each) for each in self.side.repeats)
        found = [rows.assignment for rows in known if rows is not None and rows.are_folds_known]
        splits = tuple(found) if len(found) == len(self.side.repeats) else None
        return Sample(self.side.name, self.side.values, splits)


def with_rows(project: Project, side: Side, metric: str) -> Measured:
    """The side, its out-of-fold rows read. Raises TargetError if a file that coord's own form has is malformed."""
    settings = project.settings.metrics
    if settings.table is None:
        read = {repeat: oof.read(repeat.oof, metric) for repeat in side.repeats if repeat.oof is not None}
        return Measured(side, {repeat: rows for repeat, rows in read.items() if rows is not None}, settings.rows)
    found: dict[Repeat, OutOfFold] = {}
    faults = []
    for repeat in side.repeats:
        try:
            table = read_table(repeat.output, settings.table) if repeat.output is not None else None
        except CoordError as error:
            faults.append(f"{repeat.label}: {said(error, repeat.output or Path())}")
        else:
            found |= {repeat: table.as_out_of_fold()} if table is not None and table.ids else {}
    scorer = scorer_of(project) if side.is_primary else None
    return Measured(side, found, settings.rows, is_table=True, scorer=scorer, faults=tuple(faults))


def check_data(project: Project, measured: Sequence[Measured]) -> None:
    """Raises NotComparable unless all were measured on the same rows.

    As far as that is known: by the out-of-fold rows, by their number, and by the data that a config names,
    unless the rows show that they are the same in different data.
    """
    sides, of = [each.side for each in measured], measured[0].of
    found = [(repeat.label, set(rows.folds)) for each in measured for repeat, rows in each.rows.items()]
    for label, ids in found[1:]:
        first, those = found[0]
        if ids != those:
            raise NotComparable(
                f"{first} and {label} were measured on other {of}: {len(those)} and {len(ids)}, of which "
                f"{len(ids & those)} are in both",
                hint="Compare runs on the same data, with the same folds run.",
            )
    counts = [(repeat.label, repeat.images) for each in sides for repeat in each.repeats if repeat.images]
    for label, count in counts[1:]:
        if count != counts[0][1]:
            raise NotComparable(f"{counts[0][0]} was measured on {counts[0][1]} {of}, {label} on {count}")
    data = [attached(project, each.config) for each in sides]
    for each, read in zip(measured[1:], data[1:], strict=True):
        if read != data[0] and not (measured[0].rows and each.rows):
            one, other = (", ".join(filter(None, names)) or "nothing" for names in (data[0], read))
            raise NotComparable(
                f"{sides[0].name} reads {one}, {each.side.name} {other}: whether the {of} are the same is not known",
                hint="Out-of-fold rows (oof.csv) of both would show it.",
            )


def difference(a: Measured, b: Measured, level: float) -> Images:
    """Paired over the fold assignments that both sides have; without any, the rows of each are drawn apart."""
    if a.is_table and not (a.scorer and b.scorer and a.rows and b.rows):
        return Images(None, 0, is_paired=False, why=_why_not_scored(a, b), rows=a.of)
    known = [[rows for rows in each.rows.values() if rows.values or rows.table] for each in (a, b)]
    if not all(known):
        why = "not both have out-of-fold rows in this metric here"
        return Images(None, 0, is_paired=False, why=why, rows=a.of)
    common = set.intersection(*({rows.assignment for rows in each} for each in known))
    are_known = all(rows.are_folds_known for each in known for rows in each)
    # The rows are the same even if it is not known in which folds they were.
    is_paired = bool(common) or not are_known
    why = "" if is_paired else "no run of one has the folds of a run of the other"
    keep = [[rows for rows in each if not common or rows.assignment in common] for each in known]
    try:
        if a.scorer is not None:
            sides = [_weighted(each, common) for each in keep]
            interval, count = score_difference(a.scorer, *sides, paired=is_paired, level=level, of=a.of)
            return Images(interval, count, is_paired, why, a.of)
        return _of_means(*(_mean_by_row(rows, common) for rows in keep), why=why, level=level, of=a.of)
    except TargetError as error:
        return Images(None, 0, is_paired=False, why=error.what, rows=a.of)
    except ImportError:
        why = "the bootstrap needs numpy, which is not installed"
        return Images(None, 0, is_paired=is_paired, why=why, rows=a.of)


def _of_means(first: Mapping[str, float], second: Mapping[str, float], *, why: str, level: float, of: str) -> Images:
    """The difference of means; `why` says why rows are not paired, and is empty if they are."""
    both = sorted(first.keys() & second.keys())
    if not both:
        return Images(None, 0, is_paired=False, why=f"none of the {of} has a value on both sides", rows=of)
    if len(both) == 1:
        return Images(None, 1, is_paired=not why, why=f"only one of the {of} has a value on both sides", rows=of)
    if not why:
        differences = [second[row] - first[row] for row in both]
        interval = statistics.paired_bootstrap(differences, level=level, of=of)
        return Images(interval, len(both), is_paired=True, rows=of)
    sample = [first[row] for row in both], [second[row] for row in both]
    interval = statistics.unpaired_bootstrap(*sample, level=level, of=of)
    return Images(interval, len(both), is_paired=False, why=why, rows=of)


def _why_not_scored(a: Measured, b: Measured) -> str:
    if a.rows and b.rows:
        return "no score in [tool.coord.metrics] says what all of them are worth in this metric"
    return "not both have out-of-fold predictions that can be read"


def sharing(a: Measured, b: Measured) -> tuple[Repeat, Repeat] | None:
    """The newest runs of both with the same folds."""
    for first in a.side.repeats:
        for second in b.side.repeats:
            known = a.rows.get(first), b.rows.get(second)
            if known[0] and known[1] and first.folds and second.folds and known[0].assignment == known[1].assignment:
                return (first, second) if known[0].are_folds_known else None
    return None


def folds(a: Repeat, b: Repeat) -> tuple[Fold, ...]:
    """The folds of two repeats side by side; empty if one of them reports none."""
    if not a.folds or not b.folds:
        return ()
    first, second = ({each.fold: each.value for each in side.folds} for side in (a, b))
    return tuple(Fold(fold, first.get(fold), second.get(fold)) for fold in dict.fromkeys([*first, *second]))


def _mean_by_row(rows: Sequence[OutOfFold], common: Iterable[str]) -> dict[str, float]:
    """Row -> the mean over the fold assignments, each of which is the mean over the runs that have it."""
    groups = _groups(rows, common)
    ids = set.intersection(*(set(each.values) for each in rows))
    return {id_: fmean(fmean(each.values[id_] for each in group) for group in groups) for id_ in ids}


def _weighted(rows: Sequence[OutOfFold], common: Iterable[str]) -> list[tuple[float, Table]]:
    """The tables with their weights in a mean over the fold assignments, each the mean over the runs that have it."""
    groups = _groups(rows, common)
    return [(1 / len(groups) / len(group), each.table) for group in groups for each in group if each.table is not None]


def _groups(rows: Sequence[OutOfFold], common: Iterable[str]) -> list[list[OutOfFold]]:
    return [[each for each in rows if each.assignment == one] for one in sorted(common)] or [list(rows)]
