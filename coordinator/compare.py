"""The verb compare: is one config better than another, or was it luck?

What decides is the spread over seeds: out-of-fold images are shared by all runs, so that their bootstrap says how sure
one run's advantage over another is on these images, not whether the config would win again with another seed.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Mapping, Sequence
from statistics import fmean, stdev
from typing import Any, Literal

from coordinator import oof, statistics
from coordinator.errors import NotComparable, UsageError
from coordinator.experiment import Change
from coordinator.ledger import Ledger
from coordinator.project import Project
from coordinator.sides import Candidate, Repeat, Side, attached, common_metric, everything, find, side, without_seed
from coordinator.statistics import Interval, Spread

ALPHA = 0.05
_MOST_MORE = 20  # seeds that anybody would still add

Kind = Literal["better", "likely", "noise", "unknown"]


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


@dataclasses.dataclass(frozen=True)
class Verdict:
    """What can be said, in words.

    `better`: over seeds, for the config `winner`. `likely`: beyond the project's noise floor, but one side has a single
    run. `noise`: within the noise. `unknown`: nothing tells how large the noise is.
    """

    kind: Kind
    winner: str | None
    text: str


@dataclasses.dataclass(frozen=True)
class Comparison:
    """Side b against side a, which is the first of the command line."""

    a: Side
    b: Side
    mode: str
    level: float
    """Of each interval: 95%, or more where several are looked at."""
    changes: tuple[Change, ...]
    """What differs in the config: a's value and b's."""
    sources: tuple[str, ...]
    """Source files that differ."""
    folds: tuple[Fold, ...]
    """Of one run of each: the newest two with the same folds, if there are such."""
    fold_runs: tuple[str, str]
    are_folds_shared: bool
    """Whether the images of the folds shown are known to be the same."""
    images: Images
    seeds: Interval | None
    """b - a over seeds, or by the project's noise floor; None if neither is known."""
    verdict: Verdict

    @property
    def difference(self) -> float:
        """mean(b) - mean(a), whatever is better."""
        return fmean(self.b.values) - fmean(self.a.values)


@dataclasses.dataclass(frozen=True)
class Floor:
    """The noise floor: the standard deviation of single runs of one config, from all configs with repeats."""

    spread: Spread
    configs: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Report:
    """What `coord compare` answers."""

    metric: str
    mode: str
    sides: tuple[Side, ...]
    floor: Floor | None
    comparisons: tuple[Comparison, ...]
    luck: str | None
    """With one name only: how far two single runs of it may lie apart."""
    notes: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        return {
            "metric": self.metric,
            "mode": self.mode,
            "sides": [_side_json(each) for each in self.sides],
            "noise_floor": None
            if self.floor is None
            else {**dataclasses.asdict(self.floor.spread), "configs": list(self.floor.configs)},
            "comparisons": [_comparison_json(each) for each in self.comparisons],
            "luck": self.luck,
            "notes": list(self.notes),
        }

    def rows(self) -> list[dict[str, Any]]:
        """A row a comparison, flat; of one name alone, a row of what is known about it."""
        if self.luck is not None:
            return [{"metric": self.metric, "mode": self.mode, **_flat("a", self.sides[0]), "text": self.luck}]
        return [
            {
                "metric": self.metric,
                "mode": self.mode,
                **_flat("a", each.a),
                **_flat("b", each.b),
                "difference": each.difference,
                "level": each.level,
                "low": each.seeds.low if each.seeds else None,
                "high": each.seeds.high if each.seeds else None,
                "method": each.seeds.method if each.seeds else None,
                "images": each.images.images,
                "paired": each.images.is_paired,
                "images_low": each.images.interval.low if each.images.interval else None,
                "images_high": each.images.interval.high if each.images.interval else None,
                "verdict": each.verdict.kind,
                "winner": each.verdict.winner,
                "text": each.verdict.text,
            }
            for each in self.comparisons
        ]


