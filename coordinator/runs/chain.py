"""The verb push --with-needs: pushes experiments after what they need, and waits for each need in between.

Nothing but the ledger says how far a chain is. So the same command goes on after Ctrl-C, a kill or a crash: what is
complete is not pushed again, what is running is waited for, and a push without an answer is looked for first.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from coordinator.errors import CoordError, ExperimentError, RunFailed
from coordinator.kernel import Build, work_to_do, write_build
from coordinator.ledger import Run
from coordinator.runs.arrival import arrived
from coordinator.runs.chain_plan import (
    Action,
    Link,
    Step,
    assembled,
    chain_of_needs,
    judge,
    kernel_runs,
    why_useless,
)
from coordinator.runs.follow import wait_for_end
from coordinator.runs.isolation import warn_if_here
from coordinator.runs.push import push_kernel
from coordinator.runs.push_several import PushResult
from coordinator.target import RunState
from coordinator.text import command_line
from coordinator.workspace import Workspace


@dataclass(frozen=True)
class _Chain:
    """A chain as it began: what each experiment would do, without what it reads."""

    workspace: Workspace
    works: dict[str, str]
    again: str
    """The command that goes on with it."""


def push_chain(
    workspace: Workspace, names: Sequence[str], overrides: Sequence[str], *, force: bool, wait_for_slot: bool
) -> Iterator[PushResult]:
    """Pushes what the named experiments need and then these, and yields the runs of the named ones.

    A run that is yielded may go on. Needs that do not depend on one another run at the same time, as far as the session
    limit allows. `overrides` and `force` are for the named experiments.

    Raises RunFailed if a need has failed, now or in an earlier try; ExperimentError if the sources have changed since
    the chain began; and what `build_kernel` and `push_kernel` raise. Whatever was pushed goes on.
    """
    links = chain_of_needs(workspace.project, names, overrides, force=force)
    warn_if_here(workspace)
    # All of them now: what is wrong with the last one is told before the first one runs.
    works = {link.name: work_to_do(assembled(workspace, link)) for link in links}
    chain = _Chain(workspace, works, _command(workspace, names, overrides))
    by_name, going = {link.name: link for link in links}, dict[str, Run]()
    for number, link in enumerate(links, start=1):
        place = f"{number}/{len(links)} {link.name}"
        with _telling_how_to_go_on(chain):
            for need in link.needs:
                if need.experiment in going:
                    _wait_for_need(chain, place, by_name[need.experiment], going.pop(need.experiment))
            # A need that runs gives its session free in the end: that is worth waiting for.
            run = _done(chain, link, place, wait_for_slot=wait_for_slot or bool(going))
        if link.is_needed and run.state.is_active:
            going[link.name] = run
        if link.is_named:
            yield PushResult(run)


def _command(workspace: Workspace, names: Sequence[str], overrides: Sequence[str]) -> str:
    """The command that goes on with the chain; without --force, which would repeat what has been done."""
    named = [word for name in names for word in ("--exp", name)]
    given = [word for each in overrides for word in ("--set", each)]
    return command_line("coord", "push", *named, *given, "--with-needs", "--target", workspace.target.name)


@contextlib.contextmanager
def _telling_how_to_go_on(chain: _Chain) -> Iterator[None]:
    try:
        yield
    except CoordError as error:
        hint = "\n".join(filter(None, [error.hint, f"Then go on with: {chain.again}"]))
        raise type(error)(error.what, hint=hint) from error
    except KeyboardInterrupt as interrupt:
        what = str(interrupt) or "interrupted; what was pushed goes on"
        raise KeyboardInterrupt(f"{what}. Go on with: {chain.again}") from None


def _done(chain: _Chain, link: Link, place: str, *, wait_for_slot: bool) -> Run:
    """The run that does the link's work: one that is there, or a new one."""
    workspace = chain.workspace
    while True:
        built = assembled(workspace, link)
        if work_to_do(built) != chain.works[link.name]:
            raise ExperimentError(
                f"{link.name} is not what it was when the chain began: its sources, config or settings have changed",
                hint="Undo that, or keep it: what it changes runs again.",
            )
        for run in kernel_runs(workspace, built):
            if run.state is RunState.PUSHING:
                arrived(workspace, run)
        step = judge(workspace, link, built)
        if step.action is Action.STOP:
            raise RunFailed(step.why, hint=step.remedy)
        if step.action is Action.PUSH:
            return _pushed(workspace, step, built, place, wait_for_slot=wait_for_slot)
        if step.run is None:
            raise RuntimeError(f"{step} has no run")
        workspace.say(f"{place}: {step.why}")
        if step.reason != "busy":
            return step.run
        _ended(workspace, step.run)


def _pushed(workspace: Workspace, step: Step, built: Build, place: str, *, wait_for_slot: bool) -> Run:
    write_build(workspace.project, built)
    for message in built.messages:
        workspace.say(message)
    run = push_kernel(workspace, built, force=step.link.is_forced, wait_for_slot=wait_for_slot)
    workspace.say(f"{place}: pushed {run.label}: {step.why}")
    return run


def _wait_for_need(chain: _Chain, place: str, link: Link, run: Run) -> None:
    """Raises RunFailed unless the run of a need is complete in the end."""
    chain.workspace.say(f"{place}: waiting for {run.label}")
    if (problem := why_useless(link, _ended(chain.workspace, run))) is not None:
        raise RunFailed(problem.why, hint=problem.remedy)


def _ended(workspace: Workspace, run: Run) -> Run:
    try:
        return wait_for_end(workspace, run)
    except KeyboardInterrupt:
        raise KeyboardInterrupt(f"stopped waiting; {run.label} goes on") from None
