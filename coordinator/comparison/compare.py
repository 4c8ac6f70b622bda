"""The verb compare: tells whether one config is better than another, or whether the difference may be chance."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from statistics import fmean
from typing import Any

from coordinator.comparison import images
from coordinator.comparison.candidates import Candidate, Pool, all_candidates, common_metric, find_candidate
from coordinator.comparison.configs import without_seed
from coordinator.comparison.images import Fold, Images, Measured
from coordinator.comparison.intervals import Interval
from coordinator.comparison.noise import Floor, noise_floor
from coordinator.comparison.sides import Side, side_of, summarize
from coordinator.comparison.verdict import ALPHA, Verdict, judge, luck, percent, said_of_table, table_level
from coordinator.errors import NotComparable, UsageError
from coordinator.project import Change, Project
from coordinator.workspace import Workspace


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
    """The folds of one run of each side: of the newest two with the same folds, if there are any."""
    fold_runs: tuple[str, str]
    are_folds_shared: bool
    """Whether the rows of the folds shown are known to be the same."""
    images: Images
    seeds: Interval | None
    """b - a over seeds, or by the project's noise floor; None if neither is known."""
    verdict: Verdict

    @property
    def difference(self) -> float:
        """mean(b) - mean(a), whatever is better."""
        return fmean(self.b.values) - fmean(self.a.values)


@dataclasses.dataclass(frozen=True)
class Report:
    """The answer of `coord compare`."""

    metric: str
    mode: str
    sides: tuple[Side, ...]
    floor: Floor | None
    comparisons: tuple[Comparison, ...]
    luck: str | None
    """With one name only: how much two single runs of it may differ by chance, as a sentence."""
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
        """One flat row for each comparison; with one name only, one row about it."""
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


def compare_experiments(
    workspace: Workspace,
    names: Sequence[str],
    *,
    metric: str | None = None,
    paired: bool = False,
) -> Report:
    """Compares each name with the first; see `find_candidate` for what a name may be.

    With `paired`, the rows and their folds must be the same. Raises NotComparable if a difference would have no
    meaning, RunNotFound, UsageError.
    """
    repeated = {name for name in names if names.count(name) > 1}
    if repeated:
        raise UsageError(f"{', '.join(sorted(repeated))}: compared with itself", hint="One name alone shows its noise.")
    pool = Pool.of(workspace)
    candidates = [find_candidate(workspace, name, pool) for name in names]
    _check_apart(candidates)
    chosen, mode = common_metric(candidates, metric)
    sides = tuple(side_of(workspace.project, each, chosen) for each in candidates)
    measured = [images.with_rows(workspace.project, each, chosen) for each in sides]
    images.check_data(workspace.project, measured)
    floor = noise_floor(workspace.project, all_candidates(workspace, pool=pool), chosen, sides)
    level = table_level(len(sides) - 1)
    comparisons = tuple(
        _compare(workspace.project, measured[0], each, mode=mode, level=level, floor=floor) for each in measured[1:]
    )
    for each in comparisons if paired else ():
        if not each.images.is_paired:
            raise NotComparable(
                f"{each.a.name} and {each.b.name} cannot be paired: {each.images.why}",
                hint="Without --paired they are compared as they are.",
            )
    notes = [note for side in sides for note in side.notes] + [fault for each in measured for fault in each.faults]
    if any(side.is_recorded for side in sides):
        notes.append("recorded values were measured elsewhere: whether their data and folds are the same is not known")
    if len(comparisons) > 1:
        notes.append(said_of_table(len(comparisons)))
        notes += [_alone(found, measured[0], b, floor) for found, b in zip(comparisons, measured[1:], strict=True)]
    by_luck = luck(sides[0], floor) if len(sides) == 1 else None
    return Report(chosen, mode, sides, floor, comparisons, by_luck, tuple(dict.fromkeys(filter(None, notes))))


def _compare(project: Project, a: Measured, b: Measured, *, mode: str, level: float, floor: Floor | None) -> Comparison:
    on_images = images.difference(a, b, level)
    shared = images.sharing(a, b)
    first, second = shared or (a.side.repeats[0], b.side.repeats[0])
    seeds, verdict = judge(a.sample, b.sample, mode=mode, level=level, floor=floor, images=on_images)
    return Comparison(
        a=a.side,
        b=b.side,
        mode=mode,
        level=level,
        changes=_changes(project, a.side, b.side),
        sources=_sources(a.side, b.side),
        folds=images.folds(first, second),
        fold_runs=(first.label, second.label),
        are_folds_shared=shared is not None,
        images=on_images,
        seeds=seeds,
        verdict=verdict,
    )


def _alone(found: Comparison, a: Measured, b: Measured, floor: Floor | None) -> str:
    """What the verdict on this pair would be if nothing else was asked for; empty if it is the same."""
    _, verdict = judge(a.sample, b.sample, mode=found.mode, floor=floor, images=found.images)
    if verdict.kind == found.verdict.kind:
        return ""
    return f"{found.b.name} against {found.a.name} as a pair alone, at {percent(1 - ALPHA)}: {verdict.text}"


def _check_apart(candidates: Sequence[Candidate]) -> None:
    """Raises UsageError if two names have a run in common: they are repeats of one config."""
    for at, one in enumerate(candidates):
        for other in candidates[:at]:
            theirs = {run.id for run in other.runs}
            common = [run for run in one.runs if run.id in theirs]
            if common:
                raise UsageError(
                    f"{other.name} and {one.name} are one config: {common[0].label} is a run of both",
                    hint="Runs that differ in nothing but the seed are repeats. Name a single run like this: NAME@v3.",
                )


def _changes(project: Project, a: Side, b: Side) -> tuple[Change, ...]:
    first, second = (without_seed(project, side.config) for side in (a, b))
    paths = dict.fromkeys([*first, *second])
    return tuple(
        Change(path, first.get(path), second.get(path)) for path in paths if first.get(path) != second.get(path)
    )


def _sources(a: Side, b: Side) -> tuple[str, ...]:
    if not a.files or not b.files:
        return ()
    return tuple(path for path in sorted({*a.files, *b.files}) if a.files.get(path) != b.files.get(path))


def _flat(which: str, side: Side) -> dict[str, Any]:
    summary = summarize(side)
    return {which: side.name, **{f"{name}_{which}": summary[name] for name in ("mean", "sd", "n", "recorded")}}


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
        "images": each.images.to_json(),
        "seeds": dataclasses.asdict(each.seeds) if each.seeds else None,
        "verdict": dataclasses.asdict(each.verdict),
    }
