"""Two sides on the images that both were measured on, and on the folds that these were in."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from statistics import fmean

from coordinator.comparison import intervals as statistics
from coordinator.comparison.configs import attached
from coordinator.comparison.intervals import Interval
from coordinator.comparison.sides import Repeat, Side
from coordinator.errors import NotComparable
from coordinator.project import Project
from coordinator.results import oof


@dataclasses.dataclass(frozen=True)
class Images:
    """The difference on out-of-fold images: mean of b - mean of a."""

    interval: Interval | None
    images: int
    is_paired: bool
    why: str = ""
    """Why it is not paired, or why there is none."""


@dataclasses.dataclass(frozen=True)
class Fold:
    """One fold of two runs."""

    fold: str
    a: float | None
    b: float | None


def rows(side: Side, metric: str) -> dict[Repeat, oof.OutOfFold]:
    """The out-of-fold rows of its repeats, of those that have some."""
    read = {repeat: oof.read(repeat.oof, metric) for repeat in side.repeats if repeat.oof is not None}
    return {repeat: rows for repeat, rows in read.items() if rows is not None}


def check_data(project: Project, sides: Sequence[Side], rows: Sequence[Mapping[Repeat, oof.OutOfFold]]) -> None:
    """Raises NotComparable unless all were measured on the same images.

    As far as that is known: by out-of-fold rows, by how many images there were, and by the data that a config names,
    where no rows say that other data have the same images.
    """
    found = [(repeat.label, set(each.folds)) for by_repeat in rows for repeat, each in by_repeat.items()]
    for label, images in found[1:]:
        first, those = found[0]
        if images != those:
            raise NotComparable(
                f"{first} and {label} were measured on other images: {len(those)} and {len(images)}, of which "
                f"{len(images & those)} are in both",
                hint="Compare runs on the same data, with the same folds run.",
            )
    counts = [(repeat.label, repeat.images) for each in sides for repeat in each.repeats if repeat.images]
    for label, count in counts[1:]:
        if count != counts[0][1]:
            raise NotComparable(f"{counts[0][0]} was measured on {counts[0][1]} images, {label} on {count}")
    data = [attached(project, each.config) for each in sides]
    for side, read, has_rows in zip(sides[1:], data[1:], rows[1:], strict=True):
        if read != data[0] and not (rows[0] and has_rows):
            one, other = (", ".join(filter(None, each)) or "nothing" for each in (data[0], read))
            raise NotComparable(
                f"{sides[0].name} reads {one}, {side.name} {other}: that these are the same images is not known",
                hint="Out-of-fold rows (oof.csv) of both would say so.",
            )


def difference(a: Mapping[Repeat, oof.OutOfFold], b: Mapping[Repeat, oof.OutOfFold], level: float) -> Images:
    """Paired over the fold assignments that both sides have; a difference of means where there is none."""
    a, b = ({repeat: each for repeat, each in side.items() if each.values} for side in (a, b))
    if not a or not b:
        return Images(None, 0, is_paired=False, why="not both have out-of-fold rows in this metric here")
    common = {each.assignment for each in a.values()} & {each.assignment for each in b.values()}
    keep = [[rows for rows in side.values() if not common or rows.assignment in common] for side in (a, b)]
    first, second = (_mean_by_image(rows, common) for rows in keep)
    both = sorted(first.keys() & second.keys())
    if not both:
        return Images(None, 0, is_paired=False, why="no image has a value on both sides")
    try:
        if common:
            differences = [second[image] - first[image] for image in both]
            return Images(statistics.paired_bootstrap(differences, level=level), len(both), is_paired=True)
        sample = [first[image] for image in both], [second[image] for image in both]
        why = "no run of one has the folds of a run of the other"
        return Images(statistics.unpaired_bootstrap(*sample, level=level), len(both), is_paired=False, why=why)
    except ImportError:
        why = "the bootstrap needs numpy, which is not installed"
        return Images(None, len(both), is_paired=bool(common), why=why)


def sharing(
    a: Side, b: Side, rows_a: Mapping[Repeat, oof.OutOfFold], rows_b: Mapping[Repeat, oof.OutOfFold]
) -> tuple[Repeat, Repeat] | None:
    """The newest runs of both with the same folds."""
    for first in a.repeats:
        for second in b.repeats:
            known = rows_a.get(first), rows_b.get(second)
            if known[0] and known[1] and first.folds and second.folds and known[0].assignment == known[1].assignment:
                return first, second
    return None


def splits(side: Side, rows: Mapping[Repeat, oof.OutOfFold]) -> tuple[str, ...] | None:
    """Which assignment of images to folds each repeat had, equal texts for equal ones; None if not all are known."""
    found = [rows[each].assignment for each in side.repeats if each in rows]
    return tuple(found) if len(found) == len(side.repeats) else None


def folds(a: Repeat, b: Repeat) -> tuple[Fold, ...]:
    """Nothing if one of them reports none."""
    if not a.folds or not b.folds:
        return ()
    first, second = ({each.fold: each.value for each in side.folds} for side in (a, b))
    return tuple(Fold(fold, first.get(fold), second.get(fold)) for fold in dict.fromkeys([*first, *second]))


def _mean_by_image(rows: Sequence[oof.OutOfFold], common: Iterable[str]) -> dict[str, float]:
    """Image -> the mean over fold assignments of the mean over the runs that share one: each counts the same."""
    groups = [[each for each in rows if each.assignment == one] for one in sorted(common)] or [list(rows)]
    images = set.intersection(*(set(each.values) for each in rows))
    return {image: fmean(fmean(each.values[image] for each in group) for group in groups) for image in images}
