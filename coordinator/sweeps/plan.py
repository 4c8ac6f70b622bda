"""The verb sweep: many experiments from one, planned, recorded together, and pushed as sessions become free.

The ledger records the sweep before anything is pushed, and every push as usual. So coord knows at any moment, also
after Ctrl-C, a kill or a reboot, what is not pushed yet, and pushes nothing twice: one process at a time works on a
sweep, and a push without an outcome is looked for on the target first.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from coordinator.bundle import ReadOnce
from coordinator.errors import UsageError
from coordinator.kaggle_rules import kind_of_shape
from coordinator.kernel import assemble, kernel_slug
from coordinator.ledger import Ledger, Member, Run, Sweep, sweeps
from coordinator.project import Experiment, Project, TargetName, kernel_titles, leaves, resolve
from coordinator.runs import run_of_same_work, work_now
from coordinator.sweeps import estimates
from coordinator.sweeps.grid import Combination, Start, axes, combinations, setting_of, sweep_name
from coordinator.target import abilities_of
from coordinator.workspace import Workspace

_NAME = r"[A-Za-z0-9][A-Za-z0-9._+=-]*"


@dataclass(frozen=True)
class Variation:
    """What varies in a sweep."""

    grid: Sequence[str] = ()
    """`PATH=VALUE,VALUE`, one a setting."""
    seeds: int | None = None
    """How many seeds each combination runs with; None: the experiment's own seed."""
    split_folds: bool = False
    """One run a fold."""


@dataclass(frozen=True)
class Planned:
    """One experiment that a sweep would run."""

    combination: Combination
    work: str
    done: Run | None
    """A run that has done the same work, or is doing it."""
    estimate: estimates.Estimate | None

    def to_json(self) -> dict[str, Any]:
        return {
            "experiment": self.combination.name,
            "overrides": list(self.combination.overrides),
            "whole": self.combination.whole,
            "done": self.done.label if self.done else None,
            "done_state": str(self.done.state) if self.done else None,
            "estimated_seconds": self.estimate.seconds if self.estimate else None,
            "earlier_runs": self.estimate.runs if self.estimate else 0,
            "differing_settings": self.estimate.differences if self.estimate else None,
        }


@dataclass(frozen=True)
class Plan:
    """What a sweep would run, and which runs have done parts of it, or are doing them."""

    name: str
    start: Start
    target: TargetName
    machine: str | None
    planned: tuple[Planned, ...]

    @property
    def to_run(self) -> tuple[Planned, ...]:
        return tuple(each for each in self.planned if each.done is None)

    @property
    def kind(self) -> str:
        """cpu, gpu or tpu"""
        return kind_of_shape(self.machine)

    @property
    def session_seconds(self) -> float | None:
        """Of all runs together; None if one of them has no estimate."""
        known = [each.estimate.seconds for each in self.to_run if each.estimate]
        return sum(known) if len(known) == len(self.to_run) else None

    @property
    def wall_seconds(self) -> float | None:
        """From the first push to the end of the last run, with as many in parallel as the account allows."""
        if self.session_seconds is None:
            return None
        each = [each.estimate.seconds for each in self.to_run if each.estimate]
        return estimates.wall_seconds(each, estimates.at_once(self.target, len(each)))

    def to_json(self) -> dict[str, Any]:
        return {
            "sweep": self.name,
            "base": self.start.name,
            "target": self.target,
            "machine": self.kind,
            "experiments": [each.to_json() for each in self.planned],
            "session_seconds": self.session_seconds,
            "wall_seconds": self.wall_seconds,
        }


