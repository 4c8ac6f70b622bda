"""Which runs a report is about, and which of them are parts of others."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Collection, Iterable, Sequence

from coordinator.comparison import Candidate
from coordinator.errors import RunNotFound, did_you_mean
from coordinator.ledger import Run, all_chains


def choose(
    runs: Sequence[Run],
    candidates: Sequence[Candidate],
    names: Sequence[str],
    known: Collection[str],
    *,
    every: bool,
) -> list[Run]:
    """Those of `runs` (newest first) that are of experiments with one of these names, in their order.

    A name may have `*` and `?`, and may leave out the seed (`base` for `base-s0`, `base-s1`), as in `coord compare`;
    `known` are names that no run need have. Unless `every` is set, of an experiment only its newest run with a result
    counts (or else its newest), with the repeats of that config. Raises RunNotFound.
    """
    there = {run.experiment for run in runs}
    wanted = {each for name in names for each in _matching(name, there, known)} if names else there
    found = [run for run in runs if run.experiment in wanted]
    if every:
        return found
    newest: dict[tuple[str, str], Run] = {}
    for run in found:
        kept = newest.setdefault((run.experiment, run.target), run)
        if kept.summary is None and run.summary is not None:
            newest[run.experiment, run.target] = run
    ids = {run.id for run in newest.values()}
    ids |= {run.id for each in candidates if ids & {run.id for run in each.runs} for run in each.runs}
    return [run for run in found if run.id in ids]


def matches(experiment: str, names: Sequence[str]) -> bool:
    """Whether it is one of these names, if there are any; a name may have `*` and `?`."""
    return not names or any(fnmatch.fnmatchcase(experiment, name) for name in names)


def parts_of(runs: Sequence[Run]) -> dict[str, tuple[Run, ...]]:
    """Run id -> the runs that it is made of, in their order: those that it continues, or the folds it was merged of."""
    found = {last: links[:-1] for last, links in all_chains(runs).items()}
    labels = {run.label: run for run in reversed(runs)}  # of a kernel that was made anew, the newest
    for run in runs:
        if run.is_merged and run.reported.merged:
            found[run.id] = tuple(labels[label] for label in run.reported.merged if label in labels)
    return found


def hidden(runs: Iterable[Run], parts: dict[str, tuple[Run, ...]]) -> set[str]:
    """Ids of runs that have no line of their own: they are parts of one of `runs` that has a result."""
    return {part.id for run in runs if run.summary is not None for part in parts.get(run.id, ())}


def _matching(name: str, there: Collection[str], known: Collection[str]) -> list[str]:
    found = [each for each in there if matches(each, [name])]
    found = found or [each for each in there if re.fullmatch(re.escape(name) + r"-s\d+", each)]
    if not found and not any(matches(each, [name]) for each in known):
        near = did_you_mean(name, {*there, *known})
        raise RunNotFound(f'there is no experiment and no run "{name}"{near}', hint="See: coord runs")
    return found
