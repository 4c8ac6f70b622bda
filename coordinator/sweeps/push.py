"""Pushes what is left of a sweep, as sessions become free."""

from __future__ import annotations

from collections.abc import Callable

from coordinator.errors import CoordError, CredentialsError, ExperimentError, Later, NoAnswer, NoSlot
from coordinator.files import held
from coordinator.kernel import Build, build_kernel, work_to_do
from coordinator.ledger import NEVER_ARRIVED, Member, Run, Sweep, run_of, sweeps
from coordinator.project import Project
from coordinator.runs import push_kernel, settle, wait_for_arrival
from coordinator.target import RunState
from coordinator.workspace import Workspace

FAILED = (RunState.ERROR, RunState.CANCELLED)


def go_on(
    workspace: Workspace,
    sweep: Sweep,
    *,
    wait: bool,
    retry: bool = False,
    pushed: Callable[[Run], None],
) -> list[CoordError]:
    """Pushes what is left of a sweep, and returns what kept some of its experiments from being pushed.

    At the session limit it waits (or, without `wait`, raises Later). `retry` pushes again what failed. `pushed` is told
    of each run. Raises Later if the quota is spent, NoAnswer or CredentialsError if the target can't be talked to,
    ExperimentError if the sources or the experiment have changed since the sweep began, CoordError if another process
    is at it.
    """
    again = f"coord sweep resume {sweep.name}"
    refused: list[CoordError] = []
    with held(workspace.project.sweep_lock(sweep.name), wait=False) as ours:
        if not ours:
            raise CoordError(
                f"another process is pushing the sweep {sweep.name}", hint=f"coord sweep status {sweep.name}"
            )
        for number, member in enumerate(sweep.members):
            run = settled(workspace, run_of(workspace.ledger, sweep, member))
            if run is not None and run.state is not RunState.REFUSED and not (retry and run.state in FAILED):
                continue
            built = _as_begun(workspace.project, sweep, member)
            try:
                pushed(push_kernel(workspace, built, force=False, wait_for_slot=wait))
            except NoSlot as error:
                left = len(sweep.members) - number
                raise Later(
                    f"{error.what.rstrip('.')}; {left} of {len(sweep.members)} are left", hint=f"Go on with: {again}"
                ) from error
            except (Later, NoAnswer, CredentialsError) as error:
                hint = "\n".join(filter(None, [error.hint, f"Go on with: {again}"]))
                raise type(error)(error.what, hint=hint) from error
            except CoordError as error:
                refused.append(error)
                workspace.say(f"{member.experiment}: {error.what}")
    return refused


def settled(workspace: Workspace, run: Run | None) -> Run | None:
    """The run, a push without an outcome looked for: were it pushed again, it might run twice."""
    if run is None or not (run.state is RunState.PUSHING or run.message == NEVER_ARRIVED):
        return run
    with held(workspace.project.push_lock(run.target, run.slug), wait=True):
        run = workspace.ledger.get(run.id)
        if run.state is RunState.PUSHING:
            return wait_for_arrival(workspace.target, workspace.ledger, run, clock=workspace.clock)
        return settle(workspace.target, workspace.ledger, run, clock=workspace.clock)


def _as_begun(project: Project, sweep: Sweep, member: Member) -> Build:
    """The member's kernel, which must do what it did when the sweep began."""
    built = build_kernel(project, sweeps.find_experiment(project, member.experiment))
    if work_to_do(built) != member.work:
        raise ExperimentError(
            f"{member.experiment} is not what it was when the sweep {sweep.name} began: "
            "the model source, the experiment or the settings have changed, and its runs could not be compared",
            hint="Undo that (coord ledger export has the commit), or begin a new sweep.",
        )
    return built
