"""The values of one side of a comparison in one metric: those of its runs, or recorded ones."""

from __future__ import annotations

import dataclasses
import functools
from pathlib import Path
from statistics import fmean
from typing import Any

from coordinator.comparison.candidates import Candidate, count
from coordinator.comparison.configs import seed_of
from coordinator.comparison.intervals import sd_of
from coordinator.ledger import RECORDED, Run
from coordinator.project import Project
from coordinator.results import FoldValue, folder_of


@dataclasses.dataclass(frozen=True, eq=False)
class Repeat:
    """The metric's value under one seed. There may be thousands: what only some are asked for is found when it is."""

    seed: int | None
    value: float
    project: Project = dataclasses.field(repr=False)
    metric: str
    run: Run | None = None
    """None if it was recorded."""
    images: int | None = None
    """The number of rows (images, say) that it was measured on."""
    note: str = ""
    is_another_seed: bool = False
    """Whether it is one of the further seeds of its run."""

    @property
    def label(self) -> str:
        """Which run: `smoke local-v3`, with the seed where one run had several; or `recorded`."""
        if self.run is None:
            return RECORDED
        return f"{self.run.label} seed {self.seed}" if self.is_another_seed else self.run.label

    @property
    def folds(self) -> tuple[FoldValue, ...]:
        """As far as the run reports them for this seed."""
        if self.run is None or self.is_another_seed:
            return ()
        reported = self.run.reported
        table = reported.metric(self.metric)
        reported.forget()
        return table.folds if table is not None else ()

    @functools.cached_property
    def _folder(self) -> Path | None:
        """The folder with the results of its run, if there is one."""
        if self.run is None:
            return None
        run = self.run
        return folder_of(self.project.results(run.experiment, run.target, run.results_version), run.id)

    @property
    def oof(self) -> Path | None:
        """The file of its out-of-fold rows, which need not exist."""
        return self._folder and self._folder / (f"oof.seed{self.seed}.csv" if self.is_another_seed else "oof.csv")

    @property
    def output(self) -> Path | None:
        """The folder of the run's results, if the predictions there are of this seed."""
        return None if self.is_another_seed else self._folder


@dataclasses.dataclass(frozen=True)
class Side:
    """One side of a comparison, in one metric."""

    name: str
    config: dict[str, Any]
    files: dict[str, str]
    """Path -> SHA-256 of the sources; empty if not known."""
    repeats: tuple[Repeat, ...]
    is_recorded: bool
    is_primary: bool = True
    """Whether the metric is the one that its runs name first."""
    notes: tuple[str, ...] = ()

    @functools.cached_property
    def values(self) -> tuple[float, ...]:
        return tuple(repeat.value for repeat in self.repeats)


def side_of(project: Project, candidate: Candidate, metric: str) -> Side:
    """The candidate's values of that metric: its runs', or else the recorded ones."""
    notes = list(candidate.notes)
    repeats = [repeat for run in candidate.runs for repeat in _measured(project, run, metric)]
    # A run that was merged from split folds differs from one run of all folds by rounding.
    once = {(repeat.seed, f"{repeat.value:.12g}"): repeat for repeat in reversed(repeats)}
    if len(once) < len(repeats):
        notes.append(
            f"{candidate.name}: {len(repeats) - len(once)} of {len(repeats)} values came again with the same seed, to "
            "twelve digits: they are counted once"
        )
        repeats = list(reversed(once.values()))
    seeds = [repeat.seed for repeat in repeats if repeat.seed is not None]
    if len(set(seeds)) < len(seeds):
        notes.append(
            f"{candidate.name}: {len(seeds)} values of {count(len(set(seeds)), 'seed')}: runs that share a seed may "
            "differ less than seeds do"
        )
    is_recorded = not repeats
    if is_recorded:
        repeats = [
            Repeat(None, each.value, project, metric, note=each.note)
            for each in candidate.recorded
            if each.metric == metric
        ]
    files = candidate.runs[0].files if candidate.runs and not is_recorded else {}
    is_primary = metric == candidate.primary
    return Side(candidate.name, candidate.config, files, tuple(repeats), is_recorded, is_primary, tuple(notes))


def summarize(side: Side) -> dict[str, Any]:
    values = side.values
    return {
        "mean": fmean(values),
        "sd": sd_of(values) if len(values) > 1 else None,
        "n": len(values),
        "recorded": side.is_recorded,
    }


def _measured(project: Project, run: Run, metric: str) -> list[Repeat]:
    """The run's value, or one for each seed if it had several."""
    reported = run.reported
    value = reported.value_of(metric)
    if value is None:
        return []
    first = Repeat(seed_of(project, run), value, project, metric, run, images=reported.rows_of(metric))
    repeats = reported.repeats
    by_seed = {each.seed: each.value for each in repeats.values} if repeats and repeats.metric == metric else {}
    others = [
        dataclasses.replace(first, seed=seed, value=value, is_another_seed=True)
        for seed, value in by_seed.items()
        if seed not in (None, first.seed)
    ]
    reported.forget()
    return [first, *others]
