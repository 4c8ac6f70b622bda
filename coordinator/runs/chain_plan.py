"""A chain: experiments and what they need, in the order in which they have to run, and what each has to do.

Kaggle gives a session the output of a needed kernel's newest complete version. So a need is done if that version did
the work that its experiment says now; a run of the same work under another name, or an older version, is no help.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from coordinator.errors import ExperimentError, UsageError
from coordinator.kaggle_rules import normal_name
from coordinator.kernel import Build, assemble
from coordinator.ledger import Run, chain_of, find_experiment, outdated_in, stopped_early, work_of
from coordinator.project import Experiment, Need, Project, leaves
from coordinator.runs.refresh import refresh_run
from coordinator.runs.same_work import run_of_same_work, work_now
from coordinator.target import RunState
from coordinator.text import in_one_line
from coordinator.workspace import Workspace

_NAMES = 3  # of what differs that are shown


@dataclass(frozen=True)
class Link:
    """One experiment of a chain."""

    experiment: Experiment
    is_named: bool
    """The user asked for it. Otherwise it is there because another one needs it."""
    is_needed: bool
    pinned: int | None = None
    """The version that is needed, of an experiment that must not get another one."""
    is_forced: bool = False
    """It is pushed although it has been done."""

    @property
    def name(self) -> str:
        return self.experiment.name

    @property
    def needs(self) -> tuple[Need, ...]:
        """What has to be complete before it; what a version that is there has read is no question any more."""
        return () if self.pinned is not None else self.experiment.needs


class Action(StrEnum):
    """What an experiment of a chain has to do."""

    PUSH = "push"
    WAIT = "wait"
    """Its run goes on."""
    NOTHING = "nothing"
    """Its run is complete."""
    STOP = "stop"
    """The chain can't go on."""


@dataclass(frozen=True)
class Step:
    """What one experiment of a chain has to do, and why."""

    link: Link
    action: Action
    reason: str
    """In a word: new, changed, outdated, forced; running, busy; complete; failed, incomplete, version, stopped."""
    why: str
    run: Run | None = None
    """Its run, if it has one that matters for this."""

    @property
    def is_fresh(self) -> bool:
        """Whether its kernel will have a new complete version, so that those who need it have other work to do."""
        return self.action in (Action.PUSH, Action.WAIT)

    @property
    def remedy(self) -> str:
        """What to do about it, if the chain can't go on."""
        name = self.link.name
        return {
            "failed": f"coord logs --exp {name} shows why. To push it again: coord push --exp {name}",
            "incomplete": f"Go on with that run: coord continue --exp {name}",
            "version": f'Need its newest version instead ("{name}"), or push the work of v{self.link.pinned} again.',
        }.get(self.reason, "")

    @property
    def experiment(self) -> str:
        return self.link.name

    @property
    def needs(self) -> tuple[Need, ...]:
        return self.link.experiment.needs

    def to_json(self) -> dict[str, Any]:
        return {
            "experiment": self.experiment,
            "action": self.action.value,
            "reason": self.reason,
            "why": self.why,
            "run": self.run.label if self.run else None,
            "needs": [need.to_json() for need in self.needs],
        }


def chain_of_needs(
    project: Project, names: Sequence[str], overrides: Sequence[str] = (), *, force: bool = False
) -> tuple[Link, ...]:
    """The named experiments and all that they need, each once, after what it needs itself.

    `overrides` (`--set`) and `force` are for the named ones. Raises ExperimentError, and UsageError if a named
    experiment is needed by another one, and would be overridden.
    """
    found: dict[str, Experiment] = {}
    pinned: dict[str, int] = {}
    needed = set[str]()

    def add(name: str, way: tuple[str, ...]) -> None:
        if name in way:
            raise ExperimentError(f"the needs form a circle: {' -> '.join([*way, name])}")
        if name in found:
            return
        experiment = find_experiment(project, name, overrides if name in names else ())
        for need in experiment.needs:
            needed.add(need.experiment)
            if need.version is not None and pinned.setdefault(need.experiment, need.version) != need.version:
                raise ExperimentError(
                    f"{need.experiment} is needed in v{pinned[need.experiment]} and in v{need.version}, "
                    "and a kernel's output can be attached in one version only"
                )
            add(need.experiment, (*way, name))
        found[name] = experiment

    for name in names:
        add(name, ())
    overridden = [name for name in names if name in needed]
    if overridden and overrides:
        raise UsageError(
            f"--set is for the experiments that --exp names, and {overridden[0]} is needed by another one",
            hint="What is needed runs as its file says: give the values to an experiment of their own.",
        )
    return tuple(
        Link(each, name in names, name in needed, pinned.get(name), is_forced=force and name in names)
        for name, each in _without_needs_of(found, pinned, names)
    )


def _without_needs_of(
    found: dict[str, Experiment], pinned: Collection[str], names: Collection[str]
) -> list[tuple[str, Experiment]]:
    """Without what only pinned experiments need: they are there already."""
    kept = set(names)
    for name, experiment in reversed(found.items()):  # each after those that need it
        if name in kept and name not in pinned:
            kept |= {need.experiment for need in experiment.needs}
    return [(name, experiment) for name, experiment in found.items() if name in kept]


def plan_chain(workspace: Workspace, links: Sequence[Link]) -> tuple[Step, ...]:
    """What each would have to do if the chain began now. Nothing is written but what the target says of its runs.

    Raises what `kernel.assemble` does.
    """
    steps: dict[str, Step] = {}
    for link in links:
        before = [steps[need.experiment] for need in link.needs]
        stopped = next((step for step in before if step.action is Action.STOP), None)
        if stopped is not None:
            why = f"its need {stopped.experiment} stops the chain"
            steps[link.name] = Step(link, Action.STOP, "stopped", why)
            continue
        fresh = {step.experiment for step in before if step.is_fresh}
        steps[link.name] = judge(workspace, link, assembled(workspace, link), fresh)
    return tuple(steps.values())


