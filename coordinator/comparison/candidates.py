"""Resolves an argument of `coord compare` to the runs of one config, or to values that were recorded elsewhere.

Runs are repeats of one another if they differ in nothing but the seed: the same config, sources and target.
"""

from __future__ import annotations

import dataclasses
import functools
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from coordinator.comparison.configs import key_of, sorted_json, without_seed
from coordinator.errors import CoordError, NotComparable, RunNotFound, UsageError, did_you_mean
from coordinator.ledger import RECORDED, Run, RunName, chain_of, parse_run_name
from coordinator.names import is_seed_of, near_experiment
from coordinator.project import Project, Recorded, experiment_names, resolve_all
from coordinator.results import MODES
from coordinator.target import RunState
from coordinator.text import command_line
from coordinator.workspace import Workspace


@dataclasses.dataclass(frozen=True)
class Candidate:
    """The runs, or the recorded values, of one argument; the metric is not chosen yet."""

    name: str
    config: dict[str, Any]
    runs: tuple[Run, ...] = ()
    """Newest first; repeats of one another."""
    recorded: tuple[Recorded, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def primary(self) -> str | None:
        return self.runs[0].reported.primary_name if self.runs else None

    def mode_of(self, metric: str) -> str | None:
        """Max or min, or another text; None if it was not measured in that metric. The newest run decides."""
        for run in self.runs:
            if metric in (modes := run.reported.modes):
                return modes[metric]
        return next((figure.mode for figure in reversed(self.recorded) if figure.metric == metric), None)

    @functools.cached_property
    def modes(self) -> dict[str, str]:
        """Metric -> max or min, of all metrics; the runs' own first."""
        found = {figure.metric: figure.mode for figure in self.recorded}
        return found | {name: mode for run in reversed(self.runs) for name, mode in run.reported.modes.items()}


@dataclasses.dataclass(frozen=True)
class Pool:
    """Runs of the ledger, read once, and what tells their configs apart."""

    project: Project
    every: Sequence[Run]
    """Newest first; hidden ones may be among them."""
    _keys: dict[str, str] = dataclasses.field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, workspace: Workspace, *, brief: bool = True) -> Pool:
        """All runs of the ledger; with `brief` as far as comparisons need them."""
        return cls(workspace.project, workspace.ledger.runs(hidden=True, brief=brief))

    @functools.cached_property
    def runs(self) -> list[Run]:
        """Those that are not hidden."""
        return [run for run in self.every if run.hidden_at is None]

    @functools.cached_property
    def _by_id(self) -> dict[str, Run]:
        return {run.id: run for run in self.runs}

    def key(self, run: Run) -> str:
        """A text that is equal for runs of one config on one target, whatever their seeds.

        A run that continues another one has that one's config in it, rather than the name of its kernel: seeds that
        were continued alike are repeats, but a run that was continued twice is no repeat of one that was continued
        once.
        """
        if run.id not in self._keys:
            first, *later = chain_of(run, self._by_id) if run.continues else (run,)
            configs = [without_seed(self.project, link.config) for link in later]
            for each in configs:
                each.pop(self.project.settings.continue_setting or "", None)
            keys = (run.target, key_of(self.project, first), *map(sorted_json, configs))
            self._keys[run.id] = "\n".join(keys)
        return self._keys[run.id]