def compare(
    project: Project,
    ledger: Ledger,
    names: Sequence[str],
    *,
    metric: str | None = None,
    paired: bool = False,
) -> Report:
    """Each name against the first; see `sides.find` for what a name may be.

    `paired` insists on the same images in the same folds. Raises NotComparable if a difference would say nothing,
    RunNotFound, UsageError.
    """
    repeated = {name for name in names if names.count(name) > 1}
    if repeated:
        raise UsageError(f"{', '.join(sorted(repeated))}: compared with itself", hint="One name alone shows its noise.")
    candidates = [find(project, ledger, name) for name in names]
    _check_apart(candidates)
    chosen, mode = common_metric(candidates, metric)
    sides = tuple(side(project, each, chosen) for each in candidates)
    rows = [_rows(each, chosen) for each in sides]
    _check_data(sides, rows)
    floor = noise_floor(project, everything(project, ledger), chosen, sides)
    level = 1 - ALPHA / max(len(sides) - 1, 1)
    comparisons = tuple(
        _compare(sides[0], sides[at], mode, rows[0], rows[at], floor, level=level, paired=paired)
        for at in range(1, len(sides))
    )
    notes = [note for each in sides for note in each.notes]
    if any(each.is_recorded for each in sides):
        notes.append("recorded figures were measured elsewhere: that their data and folds are the same is not known")
    if len(comparisons) > 1:
        notes.append(f"{len(comparisons)} comparisons: each interval is of {_percent(level)} (Bonferroni)")
    luck = _luck(sides[0], floor) if len(sides) == 1 else None
    return Report(chosen, mode, sides, floor, comparisons, luck, tuple(dict.fromkeys(notes)))


def noise_floor(project: Project, candidates: Iterable[Candidate], metric: str, like: Sequence[Side]) -> Floor | None:
    """The spread of single runs over seeds: pooled over all configs that have repeats in that metric.

    Only those count that read the same data as one of the sides `like`, by the settings named in `attached` and, where
    both are known, the number of images: a single fold is noisier than all of them.
    """
    data = {attached(project, each.config) for each in like}
    counts = {repeat.images for each in like for repeat in each.repeats} - {None}
    groups = {}
    for candidate in candidates:
        if attached(project, candidate.config) not in data or metric not in candidate.modes:
            continue
        found = side(project, candidate, metric)
        is_alike = not counts or {repeat.images for repeat in found.repeats} - {None} <= counts
        # No spread at all is no measurement of it: seeds that change nothing.
        if is_alike and len(found.values) > 1 and stdev(found.values) > 0:
            groups[candidate.name] = found.values
    spread = statistics.pooled(groups.values())
    return Floor(spread, tuple(groups)) if spread is not None else None


def judge(
    a: tuple[str, Sequence[float]],
    b: tuple[str, Sequence[float]],
    *,
    mode: str,
    level: float = 1 - ALPHA,
    floor: Floor | None = None,
    images: Interval | None = None,
) -> tuple[Interval | None, Verdict]:
    """The interval of b - a, and what it says; `a` and `b` are (name, values).

    With repeats of both, a t interval over them. Else the noise floor of other configs stands in for what is not known,
    and never proves more than that a repeat would be worth it. `images` is the difference on images.
    """
    estimate = fmean(b[1]) - fmean(a[1])
    best, interval = _best(a[0], b[0], estimate, mode), None
    if len(a[1]) > 1 and len(b[1]) > 1:
        own = statistics.pooled([a[1], b[1]])
        if own is None or own.sd == 0:
            return None, Verdict(
                "unknown",
                None,
                f"{_apart(best, estimate)}; no seed changes anything, so how large the noise is can't be told",
            )
        interval, spread = statistics.t_interval(a[1], b[1], level=level), own
        if interval.excludes_zero:
            text = f"{best} is better by {_interval(interval, level)}, {_seeds(len(a[1]), len(b[1]))}"
            return interval, Verdict("better", best, text)
        noise = "within the noise of one config"
    elif floor is not None:
        spread = floor.spread
        interval = statistics.spread_interval(
            estimate, spread, len(a[1]), len(b[1]), level=level, method="t with the noise floor"
        )
        single = " and ".join(name for name, values in (a, b) if len(values) == 1)
        if interval.excludes_zero:
            text = (
                f"{best} is ahead by {_interval(interval, level)}: more than the noise floor explains (sd "
                f"{figure(spread.sd)}); but {single} ran once: repeat that with other seeds before you believe it"
            )
            return interval, Verdict("likely", best, text)
        noise = f"within the noise floor (sd {figure(spread.sd)})"
    else:
        return None, Verdict("unknown", None, _on_images(best, estimate, images, level))
    more = _more(len(a[1]), len(b[1]), estimate, spread.sd, level)
    return interval, Verdict("noise", None, f"{noise}: you can't tell; {more}")


def figure(value: float) -> str:
    """A difference or a spread with two figures that count: 0.012, 0.00034."""
    return f"{value:.{_digits(value)}f}"


