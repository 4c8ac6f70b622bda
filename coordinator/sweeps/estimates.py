"""Estimates how long a run takes from how long similar runs took."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from coordinator.ledger import Run, run_times, stopped_early
from coordinator.project import SweepSettings, TargetName, leaves
from coordinator.target import RunState, recorded_abilities


@dataclass(frozen=True)
class Estimate:
    """How long one run takes."""

    seconds: float
    runs: int
    """The number of earlier runs whose median it is."""
    differences: int = 0
    """The number of values in which their configs differ from this run's."""


def seconds(run: Run) -> float | None:
    """Seconds that a run took, or has taken so far: by its own clock, or else by its session's times."""
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

    `folds` is the path of the config value with the folds to run: the time is taken as proportional to their number.
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
    """Seconds that a run takes in all at its speed so far, by its last event; None if that does not show it."""
    event = run.last_event
    # A repeat has a seed, and only the model source knows how many repeats there are.
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


def at_once(target: TargetName, count: int) -> int:
    """How many of that many runs run at a time; on a cluster all of them, as far as coord can know."""
    known = recorded_abilities(target)
    return (known.sessions_at_once if known else None) or max(count, 1)


def wall_seconds(each: Sequence[float], at_once: int) -> float:
    """Seconds until runs of these lengths have ended, started in this order, `at_once` of them in parallel."""
    ends = [0.0] * at_once
    for took in each:
        first = ends.index(min(ends))
        ends[first] += took
    return max(ends)


def _folds(chosen: Any, run: Run) -> int:
    """The number of chosen folds; without a choice, the number in the run's metrics."""
    if isinstance(chosen, list) and chosen:
        return len(chosen)
    return max((len(metric.folds) for metric in run.reported.metrics), default=1) or 1
