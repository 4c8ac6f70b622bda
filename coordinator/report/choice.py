"""Selects the runs of a report, and tells which of them are parts of others."""

from __future__ import annotations

import fnmatch
from collections.abc import Collection, Iterable, Sequence

from coordinator.comparison import Candidate
from coordinator.errors import RunNotFound
from coordinator.ledger import Run, all_chains, parse_run_name
from coordinator.names import is_seed_of, near_experiment
from coordinator.report.boards import Board


def choose(
    runs: Sequence[Run],
    candidates: Sequence[Candidate],
    names: Sequence[str],
    known: Collection[str],
    *,
    every: bool,
) -> list[Run]:
    """The `runs` (newest first) of the experiments with one of these names, in the same order.

    A name may have the wildcards `*` and `?`, and may leave out the seed (`base` for `base-s0`, `base-s1`), as in
    `coord compare`; `known` are experiments, which may be without runs. Unless `every` is set, only the newest run with
    a result of each experiment is taken (or else its newest), with the repeats of that config. Raises RunNotFound.
    """
    there = {run.experiment for run in runs}
    parsed = [parse_run_name(name) for name in names]
    wanted = [(name, set(_matching(name.experiment, there, known))) for name in parsed]
    found = [run for run in runs if not names or any(run.experiment in ex and name.takes(run) for name, ex in wanted)]
    if every or any(name.is_run for name in parsed):
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
    """Whether it matches one of these names, which may have `*` and `?`; without names, all match."""
    return not names or any(fnmatch.fnmatchcase(experiment, parse_run_name(name).experiment) for name in names)


def parts_of(runs: Sequence[Run]) -> dict[str, tuple[Run, ...]]:
    """Run id -> the runs that it is made of, in order: those that it continues, or the folds it was merged from."""
    found = {last: links[:-1] for last, links in all_chains(runs).items()}
    labels = {run.label: run for run in reversed(runs)}  # labels repeat after a kernel was deleted: the newest counts
    for run in runs:
        if run.is_merged and run.reported.merged:
            found[run.id] = tuple(labels[label] for label in run.reported.merged if label in labels)
    return found


def hidden(runs: Iterable[Run], parts: dict[str, tuple[Run, ...]]) -> set[str]:
    """Ids of runs without a line of their own: parts of one of `runs` that has a result."""
    return {part.id for run in runs if run.summary is not None for part in parts.get(run.id, ())}


def one_by_one(boards: Sequence[Board], runs: Sequence[Run], scored: Collection[str], most: int) -> list[Run]:
    """At most so many of the runs, in the same order: those that a page shows one by one.

    First the newest of each line, then those with a score (`scored` has their ids), up to a quarter from the newest
    without a line, and then the second run of each line, the third, and so on.
    """
    if len(runs) <= most:
        return list(runs)
    lines = [entry.runs for board in boards for _, entry in board.lines]
    in_line = {run.id for board in boards for entry in board.entries for run in entry.runs}
    alone = [run.id for run in runs if run.id not in in_line][: most // 4]
    further = (each[at].id for at in range(1, most) for each in lines if at < len(each))
    wanted = [*(each[0].id for each in lines), *(run.id for run in runs if run.id in scored), *alone, *further]
    kept = set(list(dict.fromkeys(wanted))[:most])
    return [run for run in runs if run.id in kept]


def _matching(name: str, there: Collection[str], known: Collection[str]) -> list[str]:
    found = [each for each in there if matches(each, [name])]
    found = found or [each for each in there if is_seed_of(each, name)]
    if not found and not any(matches(each, [name]) for each in known):
        near = near_experiment(name, {*there, *known})
        raise RunNotFound(f'there is no experiment and no run "{name}"{near}', hint="See: coord runs")
    return found
