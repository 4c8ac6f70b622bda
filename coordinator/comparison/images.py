"""Compares two sides image by image, on the images and folds that both have."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from statistics import fmean

from coordinator.comparison import intervals as statistics
from coordinator.comparison.configs import attached
from coordinator.comparison.intervals import Interval
from coordinator.comparison.seeds import Sample
from coordinator.comparison.sides import Repeat, Side
from coordinator.errors import NotComparable
from coordinator.project import Project
from coordinator.results import OutOfFold, oof


@dataclasses.dataclass(frozen=True)
class Images:
    """The difference on out-of-fold images: mean of b minus mean of a."""

    interval: Interval | None
    images: int
    is_paired: bool
    why: str = ""
    """Why it is not paired, or why there is no difference."""


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

    @property
    def sample(self) -> Sample:
        """The values, each with its assignment of images to folds if that is known of all."""
        found = [self.rows[each].assignment for each in self.side.repeats if each in self.rows]
        splits = tuple(found) if len(found) == len(self.side.repeats) else None
        return Sample(self.side.name, self.side.values, splits)


def with_rows(side: Side, metric: str) -> Measured:
    """The side, its out-of-fold rows read. Raises TargetError if a file of them is malformed."""
    read = {repeat: oof.read(repeat.oof, metric) for repeat in side.repeats if repeat.oof is not None}
    return Measured(side, {repeat: rows for repeat, rows in read.items() if rows is not None})


def check_data(project: Project, measured: Sequence[Measured]) -> None:
    """Raises NotComparable unless all were measured on the same images.

    As far as that is known: by the out-of-fold rows, by the number of images, and by the data that a config names,
    unless the rows show that different data have the same images.
    """
    sides = [each.side for each in measured]
    found = [(repeat.label, set(rows.folds)) for each in measured for repeat, rows in each.rows.items()]
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
    for each, read in zip(measured[1:], data[1:], strict=True):
        if read != data[0] and not (measured[0].rows and each.rows):
            one, other = (", ".join(filter(None, names)) or "nothing" for names in (data[0], read))
            raise NotComparable(
                f"{sides[0].name} reads {one}, {each.side.name} {other}: whether the images are the same is not known",
                hint="Out-of-fold rows (oof.csv) of both would show it.",
            )


def difference(a: Measured, b: Measured, level: float) -> Images:
    """Paired over the fold assignments that both sides have; a difference of means if there is none."""
    known = [[rows for rows in each.rows.values() if rows.values] for each in (a, b)]
    if not all(known):
        return Images(None, 0, is_paired=False, why="not both have out-of-fold rows in this metric here")
    common = set.intersection(*({rows.assignment for rows in each} for each in known))
    keep = [[rows for rows in each if not common or rows.assignment in common] for each in known]
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


def sharing(a: Measured, b: Measured) -> tuple[Repeat, Repeat] | None:
    """The newest runs of both with the same folds."""
    for first in a.side.repeats:
        for second in b.side.repeats:
            known = a.rows.get(first), b.rows.get(second)
            if known[0] and known[1] and first.folds and second.folds and known[0].assignment == known[1].assignment:
                return first, second
    return None


def folds(a: Repeat, b: Repeat) -> tuple[Fold, ...]:
    """The folds of two repeats side by side; empty if one of them reports none."""
    if not a.folds or not b.folds:
        return ()
    first, second = ({each.fold: each.value for each in side.folds} for side in (a, b))
    return tuple(Fold(fold, first.get(fold), second.get(fold)) for fold in dict.fromkeys([*first, *second]))


def _mean_by_image(rows: Sequence[OutOfFold], common: Iterable[str]) -> dict[str, float]:
    """Image -> the mean over the fold assignments, each of which is the mean over the runs that have it."""
    groups = [[each for each in rows if each.assignment == one] for one in sorted(common)] or [list(rows)]
    images = set.intersection(*(set(each.values) for each in rows))
    return {image: fmean(fmean(each.values[image] for each in group) for group in groups) for image in images}