def assembled(workspace: Workspace, link: Link) -> Build:
    """The link's kernel as it would be pushed to the workspace's target, in memory."""
    is_for_kaggle = workspace.target.abilities.checks_kaggle_rules
    return assemble(workspace.project, link.experiment, workspace.progress, for_kaggle=is_for_kaggle)


def judge(workspace: Workspace, link: Link, built: Build, fresh: Collection[str] = ()) -> Step:
    """What an experiment has to do; `fresh` are those that will have a new version before it is its turn.

    The target is asked whether its active runs have ended.
    """
    runs = [
        refresh_run(workspace, run, look_at_log=False) if run.state.is_active else run
        for run in kernel_runs(workspace, built)
    ]
    newest = next((run for run in runs if run.state is RunState.COMPLETE), None)
    if link.pinned is not None:
        return _judge_pinned(link, newest)
    if link.is_forced:
        return Step(link, Action.PUSH, "forced", "--force repeats it", newest)
    for need in link.needs:
        if need.experiment in fresh:
            why = f"its need {need.experiment} will have a new version"
            return Step(link, Action.PUSH, "outdated" if newest else "new", why, newest)
    work = work_now(workspace, built, workspace.target.name)
    if not link.is_needed and (same := run_of_same_work(workspace, work, workspace.target.name)) is not None:
        return _of_same_work(link, same)
    for run in runs:
        if run.state.is_active:
            return _judge_active(workspace, link, run, work)
    last = next((run for run in runs if run.has_kernel), None)
    for run in filter(None, (newest, last)):
        if run.is_whole and _has_done(workspace, run, work):
            problem = why_useless(link, run)
            if problem is None:
                return _of_same_work(link, run)
            if not link.is_named:  # a named one is pushed again, as without its chain
                return problem
    return Step(link, Action.PUSH, *_why_pushed(workspace, newest, built), newest)


def why_useless(link: Link, run: Run) -> Step | None:
    """What stops a chain, of a run that has ended and did what the link says; None if its output can be read."""
    if run.state is not RunState.COMPLETE:
        about = f": {in_one_line(run.message)}" if run.message else ""
        return Step(link, Action.STOP, "failed", f"{run.label} {run.state.phrase}{about}", run)
    if stopped_early(run):
        return Step(link, Action.STOP, "incomplete", f"{run.label} reports that it ended before it was finished", run)
    return None


def kernel_runs(workspace: Workspace, built: Build) -> list[Run]:
    """The ledger's runs of a built experiment's kernel on the workspace's target, newest first."""
    address = (normal_name(workspace.target.owner), built.metadata.slug)
    runs = workspace.ledger.runs(target=workspace.target.name, hidden=True)
    return [run for run in runs if (run.owner, run.slug) == address and not run.is_merged]


def _judge_pinned(link: Link, newest: Run | None) -> Step:
    if newest is not None and newest.version == link.pinned:
        return Step(link, Action.NOTHING, "complete", f"{newest.label} is the version that is needed", newest)
    there = f"the newest complete one is v{newest.version}" if newest else "none is complete"
    return Step(link, Action.STOP, "version", f"v{link.pinned} is needed, and {there}", newest)


def _judge_active(workspace: Workspace, link: Link, run: Run, work: str) -> Step:
    if _has_done(workspace, run, work) and run.is_whole:
        return _of_same_work(link, run)
    return Step(link, Action.WAIT, "busy", f"{run.label} {run.state.phrase} and does other work: pushed after it", run)


def _of_same_work(link: Link, run: Run) -> Step:
    if run.state.is_active:
        return Step(link, Action.WAIT, "running", f"{run.label} {run.state.phrase}", run)
    return Step(link, Action.NOTHING, "complete", f"{run.label} is complete", run)


def _has_done(workspace: Workspace, run: Run, work: str) -> bool:
    """Whether a run does this work (or did, or tried to), or goes on from one that did."""
    runs = {each.id: each for each in workspace.ledger.runs(target=run.target, hidden=True)} if run.continues else {}
    return any(work_of(each) == work for each in chain_of(run, runs))


def _why_pushed(workspace: Workspace, newest: Run | None, built: Build) -> tuple[str, str]:
    """(reason, why) of an experiment that has to run: compared with its newest complete run."""
    if newest is None:
        return "new", "it has no complete run yet"
    if found := outdated_in(workspace.ledger, newest):
        return "outdated", f"{newest.label} {', and '.join(map(str, found))}"
    if not newest.is_whole:
        return "changed", f"{newest.label} did not have all its sources"
    if stopped_early(newest):
        return "changed", f"{newest.label} ended before it was finished"
    parts = {
        "files": _differing(newest.files, {file.path: file.sha256 for file in built.files}),
        "config": _differing(dict(leaves(newest.config)), dict(leaves(built.experiment.config))),
        "start": _differing(newest.launch, built.launch),
    }
    differing = [f"{part} ({', '.join(names)})" for part, names in parts.items() if names] or ["settings"]
    return "changed", f"{newest.label} had other {' and '.join(differing)}"


def _differing(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """The first names of what differs."""
    names = [name for name in dict.fromkeys([*before, *now]) if before.get(name) != now.get(name)]
    return [*names[:_NAMES], *(["..."] if len(names) > _NAMES else [])]