def find_candidate(workspace: Workspace, text: str, pool: Pool | None = None) -> Candidate:
    """The candidate that `exp`, `exp@v3`, `exp@local-v3` or `exp@recorded` names.

    A name alone means the newest complete run and its repeats, or else the recorded values; if only experiments named
    `exp-s0`, `exp--s0` and so on have runs, it means those. `pool` has all runs of the ledger, if they have been read.
    Raises RunNotFound, UsageError.
    """
    pool = pool or Pool.of(workspace)
    parsed = parse_run_name(text)
    name = parsed.experiment
    known = experiment_names(workspace.project) if workspace.project.experiments.is_dir() else []
    files = resolve_all(workspace.project, [each for each in known if each == name])
    recorded = next(iter(files.experiments), None)
    every, everything = (
        [run for run in runs if parsed.target in (None, run.target)] for runs in (pool.every, pool.runs)
    )
    own = [run for run in everything if run.experiment == name]
    usable = [run for run in own if _is_usable(run)]
    if not own:
        own = [run for run in everything if is_seed_of(run.experiment, name)]
        usable = [run for run in own if _is_usable(run)]
        # The name means one config. A run that continues another one has a different config; it counts only if all do.
        usable = [run for run in usable if run.continues is None] or usable
    left_out = [run for run in every if run.hidden_at is not None and parsed.names(run)]
    if left_out and not any(map(parsed.names, everything)) and (parsed.is_run or not (recorded and recorded.recorded)):
        raise _hidden(left_out[0])
    if parsed.version is not None:
        return _of_version(text, own, parsed.version)
    if not parsed.is_recorded and usable:
        if files.errors:
            workspace.say(files.left_out)
        return dataclasses.replace(
            _of_runs(name, usable[0], everything, pool),
            recorded=recorded.recorded if recorded is not None else (),
        )
    if files.errors:
        raise files.errors[name]
    if recorded is not None and recorded.recorded:
        return Candidate(text, recorded.config, recorded=recorded.recorded)
    if parsed.is_recorded:
        raise RunNotFound(
            f"nothing is recorded of {name}", hint="`recorded` in its YAML file says what was measured elsewhere."
        )
    configs = (re.sub(r"--?s\d+$", "", run.experiment) for run in everything)
    raise _nothing(name, own, is_known=recorded is not None, others=dict.fromkeys([*known, *configs]))


def all_candidates(
    workspace: Workspace, say: Callable[[str], None] | None = None, *, pool: Pool | None = None
) -> list[Candidate]:
    """All configs with complete runs here, newest first and named after their newest run, and all recorded ones.

    `say` receives a sentence about the experiments whose files have problems: their recorded values are left out.
    `pool` has all runs of the ledger, if they have been read.
    """
    files = resolve_all(workspace.project)
    if files.errors and say is not None:
        say(files.left_out)
    pool = pool or Pool.of(workspace)
    by_config: dict[str, list[Run]] = {}
    for run in filter(_is_usable, pool.runs):
        by_config.setdefault(pool.key(run), []).append(run)
    found: list[Candidate] = []
    for left in by_config.values():
        while left:  # one config may have run with several versions of the sources
            found.append(_of_config(left[0].label, left[0], left))
            left = [run for run in left if not _is_same_program(run, found[-1].runs[0])]
    return found + [
        Candidate(f"{each.name}@{RECORDED}", each.config, recorded=each.recorded)
        for each in files.experiments
        if each.recorded
    ]


def common_metric(candidates: Sequence[Candidate], asked: str | None = None) -> tuple[str, str]:
    """(name, max or min) of the metric to compare.

    The one asked for, or the runs' primary one, or the recorded one with the most values. Raises NotComparable,
    UsageError.
    """
    shared = [name for name in candidates[0].modes if all(name in each.modes for each in candidates)]
    has = "; ".join(f"{each.name} has {', '.join(each.modes) or 'none'}" for each in candidates)
    if asked is not None and asked not in shared:
        every = {name for each in candidates for name in each.modes}
        near = "" if asked in every else did_you_mean(asked, every)
        raise UsageError(f"not all of these were measured in {asked}{near}", hint=f"{has}.")
    primaries = list(dict.fromkeys(each.primary for each in candidates if each.primary))
    name = asked or (primaries[0] if len(primaries) == 1 and primaries[0] in shared else None)
    if name is None:
        if not shared or len(primaries) > 1:
            different = f"they were measured in different metrics: {' and '.join(primaries)}"
            pick = f" --metric picks one: {', '.join(shared)}." if shared else ""
            raise NotComparable(
                different if len(primaries) > 1 else "they have no metric in common", hint=f"{has}.{pick}"
            )
        name = max(shared, key=lambda metric: sum(len(_repeats_of(each, metric)) for each in candidates))
    modes = {each.modes[name]: each.name for each in reversed(candidates)}
    if len(modes) > 1 or not modes.keys() <= set(MODES):
        says = " and ".join(f'"{mode}" in {one}' for mode, one in sorted(modes.items()))
        raise NotComparable(
            f"the direction of {name} is not the same for all: its mode is {says}",
            hint='The run reports it: "max" if higher is better, "min" if lower is.',
        )
    return name, next(iter(modes))


def _repeats_of(candidate: Candidate, metric: str) -> list[Any]:
    recorded = [figure for figure in candidate.recorded if figure.metric == metric]
    return [run for run in candidate.runs if metric in run.reported.modes] or recorded


