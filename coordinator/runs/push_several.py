"""The verb push, of one or several experiments: builds each, and pushes those whose work no run has done yet."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from coordinator.errors import CoordError, NoSlot
from coordinator.kernel import Build, build_kernel
from coordinator.ledger import Run, find_experiment, outdated_in
from coordinator.runs.isolation import warn_if_here
from coordinator.runs.needs import ready_needs
from coordinator.runs.push import push_kernel
from coordinator.runs.same_work import run_of_same_work, work_now
from coordinator.workspace import Workspace


@dataclass(frozen=True)
class PushResult:
    """What happened to one experiment: it has a run, or an error says why not."""

    run: Run | None = None
    """The run that was pushed, or the one that has done the same work or is doing it."""
    error: CoordError | None = None
    not_tried: tuple[str, ...] = ()
    """Experiments that were not tried, because the session limit refused this one."""


def push_several(
    workspace: Workspace,
    names: Sequence[str],
    overrides: Sequence[str],
    *,
    force: bool,
    wait_for_slot: bool,
    wait_for_needs: bool = False,
) -> Iterator[PushResult]:
    """Pushes the experiments one after the other, and yields a result as soon as each is done.

    After an error it goes on with the next experiment, but at the session limit it stops. `overrides` and `force` (push
    even if a run has done the same work, or the kernel has an active session) are for each of them. With
    `wait_for_needs`, it waits for the runs that an experiment needs.
    """
    warn_if_here(workspace)
    for number, name in enumerate(names, start=1):
        try:
            built = _built(workspace, name, overrides)
            # The work depends on which versions would be read.
            ready_needs(workspace, built.experiment, wait=wait_for_needs)
            run = _push(workspace, built, force=force, wait_for_slot=wait_for_slot)
        except NoSlot as error:
            yield PushResult(error=error, not_tried=tuple(names[number:]))
            return
        except CoordError as error:
            yield PushResult(error=error)
        else:
            yield PushResult(run)


def _built(workspace: Workspace, name: str, overrides: Sequence[str]) -> Build:
    built = build_kernel(
        workspace.project,
        find_experiment(workspace.project, name, overrides),
        workspace.progress,
        for_kaggle=workspace.target.abilities.checks_kaggle_rules,
    )
    for message in built.messages:
        workspace.say(message)
    return built


def _push(workspace: Workspace, built: Build, *, force: bool, wait_for_slot: bool) -> Run:
    """The run that was pushed, or the one that has done the same already."""
    target = workspace.target.name
    same = None if force else run_of_same_work(workspace, work_now(workspace, built, target), target)
    # `push_kernel` refuses a second session of the same kernel, and its message says what to do.
    if same is not None and not (same.state.is_active and same.experiment == built.experiment.name):
        if same.state.is_active:
            workspace.say(f"{same.label} does the same and {same.state.phrase}: not pushed again (--force repeats it)")
        else:
            workspace.say(f"{same.label} has done the same and is complete: not pushed again (--force repeats it)")
        for each in outdated_in(workspace.ledger, same):
            workspace.say(f"warning: {same.label} is outdated all the same: it {each}")
        return same
    run = push_kernel(workspace, built, force=force, wait_for_slot=wait_for_slot)
    workspace.say(f"pushed {run.label}")
    return run
