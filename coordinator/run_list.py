"""The verbs runs and best: every run as a row to filter, sort and cut; every config in order of its mean."""

from __future__ import annotations

import fnmatch
from collections.abc import Sequence
from statistics import fmean, stdev
from typing import Any

from coordinator import export
from coordinator.comparison.candidates import all_candidates, common_metric
from coordinator.comparison.configs import attached
from coordinator.comparison.noise import noise_floor
from coordinator.comparison.seeds import Sample
from coordinator.comparison.sides import Side, side_of
from coordinator.comparison.verdict import judge
from coordinator.errors import RunNotFound, UsageError, did_you_mean
from coordinator.ledger import Ledger
from coordinator.project import Project
from coordinator.remarks import said, texts
from coordinator.target import RunState

SHOWN = ("run", "state", "created_at", "primary", "value", "tags", "notes")
"""The columns for people, unless they say which."""
ALWAYS = ("run", *export.PLAIN, "primary", "mode", "value", "tags", "notes")
"""The columns that there are without any run: no config's, and no metric's."""
_PREFIXES = ("", "config.", "metric.")


def rows(
    ledger: Ledger,
    *,
    experiment: str | None = None,
    state: str | None = None,
    target: str | None = None,
    tags: Sequence[str] = (),
    sort: str | None = None,
    columns: Sequence[str] = (),
    limit: int | None = None,
) -> list[dict[str, Any]]:
    """The runs that match, newest first or by `sort` (`-name`: from the highest down; what has no value comes last).

    `experiment` may be a pattern such as `base--*`; a run must have all `tags`. A column is one of `ledger export`, or
    `run`, `tags`, `notes`; `config.` and `metric.` may be left out. Raises UsageError.
    """
    if state is not None and state not in tuple(RunState):
        raise UsageError(f'there is no state "{state}"{did_you_mean(state, RunState)}', hint=f"{', '.join(RunState)}.")
    runs = ledger.runs(target=target)
    found_remarks = said(ledger)
    table = [
        {
            "run": run.label,
            **row,
            "tags": " ".join(texts(found_remarks, run, "tag")),
            "notes": "; ".join(texts(found_remarks, run, "note")),
        }
        for run, row in zip(runs, export.rows(runs), strict=True)
    ]
    found = [
        row
        for row in table
        if (experiment is None or fnmatch.fnmatchcase(row["experiment"], experiment))
        and (state is None or row["state"] == state)
        and set(tags) <= set(row["tags"].split())
    ]
    if sort is not None and table:
        found = _sorted(found, _column(sort.removeprefix("-"), table[0]), is_descending=sort.startswith("-"))
    if columns and table:
        names = {name: _column(name, table[0]) for name in columns}
        found = [{name: row[column] for name, column in names.items()} for row in found]
    return found[:limit]


def why_none(ledger: Ledger, experiment: str | None, tags: Sequence[str]) -> str:
    """Why no run matches, if a name or a tag is the reason; or that there are no runs."""
    runs = ledger.runs()
    if not runs:
        return "no runs yet; push one: coord push --exp NAME"
    names = {run.experiment for run in runs}
    if experiment is not None and not fnmatch.filter(names, experiment):
        return f'no run of "{experiment}"{did_you_mean(experiment, names)}'
    known = {each.text for each in said(ledger, kind="tag")}
    unknown = next((tag for tag in tags if tag not in known), None)
    return f'nothing has the tag "{unknown}"{did_you_mean(unknown, known)}' if unknown is not None else ""


def best(
    project: Project, ledger: Ledger, *, metric: str | None = None, target: str | None = None
) -> tuple[list[dict[str, Any]], list[str]]:
    """A row a config, the best mean over its seeds first, and what should be known about the list.

    The metric is the newest run's primary one unless another is asked for. Configs that were measured on other data
    than the newest that has it are left out, and those on fewer images (single folds, say); recorded ones count as of
    the data that their config names.
    Raises RunNotFound, UsageError.
    """
    candidates = all_candidates(project, ledger)
    if target is not None:
        candidates = [each for each in candidates if each.runs and each.runs[0].target == target]
    metric = metric or next((each.primary for each in candidates if each.primary), None)
    if not candidates:
        raise RunNotFound("no run is complete and fetched, and nothing is recorded", hint="See: coord status")
    known = list(dict.fromkeys(name for each in candidates for name in each.modes))
    if metric is None:
        raise UsageError("there are no runs, so no primary metric: which one?", hint=f"--metric {' or '.join(known)}")
    if metric not in known:
        raise UsageError(f"nothing was measured in {metric}{did_you_mean(metric, known)}", hint=f"{', '.join(known)}.")
    measured = [each for each in candidates if metric in each.modes]
    _, mode = common_metric(measured[:1], metric)
    turned = [each.name for each in measured if each.modes[metric] != mode]
    measured = [each for each in measured if each.modes[metric] == mode]
    sides = [side_of(project, each, metric) for each in measured]
    data = attached(project, sides[0].config)
    alike = [each for each in sides if attached(project, each.config) == data]
    most = max((_images(each) or 0 for each in alike), default=0)
    alike = [each for each in alike if _images(each) in (None, most)]
    others = len(sides) - len(alike)
    notes = [f"{others} config{'s' * (others != 1)} on other data, or on a part of it, left out"] if others else []
    if turned:
        notes.append(f"left out, as {metric} is better the other way round there: {', '.join(turned)}")
    alike.sort(key=lambda each: fmean(each.values), reverse=mode == "max")
    floor = noise_floor(project, measured, metric, alike)
    first = Sample(alike[0].name, alike[0].values)
    found = []
    for rank, each in enumerate(alike, start=1):
        kind = judge(first, Sample(each.name, each.values), mode=mode, floor=floor)[1].kind if rank > 1 else "first"
        found.append(
            {
                "rank": rank,
                "run": each.name,
                "metric": metric,
                "mode": mode,
                "mean": fmean(each.values),
                "sd": stdev(each.values) if len(each.values) > 1 else None,
                "n": len(each.values),
                "images": _images(each),
                "recorded": each.is_recorded,
                "behind": abs(fmean(each.values) - fmean(first.values)) if rank > 1 else None,
                "within_noise": None if kind == "unknown" else kind == "noise",
            }
        )
    return found, notes


def _images(each: Side) -> int | None:
    return each.repeats[0].images


def _sorted(found: list[dict[str, Any]], column: str, *, is_descending: bool) -> list[dict[str, Any]]:
    there = [row for row in found if row[column] is not None]
    there.sort(key=lambda row: _key(row[column]), reverse=is_descending)
    return there + [row for row in found if row[column] is None]


def _key(value: Any) -> tuple[bool, float, str]:
    """Numbers before texts."""
    is_number = isinstance(value, int | float)
    return (not is_number, float(value) if is_number else 0.0, "" if is_number else str(value))


def _listed(row: dict[str, Any]) -> str:
    """The columns that every run has, and how to see the others."""
    short = [name for name in row if not name.startswith(("config.", "metadata."))]
    return f"{', '.join(short)}, and the config's values by their paths (coord show --exp NAME)"


def _column(name: str, row: dict[str, Any]) -> str:
    found = next((prefix + name for prefix in _PREFIXES if prefix + name in row), None)
    if found is None:
        short = [column.removeprefix("config.").removeprefix("metric.") for column in row]
        last = [column for column in short if column.rpartition(".")[2] == name]
        near = f' (did you mean "{last[0]}"?)' if last else did_you_mean(name, short)
        raise UsageError(f'there is no column "{name}"{near}', hint=f"Columns: {_listed(row)}.")
    return found
