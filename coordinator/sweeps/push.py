"""Pushes the experiments of a sweep that are not pushed yet, as sessions become free."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from coordinator.bundle import ReadOnce
from coordinator.errors import CoordError, CredentialsError, ExperimentError, Later, NoAnswer, NoSlot
from coordinator.files import held
from coordinator.kernel import Build, build_kernel
from coordinator.ledger import Member, Run, Sweep, run_of, sweeps
from coordinator.project import TargetName
from coordinator.runs import arrived, push_array, push_kernel, work_now
from coordinator.target import Abilities, RunState, lacking
from coordinator.workspace import Workspace

FAILED = (RunState.ERROR, RunState.CANCELLED)


@dataclass(frozen=True)
class SweepOptions:
    """How the experiments of a sweep are pushed."""

    wait: bool = True
    """At the session limit, wait until a session has ended; else end with Later."""
    retry: bool = False
    """Push again those that failed, too."""
    at_once: int | None = None
    """How many run at a time, on a target that has arrays; None: as many as there is room for."""


def resume(
    workspace: Workspace,
    sweep: Sweep,
    *,
    options: SweepOptions,
    pushed: Callable[[Run], None],
) -> list[CoordError]:
    """Pushes the experiments of a sweep that are not pushed yet; returns the errors of those that were refused.

    A target that has arrays gets all of them at once; on any other one they are pushed as sessions become free.
    `pushed` is called with each run. Raises Later if the quota is spent, NoAnswer or CredentialsError if the target
    cannot be reached, ExperimentError if the sources or the experiment have changed since the sweep began, CoordError
    if another process is pushing the sweep.
    """
    refused: list[CoordError] = []
    target = workspace.target
    check_at_once(target.name, target.abilities, options.at_once)
    array: list[Build] = []
    reading = ReadOnce()  # for an array; of others, each kernel is pushed when a session is free
    with held(workspace.project.sweep_lock(sweep.name), wait=False) as ours, _said_how_to_continue(sweep):
        if not ours:
            raise CoordError(
                f"another process is pushing the sweep {sweep.name}", hint=f"coord sweep status {sweep.name}"
            )
        for number, member in enumerate(sweep.members):
            run = run_of(workspace.ledger, sweep, member)
            run = arrived(workspace, run) if run is not None else None
            again_too = options.retry and run is not None and run.state in FAILED
            if run is not None and run.state is not RunState.REFUSED and not again_too:
                continue
            built = _as_begun(workspace, sweep, member, reading if target.abilities.has_arrays else ReadOnce())
            if target.abilities.has_arrays:
                array.append(built)
                continue
            try:
                pushed(push_kernel(workspace, built, force=False, wait_for_slot=options.wait))
            except NoSlot as error:
                left = len(sweep.members) - number
                raise Later(f"{error.what.rstrip('.')}; {left} of {len(sweep.members)} are left") from error
            except (Later, NoAnswer, CredentialsError):
                raise
            except CoordError as error:
                refused.append(error)
                workspace.say(f"{member.experiment}: {error.what}")
        if array:
            refused += push_array(workspace, array, at_once=options.at_once, pushed=pushed)
    return refused


@contextmanager
def _said_how_to_continue(sweep: Sweep) -> Iterator[None]:
    """Adds the command that continues the sweep to an error that ends it before all its members are pushed."""
    try:
        yield
    except (Later, NoAnswer, CredentialsError) as error:
        hint = "\n".join(filter(None, [error.hint, f"Continue with: coord sweep resume {sweep.name}"]))
        raise type(error)(error.what, hint=hint) from error


def check_at_once(target: TargetName, abilities: Abilities, at_once: int | None) -> None:
    """Raises UsageError if the target has no arrays, and so no cap on how many run at a time. Asks nobody."""
    if at_once is not None and not abilities.has_arrays:
        remedy = "Leave out --at-once: coord pushes the next one when a session is free."
        raise lacking(target, abilities, "no array of kernels with a cap", remedy)


def _as_begun(workspace: Workspace, sweep: Sweep, member: Member, reading: ReadOnce) -> Build:
    """The member's kernel. Raises ExperimentError if it would not do the work of when the sweep began."""
    built = build_kernel(
        workspace.project,
        sweeps.find_experiment(workspace.project, member.experiment),
        workspace.progress,
        for_kaggle=workspace.target.abilities.checks_kaggle_rules,
        reading=reading,
    )
    if work_now(workspace, built, sweep.target) != member.work:
        raise ExperimentError(
            f"{member.experiment} is not what it was when the sweep {sweep.name} began: "
            "the model source, the experiment, the settings or the version of an attached kernel have changed, and its "
            "runs could not be compared",
            hint="Undo that (coord ledger export has the commit), or begin a new sweep.",
        )
    return built