def _of_version(text: str, own: Iterable[Run], version: int) -> Candidate:
    found = [run for run in own if run.version == version]
    places = {(run.experiment, run.target) for run in found}
    if len(places) > 1:
        which = ", ".join(sorted(f"{experiment}@{place}-v{version}" for experiment, place in places))
        raise UsageError(f"{text} may be any of {which}", hint="Say which.")
    if not found:
        has = ", ".join(f"{run.target}-v{run.version}" for run in own if run.version is not None)
        raise RunNotFound(f"there is no run {text}", hint=f"There are {has}." if has else "See: coord runs")
    run = found[0]  # a deleted kernel starts again at version 1: the newest run has the number
    if not _is_usable(run):
        raise _not_usable(run)
    return Candidate(text, run.config, (run,), notes=_overrides(text, run))


def _of_runs(name: str, newest: Run, runs: Iterable[Run], pool: Pool) -> Candidate:
    wanted = pool.key(newest)
    alike = [run for run in runs if run.state is RunState.COMPLETE and pool.key(run) == wanted]
    found = _of_config(name, newest, [run for run in alike if _is_usable(run)])
    missing = sum(is_not_fetched(run) for run in alike)
    if missing:
        note = f"{name}: {count(missing, 'complete run')} not fetched yet: coord fetch-results --all"
        found = dataclasses.replace(found, notes=(*found.notes, note))
    return found


def _of_config(name: str, newest: Run, usable: Sequence[Run]) -> Candidate:
    """The runs of one config that have the sources of the newest one."""
    runs = tuple(run for run in usable if _is_same_program(run, newest))
    notes = list(_overrides(name, newest))
    other = len(usable) - len(runs)
    if other:
        notes.append(f"{name}: {count(other, 'run')} of the same config had other sources: they are no repeats")
    return Candidate(name, newest.config, runs, notes=tuple(notes))


def _overrides(name: str, run: Run) -> tuple[str, ...]:
    sets = command_line(*(word for each in run.overrides for word in ("--set", each)))
    return (f"{name} is {run.label} with {sets}",) if run.overrides else ()


def _nothing(name: str, own: Sequence[Run], *, is_known: bool, others: Iterable[str]) -> CoordError:
    complete = [run for run in own if run.state is RunState.COMPLETE]
    if complete:
        return _not_usable(complete[0])
    if own:
        return RunNotFound(
            f"no run of {name} is complete: {own[0].label} {own[0].state.phrase}", hint="See: coord status"
        )
    if is_known:
        return RunNotFound(
            f"no run of {name}, and nothing recorded of it",
            hint=f"Push it: {command_line('coord', 'push', '--exp', name)}",
        )
    return RunNotFound(f'there is no experiment "{name}"{near_experiment(name, others)}', hint="See: coord experiments")


def _hidden(run: Run) -> RunNotFound:
    undo = command_line("coord", "hide", "--undo", str(RunName(run.experiment, run.target, run.version)))
    return RunNotFound(f"{run.label} is hidden: it does not count", hint=f"To compare it: {undo}")


def _not_usable(run: Run) -> RunNotFound:
    if run.state is not RunState.COMPLETE:
        return RunNotFound(f"{run.label} {run.state.phrase}: it has no results to compare", hint="See: coord status")
    if run.summary is None:
        fetch = f"coord fetch-results --exp {run.experiment} --target {run.target} --version {run.version}"
        return RunNotFound(f"{run.label} has not been fetched", hint=f"Fetch it: {fetch}")
    return RunNotFound(f"{run.label} reports that it is {run.summary.status}: it has no results to compare")


def _is_usable(run: Run) -> bool:
    """Complete and fetched; a run that stopped early says so in its summary."""
    return (
        run.state is RunState.COMPLETE
        and run.version is not None
        and run.summary is not None
        and not run.summary.is_partial
    )


def _is_same_program(run: Run, other: Run) -> bool:
    """Old runs have no record of their sources: these count as the same."""
    return not run.files or not other.files or run.files == other.files


def is_not_fetched(run: Run) -> bool:
    """A complete run whose results are not here. One that is fetched has no summary either if it reports no metrics."""
    return run.state is RunState.COMPLETE and run.summary is None and run.fetched_at is None


def count(number: int, what: str) -> str:
    return f"{number} {what}{'s' * (number != 1)}"
