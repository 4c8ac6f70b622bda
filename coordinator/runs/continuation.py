"""The verb continue: pushes a run that starts from the checkpoint of an earlier one.

A run is continued by a new version of the same kernel, which attaches that kernel's own output: there the earlier
version left its checkpoint. The config value that `[tool.coord] continue_setting` names has the kernel's address.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from coordinator.errors import ProjectError, RunFailed, RunNotFound, UsageError, did_you_mean
from coordinator.kernel import build_kernel
from coordinator.ledger import Ledger, Run, find_experiment
from coordinator.project import Change, Experiment, Project, declared_paths, leaves
from coordinator.runs.isolation import warn_if_here
from coordinator.runs.needs import ready_needs
from coordinator.runs.push import push_kernel
from coordinator.runs.refresh import refresh_run
from coordinator.target import RunState
from coordinator.workspace import Workspace


@dataclasses.dataclass(frozen=True)
class Continuation:
    """What is to be pushed, and which run it continues."""

    earlier: Run
    experiment: Experiment
    changes: tuple[Change, ...]
    """Config values that differ from the earlier run's, without the one that names it."""


def continue_run(
    workspace: Workspace,
    earlier: Run,
    overrides: Sequence[str],
    *,
    force: bool,
    wait_for_slot: bool,
    wait_for_needs: bool = False,
) -> Run:
    """Pushes the run that goes on from `earlier`; see `continuation_of` for its config, and `push_kernel`."""
    found = continuation_of(workspace, earlier, overrides)
    is_for_kaggle = workspace.target.abilities.checks_kaggle_rules
    built = build_kernel(workspace.project, found.experiment, workspace.progress, for_kaggle=is_for_kaggle)
    for message in built.messages:
        workspace.say(message)
    changes = "".join(f", {change.path} {change.base} -> {change.value}" for change in found.changes)
    workspace.say(f"going on from {earlier.label}{changes}")
    warn_if_here(workspace)
    if wait_for_needs:
        ready_needs(workspace, found.experiment, wait=True)
    return push_kernel(workspace, built, force=force, wait_for_slot=wait_for_slot, continues=earlier.id)


def continuation_of(workspace: Workspace, earlier: Run, overrides: Sequence[str]) -> Continuation:
    """The experiment with the overrides of `earlier` and then the given ones, so that it continues that run.

    Whether a run can be continued with a change (of the epochs, say) is decided by the model source, if
    `continue_check` names a function of it.

    Raises ProjectError without `continue_setting`, RunFailed if the run left no output to attach, UsageError for a
    change that is refused, and if a newer version left an output: of an attached kernel, it is always the output of the
    newest complete version.
    """
    setting = _setting(workspace.project, earlier)
    earlier = refresh_run(workspace, earlier, look_at_log=False)
    if earlier.state.is_active:
        raise RunFailed(
            f"{earlier.label} {earlier.state.phrase}: there is nothing to continue from yet",
            hint=f"coord logs --exp {earlier.experiment} --follow waits for it.",
        )
    if earlier.state is not RunState.COMPLETE:
        raise RunFailed(
            f"{earlier.label} {earlier.state.phrase}: {workspace.target.name} attaches only the output of complete runs"
        )
    newer = [run for run in _complete(workspace.ledger, earlier) if run.ref.version > earlier.ref.version]
    if newer:
        raise UsageError(
            f"{earlier.label} can't be continued: {workspace.target.name} attaches a kernel's newest output, "
            f"which is that of v{newer[0].version}",
            hint=f"Continue that one (leave out --version), or push it again: coord push --exp {earlier.experiment}",
        )
    given = _last_of_each([*earlier.overrides, *overrides, f"{setting}={earlier.owner}/{earlier.slug}"])
    experiment = find_experiment(workspace.project, earlier.experiment, given)
    _check(workspace.project, earlier, experiment)
    before, after = dict(leaves(earlier.config)), dict(leaves(experiment.config))
    changes = tuple(
        Change(path, before.get(path), after.get(path))
        for path in dict.fromkeys([*before, *after])
        if path != setting and before.get(path) != after.get(path)
    )
    return Continuation(earlier, experiment, changes)


def choose(workspace: Workspace, newest: Run) -> Run:
    """The run to continue if no version was named: the newest, or if that failed, the newest complete one."""
    newest = refresh_run(workspace, newest, look_at_log=False)
    if newest.state is RunState.COMPLETE or newest.state.is_active:
        return newest
    before = _complete(workspace.ledger, newest)
    if not before:
        raise RunNotFound(
            f"{newest.label} {newest.state.phrase}, and no run before it is complete: nothing can be continued",
            hint=f"Push it again: coord push --exp {newest.experiment}",
        )
    workspace.say(f"{newest.label} {newest.state.phrase}: continuing from v{before[0].version}")
    return before[0]


def _check(project: Project, earlier: Run, experiment: Experiment) -> None:
    refused = project.continue_check()
    if refused is None:
        return
    try:
        problems = list(refused(earlier.config, experiment.config))
    except Exception as error:  # the user's code: it may raise anything
        where = f"{project.relative(project.pyproject)}: [tool.coord] continue_check"
        raise ProjectError(f"{where} failed: {type(error).__name__}: {error}") from error
    if problems:
        raise UsageError(
            f"{earlier.label} can't be continued with this config: {'; '.join(problems)}",
            hint=f"With another config it is a run of its own: coord push --exp {earlier.experiment} --set ...",
        )


def _setting(project: Project, earlier: Run) -> str:
    setting = project.settings.continue_setting
    if setting is None:
        raise ProjectError(
            f"{project.relative(project.pyproject)}: [tool.coord] has no continue_setting",
            hint='Name the config value for the kernel to continue from: continue_setting = "train.resume_from"',
        )
    known = list(declared_paths(find_experiment(project, earlier.experiment, earlier.overrides).declared))
    if setting not in known:
        raise ProjectError(
            f'{project.relative(project.pyproject)}: [tool.coord] continue_setting names "{setting}", which the config '
            f"does not have{did_you_mean(setting, known)}"
        )
    return setting


def _complete(ledger: Ledger, of: Run) -> list[Run]:
    """Newest first: the complete runs of the same kernel."""
    same = (run for run in ledger.runs(target=of.target, hidden=True) if (run.owner, run.slug) == (of.owner, of.slug))
    return [run for run in same if run.has_kernel and run.state is RunState.COMPLETE]


def _last_of_each(overrides: Sequence[str]) -> list[str]:
    """Of several `--set` for one path the last, which is the one that counts."""
    return list({text.partition("=")[0].strip(): text for text in overrides}.values())
