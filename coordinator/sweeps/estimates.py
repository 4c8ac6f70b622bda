"""How long a run will take, from how long runs like it took."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from coordinator.kaggle_rules import SESSIONS_AT_ONCE
from coordinator.ledger import Run, run_times, stopped_early
from coordinator.project import SweepSettings, leaves
from coordinator.target import RunState


@dataclass(frozen=True)
class Estimate:
    """Of one run."""

    seconds: float
    runs: int
    """How many earlier runs it is the median of."""
    differences: int = 0
    """In how many values their configs differ from this one's."""


def seconds(run: Run) -> float | None:
    """How long a run took, or has taken so far: by its own clock, or else by what was seen of its session."""
    end = run.end
    for own in (run.reported.seconds, end.time if end else None):
        if own is not None and own > 0:
            return own
    seen = run_times(run).running
    return None if seen is None else seen.total_seconds()


def estimate_run(
    runs: Sequence[Run], config: Mapping[str, Any], machine: str | None, folds: str | None = None
) -> Estimate | None:
    """The median of those complete runs on that machine whose configs differ in the fewest values.

    `folds` is the config's path of the folds to run: a run of some folds takes their share of the time of a run of all.
    """
    wanted = dict(leaves(config))
    by_distance: dict[int, list[float]] = {}
    for run in runs:
        took = seconds(run)
        if run.state is not RunState.COMPLETE or stopped_early(run):
            continue
        if took is None or run.metadata.get("machine_shape") != machine:
            continue
        values = dict(leaves(run.config))
        if folds is not None:
            took *= _folds(wanted.get(folds), run) / _folds(values.get(folds), run)
        distance = sum(wanted.get(path) != values.get(path) for path in wanted.keys() | values.keys() if path != folds)
        by_distance.setdefault(distance, []).append(took)
    if not by_distance:
        return None
    distance = min(by_distance)
    return Estimate(statistics.median(by_distance[distance]), len(by_distance[distance]), distance)


def by_progress(run: Run, settings: SweepSettings) -> float | None:
    """How long a run takes in all if it goes on as so far, by its last epoch; None if its log does not tell."""
    event = run.last_event
    # A repeat has a seed: how many there are is the model source's own.
    if event is None or event.fold is None or event.seed is not None or event.time is None:
        return None
    values = dict(leaves(run.config))
    chosen, count = values.get(settings.folds or ""), values.get(settings.fold_count or "")
    if not chosen:
        chosen = list(range(count)) if isinstance(count, int) else [event.fold]
    share = event.epoch / event.epochs if event.epoch is not None and event.epochs and event.epochs > 0 else None
    if event.kind == "fold":
        share = 1.0
    if share is None or not isinstance(chosen, list) or event.fold not in chosen:
        return None
    done = (chosen.index(event.fold) + share) / len(chosen)
    return event.time / done if 0 < done <= 1 else None


def wall_seconds(each: Sequence[float], at_once: int = SESSIONS_AT_ONCE) -> float:
    """How long runs take, started in this order, so many at once."""
    ends = [0.0] * at_once
    for took in each:
        first = ends.index(min(ends))
        ends[first] += took
    return max(ends)


def _folds(chosen: Any, run: Run) -> int:
    """How many folds that choice is; of all of them, as many as the run's metrics have."""
    if isinstance(chosen, list) and chosen:
        return len(chosen)
    return max((len(metric.folds) for metric in run.reported.metrics), default=1) or 1