def _digits(value: float) -> int:
    """How many decimals show two figures that count, of a value that is finite."""
    return max(0, 1 - math.floor(math.log10(abs(value)))) if value else 0


def _compare(
    a: Side,
    b: Side,
    mode: str,
    rows_a: Mapping[str, oof.OutOfFold],
    rows_b: Mapping[str, oof.OutOfFold],
    floor: Floor | None,
    *,
    level: float,
    paired: bool,
) -> Comparison:
    images = _images(rows_a, rows_b, level)
    if paired and not images.is_paired:
        raise NotComparable(
            f"{a.name} and {b.name} cannot be paired: {images.why}",
            hint="Without --paired they are compared as they are.",
        )
    shared = _sharing(a, b, rows_a, rows_b)
    first, second = shared or (a.repeats[0], b.repeats[0])
    seeds, verdict = judge(
        (a.name, a.values), (b.name, b.values), mode=mode, level=level, floor=floor, images=images.interval
    )
    changes, sources = _changes(a, b), _sources(a, b)
    return Comparison(
        a=a,
        b=b,
        mode=mode,
        level=level,
        changes=changes,
        sources=sources,
        folds=_folds(first, second),
        fold_runs=(first.label, second.label),
        are_folds_shared=shared is not None,
        images=images,
        seeds=seeds,
        verdict=verdict,
    )


def _check_apart(candidates: Sequence[Candidate]) -> None:
    """Raises UsageError if two names stand for the same runs: repeats of one config."""
    for at, one in enumerate(candidates):
        for other in candidates[:at]:
            common = [run for run in one.runs if run in other.runs]
            if common:
                raise UsageError(
                    f"{other.name} and {one.name} are one config: {common[0].label} is a run of both",
                    hint="Runs that differ in nothing but the seed are repeats. Single ones are named so: NAME@v3.",
                )


def _rows(side: Side, metric: str) -> dict[str, oof.OutOfFold]:
    """The out-of-fold rows of its repeats by label, of those that have some."""
    read = {repeat.label: oof.read(repeat.oof, metric) for repeat in side.repeats if repeat.oof is not None}
    return {label: rows for label, rows in read.items() if rows is not None}


def _check_data(sides: Sequence[Side], rows: Sequence[Mapping[str, oof.OutOfFold]]) -> None:
    """Raises NotComparable unless all were measured on the same images, as far as that is known."""
    found = [(label, set(each.folds)) for by_label in rows for label, each in by_label.items()]
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


def _images(a: Mapping[str, oof.OutOfFold], b: Mapping[str, oof.OutOfFold], level: float) -> Images:
    """Paired over the fold assignments that both sides have; a difference of means where there is none."""
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


def _mean_by_image(rows: Sequence[oof.OutOfFold], common: Iterable[str]) -> dict[str, float]:
    """Image -> the mean over fold assignments of the mean over the runs that share one: each counts the same."""
    groups = [[each for each in rows if each.assignment == one] for one in sorted(common)] or [list(rows)]
    images = set.intersection(*(set(each.values) for each in rows))
    return {image: fmean(fmean(each.values[image] for each in group) for group in groups) for image in images}


def _sharing(
    a: Side, b: Side, rows_a: Mapping[str, oof.OutOfFold], rows_b: Mapping[str, oof.OutOfFold]
) -> tuple[Repeat, Repeat] | None:
    """The newest runs of both with the same folds."""
    for first in a.repeats:
        for second in b.repeats:
            known = rows_a.get(first.label), rows_b.get(second.label)
            if known[0] and known[1] and first.folds and second.folds and known[0].assignment == known[1].assignment:
                return first, second
    return None


def _folds(a: Repeat, b: Repeat) -> tuple[Fold, ...]:
    first, second = ({fold: value for fold, value, _ in each.folds} for each in (a, b))
    return tuple(Fold(fold, first.get(fold), second.get(fold)) for fold in dict.fromkeys([*first, *second]))


def _changes(a: Side, b: Side) -> tuple[Change, ...]:
    first, second = without_seed(a.config), without_seed(b.config)
    paths = dict.fromkeys([*first, *second])
    return tuple(
        Change(path, first.get(path), second.get(path)) for path in paths if first.get(path) != second.get(path)
    )


def _sources(a: Side, b: Side) -> tuple[str, ...]:
    if not a.files or not b.files:
        return ()
    return tuple(path for path in sorted({*a.files, *b.files}) if a.files.get(path) != b.files.get(path))


