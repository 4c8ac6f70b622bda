"""Whether the runs that an experiment needs are there, and which versions of them a push would read.

A kernel that is attached gives its newest complete version: no other one can be asked for.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from coordinator.errors import CoordError, ExperimentError, Later, NoAnswer, RunFailed, RunNotFound
from coordinator.kaggle_rules import normal_name
from coordinator.kernel import needed_slugs
from coordinator.ledger import Run, outdated_in, stopped_early
from coordinator.project import Experiment, Need, kernel_titles, target_name
from coordinator.runs.follow import Pace
from coordinator.runs.refresh import refresh_run
from coordinator.target import RunState
from coordinator.text import command_line, in_one_line
from coordinator.workspace import Workspace

_TELL_SECONDS = 60.0
"""How often it says that it still waits."""


@dataclass(frozen=True)
class NeededRuns:
    """A need, and the runs of its kernel on the target."""

    need: Need
    slug: str
    runs: tuple[Run, ...]
    """Newest first."""

    @property
    def newest(self) -> Run | None:
        """The newest complete version, which is read."""
        return next((run for run in self.runs if run.state is RunState.COMPLETE and run.has_kernel), None)

    @property
    def later(self) -> tuple[Run, ...]:
        """The runs after that one."""
        return self.runs if self.newest is None else self.runs[: self.runs.index(self.newest)]

    @property
    def active(self) -> Run | None:
        """The newest run that would be read instead if it was complete."""
        return next((run for run in self.later if run.state.is_active), None)

    @property
    def is_given(self) -> bool:
        """Whether the version that is asked for would be read."""
        return self.newest is not None and self.need.version in (None, self.newest.version)

    @property
    def awaited(self) -> Run | None:
        """The active run that has to end first; none if the version that is asked for by its number is there."""
        return None if self.is_given and self.need.version is not None else self.active

    @property
    def called(self) -> str:
        return str(self.need) if self.need.name == self.need.experiment else f"{self.need} ({self.need.name})"


def ready_needs(workspace: Workspace, experiment: Experiment, *, wait: bool = False) -> tuple[str, ...]:
    """Checks that the experiment can be pushed now; returns texts that say which versions it would read.

    The target is asked about the needed runs that are active. With `wait`, it waits until they have ended.

    Raises Later for a need that runs, RunNotFound for one that has no run, RunFailed for one whose runs have failed,
    ExperimentError if the version that is asked for cannot be given; of several problems the message has all.
    """
    if not experiment.needs:
        return ()
    slugs = needed_slugs(experiment.needs, kernel_titles(workspace.project))
    found = _waited_for(workspace, experiment, slugs) if wait else _look(workspace, experiment, slugs)
    problems, texts = list[CoordError](), list[str]()
    for each in found:
        if each.runs or not _is_elsewhere(workspace, each):
            problem = _problem(workspace, each)
            problems += [problem] if problem is not None else []
            texts += _told(workspace, each) if problem is None else []
        else:
            texts.append(f"warning: {each.called} has a kernel on {workspace.target.name}, but no run in this ledger")
    if problems:
        raise _joined(workspace, experiment, problems)
    return tuple(texts)


def _look(workspace: Workspace, experiment: Experiment, slugs: Mapping[str, str]) -> list[NeededRuns]:
    """Each need with its runs, after the target was asked about the active ones."""
    owner = normal_name(workspace.target.owner)
    runs = workspace.ledger.runs(target=workspace.target.name, hidden=True)
    found = []
    for need in experiment.needs:
        own = [run for run in runs if (run.owner, run.slug) == (owner, slugs[need.name])]
        now = [refresh_run(workspace, run, look_at_log=False) if run.state.is_active else run for run in own]
        found.append(NeededRuns(need, slugs[need.name], tuple(now)))
    return found


def _is_elsewhere(workspace: Workspace, found: NeededRuns) -> bool:
    """Whether the target has the kernel, which another machine or a person has pushed."""
    return workspace.target.source(workspace.target.owner, found.slug) is not None


def _problem(workspace: Workspace, found: NeededRuns) -> CoordError | None:
    """Why the experiment cannot be pushed now; None if this need is as it should be."""
    newest, awaited = found.newest, found.awaited
    push = _command(workspace, "push", found.need.experiment)
    if awaited is not None:
        instead, earlier = "", ""
        if newest is not None:
            instead = f", and v{newest.version} would be read"
            earlier = f", or name the version that is there, {found.need.experiment}@v{newest.version}"
        return Later(f"{found.called}: {_at_work(awaited)}{instead}", hint=f"Wait for it: --wait-for-needs{earlier}.")
    if found.is_given:
        return None
    if newest is not None or found.need.version is not None:
        return _other_version(workspace, found)
    if not found.runs:
        return RunNotFound(f"{found.called}: it has no run on {workspace.target.name}", hint=f"Make one: {push}")
    if any(run.is_merged for run in found.runs):
        return RunNotFound(
            f"{found.called}: its results are merged from runs of split folds, and have no kernel to attach",
            hint=f"Run all folds in one: {push}",
        )
    last = found.runs[0]
    about = f" ({in_one_line(last.message)})" if last.message else ""
    see = f"See why: {_command(workspace, 'logs', found.need.experiment)}\n" if last.has_kernel else ""
    return RunFailed(
        f"{found.called}: {last.label} {last.state.phrase}{about}, and no version of it is complete",
        hint=f"{see}Push it again: {push}",
    )


def _other_version(workspace: Workspace, found: NeededRuns) -> CoordError:
    """The error for a version that is asked for, and is not the newest complete one."""
    need, newest = found.need, found.newest
    wanted = next((run for run in found.runs if run.version == need.version), None)
    push, drop = (
        _command(workspace, "push", found.need.experiment),
        f"or leave out @v{need.version} to read the newest one",
    )
    there = "it has no complete version" if newest is None else f"the newest complete one is v{newest.version}"
    if wanted is not None and wanted.state is not RunState.COMPLETE:
        what = f"{wanted.label} {wanted.state.phrase}, and has no output to attach; {there}"
        return ExperimentError(f"{found.called}: {what}", hint=f"{push}, and name that version, {drop}.")
    if newest is None or (newest.version or 0) < (need.version or 0):
        return ExperimentError(f"{found.called}: there is no v{need.version} yet; {there}", hint=f"{push}, {drop}.")
    commit = f" at its commit, {wanted.git.removesuffix('-dirty')}," if wanted and wanted.git else " as it was then"
    return ExperimentError(
        f"{found.called}: {workspace.target.name} gives the newest complete version of a kernel, and that is "
        f"v{newest.version}",
        hint=f"Push {need.experiment} again{commit} and name the version that this makes, {drop}.",
    )


def _told(workspace: Workspace, found: NeededRuns) -> Iterator[str]:
    """What is read, and what about it may not be expected."""
    newest = found.newest
    if newest is None:
        return
    yield f"reads {newest.label} as {found.need.name}"
    if found.active is not None:
        yield f"warning: {_at_work(found.active)}: if it is complete before this session begins, that one is read"
    elif found.later:
        yield f"warning: {found.later[0].label} {found.later[0].state.phrase}, so v{newest.version} is read"
    if stopped_early(newest):
        yield f"warning: {newest.label} ended before it was finished"
    if newest.lacks:
        yield f"warning: {newest.label} ran without {', '.join(newest.lacks)}"
    for each in outdated_in(workspace.ledger, newest):
        yield f"warning: {newest.label} is outdated: it {each}"


def _waited_for(workspace: Workspace, experiment: Experiment, slugs: Mapping[str, str]) -> list[NeededRuns]:
    """Waits until no run has to be waited for. Nothing is written but what the target answers.

    Raises NoAnswer (or Later) when the target gives no answer for ten minutes.
    """
    pace = Pace.of(workspace)
    begun = workspace.clock.seconds()
    told, shown = begun, ""
    try:
        while True:
            try:
                found = _look(workspace, experiment, slugs)
            except (NoAnswer, Later) as error:
                pace.not_answered(error)
            else:
                pace.answered()
                awaited = [each.awaited for each in found if each.awaited is not None]
                if not awaited:
                    return found
                now, seconds = ", ".join(f"{run.label} ({run.state})" for run in awaited), workspace.clock.seconds()
                if now != shown or seconds - told >= _TELL_SECONDS:
                    told, shown = seconds, now
                    waited = f", for {_duration(seconds - begun)} now" if seconds - begun >= 1 else ""
                    workspace.say(f"waiting for {now}{waited} (Ctrl-C: {experiment.name} is not pushed)")
            pace.sleep()
    except KeyboardInterrupt:
        raise KeyboardInterrupt(
            f"interrupted: {experiment.name} is not pushed; what it needs goes on, and the same command waits again"
        ) from None


def _joined(workspace: Workspace, experiment: Experiment, problems: list[CoordError]) -> CoordError:
    """One error that says all; Later only if there is nothing else."""
    first = min(problems, key=lambda each: isinstance(each, Later))
    hints = dict.fromkeys(each.hint for each in problems if each.hint)
    if isinstance(first, RunNotFound):
        hints[f"Or all of it: {_command(workspace, 'push', experiment.name, '--with-needs')}"] = None
    if len(problems) == 1:
        return type(first)(f"{experiment.name} needs {first.what}", hint="\n".join(hints))
    lines = "\n".join(f"  {each.what}" for each in problems)
    return type(first)(
        f"{experiment.name} has {len(problems)} needs that can't be read:\n{lines}", hint="\n".join(hints)
    )


def _command(workspace: Workspace, verb: str, experiment: str, *options: str) -> str:
    """`coord VERB --exp EXPERIMENT`, with the target where it is not the one that is taken without."""
    name = workspace.target.name
    where = () if target_name(workspace.project, None) == name else ("--target", name)
    return command_line("coord", verb, "--exp", experiment, *options, *where)


def _at_work(run: Run) -> str:
    """`train local-v1 is running (pushed 12 min ago)`"""
    since = run.pushed_at or run.sent_at or run.created_at
    passed = datetime.now(UTC) - datetime.fromisoformat(since)
    return f"{run.label} {run.state.phrase} (pushed {_duration(passed.total_seconds())} ago)"


def _duration(seconds: float) -> str:
    """45 s, 12 min, 3 h 5 min"""
    minutes, rest = divmod(max(0, int(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min" if minutes else f"{rest} s"
