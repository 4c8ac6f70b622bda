"""The verb best: every config in order of its mean, and what the noise allows to say of that order."""

from __future__ import annotations

from collections import Counter
from statistics import fmean
from typing import Any

from coordinator.comparison.candidates import Candidate, Pool, all_candidates, common_metric, count, is_not_fetched
from coordinator.comparison.configs import attached
from coordinator.comparison.intervals import sd_of
from coordinator.comparison.noise import noise_floor
from coordinator.comparison.seeds import Sample
from coordinator.comparison.sides import Side, side_of
from coordinator.comparison.verdict import Placed, judge, said_of_table, table_level, why_out_of_order
from coordinator.errors import RunNotFound, UsageError, did_you_mean
from coordinator.results import MODES
from coordinator.workspace import Workspace


def best(
    workspace: Workspace, *, metric: str | None = None, target: str | None = None
) -> tuple[list[dict[str, Any]], list[str]]:
    """A row for each config, the best mean over its seeds first, and notes about the list.

    The metric is the newest run's primary one unless another is asked for. Left out are configs that were measured on
    other data than the newest one with that metric, or on fewer images (single folds, say). The data of recorded
    values are those that their config names. Raises RunNotFound, UsageError.
    """
    notes: list[str] = []
    runs = workspace.ledger.runs(brief=True)
    candidates = all_candidates(workspace, notes.append, pool=Pool(workspace.project, runs))
    if target is not None:
        candidates = [each for each in candidates if each.runs and each.runs[0].target == target]
    primaries = [(each.primary, _mode(each, each.primary)) for each in candidates if each.primary]
    metric = metric or next((name for name, mode in sorted(primaries, key=lambda each: not each[1])), None)
    if not candidates:
        raise RunNotFound("no run is complete and fetched, and nothing is recorded", hint="See: coord status")
    measured = [each for each in candidates if metric is not None and each.mode_of(metric) is not None]
    if metric is None or not measured:
        known = list(dict.fromkeys(name for each in candidates for name in each.modes))
        if metric is None:
            hint = f"--metric {' or '.join(known)}"
            raise UsageError("there are no runs, so no primary metric: which one?", hint=hint)
        raise UsageError(f"nothing was measured in {metric}{did_you_mean(metric, known)}", hint=f"{', '.join(known)}.")
    directions = Counter(filter(None, (_mode(each, metric) for each in measured)))
    if not directions:
        common_metric(measured[:1], metric)
    ((mode, _),) = directions.most_common(1)  # not that of the newest: one run's mistake would turn the list around
    turned = [each.name for each in measured if _mode(each, metric) != mode]
    measured = [each for each in measured if _mode(each, metric) == mode]
    sides = [side_of(workspace.project, each, metric) for each in measured]
    data = attached(workspace.project, sides[0].config)
    alike = [each for each in sides if attached(workspace.project, each.config) == data]
    most = max((images_of(each) or 0 for each in alike), default=0)
    alike = [each for each in alike if images_of(each) in (None, most)]
    others = len(sides) - len(alike)
    if others:
        notes.append(f"{others} config{'s' * (others != 1)} on other data, or on a part of it, left out")
    if turned:
        notes.append(f"left out, because {metric} has another direction there, or none: {', '.join(turned)}")
    missing = sum(is_not_fetched(run) for run in runs if target in (None, run.target))
    if missing:
        notes.append(f"{count(missing, 'complete run')} not fetched yet: coord fetch-results --all")
    alike.sort(key=lambda each: fmean(each.values), reverse=mode == "max")
    floor = noise_floor(workspace.project, measured, metric, alike)
    first = Sample(alike[0].name, alike[0].values)
    level = table_level(len(alike) - 1)
    found, placed = [], []
    for rank, each in enumerate(alike, start=1):
        sample = Sample(each.name, each.values)
        kind = judge(first, sample, mode=mode, level=level, floor=floor)[1].kind if rank > 1 else None
        placed.append(Placed(rank, kind, each.values))
        found.append(
            {
                "rank": rank,
                "run": each.name,
                "metric": metric,
                "mode": mode,
                "mean": fmean(each.values),
                "sd": sd_of(each.values) if len(each.values) > 1 else None,
                "n": len(each.values),
                "images": images_of(each),
                "recorded": each.is_recorded,
                "behind": abs(fmean(each.values) - fmean(first.values)) if rank > 1 else None,
                "level": level,
                "within_noise": None if kind == "unknown" else kind == "noise",
            }
        )
    return found, [*notes, *filter(None, (said_of_table(len(alike) - 1), why_out_of_order(placed)))]


def _mode(each: Candidate, metric: str) -> str:
    """ "max" or "min"; empty if that candidate was not measured in it, or gives no direction."""
    mode = each.mode_of(metric)
    return mode if mode in MODES else ""


def images_of(each: Side) -> int | None:
    return each.repeats[0].images