def _best(a: str, b: str, estimate: float, mode: str) -> str:
    return b if (estimate > 0) == (mode == "max") else a


def _apart(best: str, estimate: float) -> str:
    return "they have the same value" if estimate == 0 else f"{best} is ahead by {figure(abs(estimate))}"


def _on_images(best: str, estimate: float, images: Interval | None, level: float) -> str:
    unknown = "without repeats you can't tell whether the config is better: run both with other seeds"
    if images is None:
        return f"{_apart(best, estimate)}; {unknown}"
    differ = "differ" if images.excludes_zero else "do not clearly differ"
    return f"these two runs {differ} on these images (by {_interval(images, level)}); {unknown}"


def _interval(found: Interval, level: float) -> str:
    """`0.0121, 95% interval 0.0041 to 0.0201`: the difference as an advantage, above 0."""
    found = found if found.estimate >= 0 else found.flipped
    half = (found.high - found.low) / 2
    digits = _digits(half if half > 1e-9 else found.estimate)
    estimate, low, high = (f"{value:.{digits}f}" for value in (found.estimate, found.low, found.high))
    return f"{estimate}, {_percent(level)} interval {low} to {high}"


def _percent(level: float) -> str:
    return f"{100 * level:.3g}%"


def _seeds(a: int, b: int) -> str:
    return f"{a} seeds each" if a == b else f"{a} and {b} seeds"


def _more(a: int, b: int, estimate: float, sd: float, level: float) -> str:
    """How many more seeds would show the difference that was seen, or what many more would show."""
    least = min(a, b)
    most = least + _MOST_MORE
    needed = statistics.repeats_needed(estimate, sd, level=level, most=most) if estimate else None
    # Where so many are there already and did not show it, they had a fair chance to, not a certain one.
    total = most if needed is None else max(needed, least + 1)
    shows = "would show no difference below" if needed is None else "would show a difference of"
    shown = figure(statistics.detectable(sd, total, level=level))
    if a == b:
        return f"{total - a} more seed{'s' * (total - a != 1)} of each {shows} {shown}"
    return f"{total} seeds of each ({max(total - a, 0)} and {max(total - b, 0)} more) {shows} {shown}"


def _luck(side: Side, floor: Floor | None) -> str:
    """What the config's own repeats say about single runs: the diary's question."""
    if len(side.values) > 1 and (sd := stdev(side.values)) > 0:
        spread, whose = Spread(sd, len(side.values) - 1), f"{len(side.values)} repeats of {side.name}"
    elif floor is not None:
        spread, whose = floor.spread, f"the repeats of {', '.join(floor.configs)}"
    else:
        return f"{side.name} has no repeats: how much is luck is not known; run it with other seeds"
    apart = statistics.spread_interval(0.0, spread, 1, 1, method="").high
    return (
        f"by {whose} (sd {figure(spread.sd)}), two single runs of one config lie up to {figure(apart)} apart by luck "
        "alone (95%): two experiments that ran once each and are closer than that can't be told apart"
    )


def _flat(which: str, side: Side) -> dict[str, Any]:
    summary = summarize(side)
    return {which: side.name, **{f"{name}_{which}": summary[name] for name in ("mean", "sd", "n", "recorded")}}


def summarize(side: Side) -> dict[str, Any]:
    values = side.values
    return {
        "mean": fmean(values),
        "sd": stdev(values) if len(values) > 1 else None,
        "n": len(values),
        "recorded": side.is_recorded,
    }


def _side_json(side: Side) -> dict[str, Any]:
    repeats = [
        {"run": each.label, "seed": each.seed, "value": each.value, "images": each.images, "note": each.note}
        for each in side.repeats
    ]
    return {"name": side.name, **summarize(side), "repeats": repeats}


def _comparison_json(each: Comparison) -> dict[str, Any]:
    return {
        "a": each.a.name,
        "b": each.b.name,
        "difference": each.difference,
        "level": each.level,
        "config": [dataclasses.asdict(change) for change in each.changes],
        "sources": list(each.sources),
        "folds": [dataclasses.asdict(fold) for fold in each.folds],
        "fold_runs": list(each.fold_runs),
        "folds_shared": each.are_folds_shared,
        "images": dataclasses.asdict(each.images),
        "seeds": dataclasses.asdict(each.seeds) if each.seeds else None,
        "verdict": dataclasses.asdict(each.verdict),
    }