def plan_sweep(
    workspace: Workspace,
    exp: str,
    varied: Variation,
    *,
    target: TargetName,
    name: str | None = None,
    force: bool = False,
) -> Plan:
    """What the sweep would run. Nothing is written. Raises UsageError, ExperimentError, BundleError, MetadataError.

    With `force`, work that a run of another name, or of another sweep, has done is done again.
    """
    if name is not None and not re.fullmatch(_NAME, name):
        raise UsageError(f'--name "{name}": a sweep\'s name has letters, digits and any of . _ + = -', hint="--name lr")
    member = sweeps.swept(workspace.project, exp)
    start = Start(exp, member.base, member.overrides) if member else Start(exp, exp)
    experiment = resolve(workspace.project, start.base, start.overrides)
    along = axes(workspace.project, experiment, varied.grid, seeds=varied.seeds, split=varied.split_folds)
    start = _keeping_folds(workspace.project, start, experiment) if varied.seeds is not None else start
    found = combinations(workspace.project, start, along, _taken(workspace))
    runs = workspace.ledger.runs(target=target, hidden=True)
    planned, reading = [], ReadOnce()
    is_for_kaggle = abilities_of(workspace.project, target).checks_kaggle_rules
    for each in found:
        built = assemble(
            workspace.project, each.experiment, workspace.progress, for_kaggle=is_for_kaggle, reading=reading
        )
        work = work_now(workspace, built, target)
        planned.append(
            Planned(
                each,
                work,
                done=None if force else run_of_same_work(workspace, work, target),
                estimate=estimates.estimate_run(
                    runs,
                    each.experiment.config,
                    experiment.kernel.machine_shape,
                    workspace.project.settings.sweep.folds,
                ),
            )
        )
    return Plan(name or sweep_name(start, along), start, target, experiment.kernel.machine_shape, tuple(planned))


def begin(ledger: Ledger, planned: Plan, *, is_named: bool, force: bool = False) -> Sweep:
    """The sweep, recorded; the same one if it was asked for before (unless `force`, which repeats what was done).

    Raises UsageError if the name that was given is that of another sweep; one that was not given gets a number.
    """
    members = tuple(_member(each) for each in planned.planned)
    there = {sweep.name: sweep for sweep in sweeps.all_sweeps(ledger)}
    name, number = planned.name, 1
    while (earlier := there.get(name)) is not None:
        if not force and earlier.target == planned.target and _same(earlier.members, members):
            return earlier
        if is_named:
            raise UsageError(
                f'there is another sweep "{name}", of other experiments, sources or target',
                hint="Choose another --name.",
            )
        number += 1
        name = f"{planned.name}-{number}"
    sweep = Sweep(name, planned.start.name, planned.target, force, ledger.moment(), members)
    sweeps.add(ledger, sweep)
    return sweep


def _member(planned: Planned) -> Member:
    each, done = planned.combination, planned.done
    other = done is not None and done.experiment != each.name
    return Member(
        each.name,
        each.experiment.bases[0],
        each.overrides,
        each.whole,
        planned.work,
        run_id=done.id if done and other else None,
    )


def _same(some: Sequence[Member], others: Sequence[Member]) -> bool:
    """Whether these are the same experiments with the same work."""
    return [(each.experiment, each.work) for each in some] == [(each.experiment, each.work) for each in others]


def _taken(workspace: Workspace) -> dict[str, tuple[str, str, tuple[str, ...]]]:
    taken: dict[str, tuple[str, str, tuple[str, ...]]] = {}
    titles = kernel_titles(workspace.project)
    for member in sweeps.members(workspace.ledger):
        title = titles.get(member.base, workspace.project.settings.kernel.title)
        taken[kernel_slug(title, member.experiment)] = (member.experiment, member.base, member.overrides)
    for name, title in titles.items():
        taken[kernel_slug(title, name)] = (name, name, ())
    return taken


def _keeping_folds(project: Project, start: Start, experiment: Experiment) -> Start:
    """Keeps the images of each fold for all seeds, so that only the seed of the training differs."""
    path, config = project.settings.sweep.fold_seed, dict(leaves(experiment.config))
    if path is None or config.get(setting_of(config, path, "fold_seed")) is not None:
        return start
    return Start(start.name, start.base, (*start.overrides, f"{path}={config[project.settings.sweep.seed]}"))
