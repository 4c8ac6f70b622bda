"""The verb cancel: ends a run's session if the target offers that, and else by deleting its kernel, after a question.

Kaggle's API cancels a session by a number that it does not publish. Everybody can delete the kernel, with all its
versions and their output.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from coordinator.bundle import script_in, stamp_of
from coordinator.errors import Later, NoAnswer, RunFailed, TargetError, UsageError
from coordinator.files import held
from coordinator.ledger import Ledger, Run, now
from coordinator.runs.arrival import settled
from coordinator.runs.refresh import refresh_run
from coordinator.target import RunState, Target
from coordinator.workspace import Workspace

# Seconds between two questions whether a session that was asked to stop has ended; half a minute altogether.
_WAITS = (0.1, 0.2, 0.4, 0.8, 1.5, *[3.0] * 9)


@dataclass(frozen=True)
class Deletion:
    """What would be lost with the kernel of a run."""

    run: Run
    kernel: str
    """owner/slug"""
    active: tuple[Run, ...]
    """Other runs whose sessions would end, too."""
    unfetched: tuple[Run, ...]
    """Runs that have ended, but were not fetched."""
    unknown: tuple[int, ...]
    """Versions that this ledger does not know."""

    def __str__(self) -> str:
        lines = [
            f"{self.run.target} cannot cancel a session. To stop it, coord would have to delete the kernel",
            f"{self.kernel} for good, with its page, its versions and all their output.",
        ]
        if self.active:
            lines.append(f"This would also stop: {_labels(self.active)}.")
        if self.unfetched:
            lines.append(f"Not fetched, and lost with it: {_labels(self.unfetched)}.")
        if self.unknown:
            versions = ", ".join(f"v{version}" for version in self.unknown)
            lines.append(f"Not pushed from here, and lost with it: {versions}.")
        return "\n".join(lines)


def cancel_experiment(
    workspace: Workspace,
    experiment: str,
    *,
    target: str | None,
    version: int | None,
    confirm: Callable[[Deletion], bool],
) -> Run:
    """Finds the experiment's active run (`target` and `version` None: the only one), and ends it: see `cancel_run`.

    Raises RunNotFound if the experiment has no such run, and what `where`, `choose` and `cancel_run` raise.
    """
    name = where(workspace.ledger, experiment, target, version)
    if name is None:
        name = workspace.ledger.find(experiment, target=target, version=version).target
    with workspace.open_target(name) as there:
        return cancel_run(there, choose(there, experiment, version), confirm=confirm)


def where(ledger: Ledger, experiment: str, target: str | None, version: int | None) -> str | None:
    """The one target on which such runs are active; None if there is none. Raises UsageError for several."""
    runs = ledger.runs(experiment=experiment, target=target, hidden=True)
    found = {run.target for run in runs if run.state.is_active and version in (None, run.version)}
    if len(found) > 1:
        raise UsageError(f"{experiment} is active on {' and '.join(sorted(found))}", hint="Name one with --target.")
    return found.pop() if found else None


def choose(workspace: Workspace, experiment: str, version: int | None) -> Run:
    """The run of the experiment that is to be cancelled: the active one, in its current state.

    Raises RunFailed if it has ended, UsageError if several are active and no version is named, and Later while one is
    being pushed.
    """
    runs = [
        settled(workspace, run)
        for run in workspace.ledger.runs(experiment=experiment, target=workspace.target.name, hidden=True)
    ]
    if version is not None:
        chosen = [workspace.ledger.find(experiment, target=workspace.target.name, version=version)]
    elif any(run.state is RunState.PUSHING for run in runs):
        raise Later(
            f"{experiment} is being pushed to {workspace.target.name}", hint="Name the version, or wait a moment."
        )
    else:
        chosen = [run for run in runs if run.state.is_active] or [
            workspace.ledger.find(experiment, target=workspace.target.name)
        ]
    found = [refresh_run(workspace, run, look_at_log=False) for run in chosen]
    active = [run for run in found if run.state.is_active]
    if len(active) > 1:
        raise UsageError(f"which one? {_labels(active)} are active", hint="Name it with --version.")
    if not active:
        raise RunFailed(f"{found[0].label} has ended: it {found[0].state.phrase}")
    return active[0]


def cancel_run(
    workspace: Workspace,
    run: Run,
    *,
    confirm: Callable[[Deletion], bool],
) -> Run:
    """Ends the session of an active run; returns the run as it is then, also in the ledger.

    `confirm` is asked before a kernel is deleted. Raises TargetError if that version is another run's, if the target
    refused, or if it was not confirmed; Later if the kernel is being pushed, or its session has not ended yet.
    """
    with held(workspace.project.push_lock(run.target, run.slug), wait=False) as ours:
        if not ours:
            raise Later(f"{run.owner}/{run.slug} is being pushed at this moment", hint="Try again when that is done.")
        found = workspace.target.source(run.owner, run.slug, run.ref.version)
        if found is None:
            return _ended(workspace.ledger, run, "its kernel is gone")
        newest, text = found
        if (stamped := stamp_of(script_in(text)).get("run")) != run.id:
            raise TargetError(
                f"{run.ref} is not {run.label}: it was pushed by {f'run {stamped}' if stamped else 'something else'}",
                hint="Nothing was cancelled. Was the kernel deleted and created again?",
            )
        if workspace.target.cancel(run.ref):
            return _awaited(workspace, run)
        if not workspace.target.abilities.deletes_all_versions:
            raise TargetError(f"{run.target} did not end {run.label}", hint="Ask again: coord status")
        deletion = _deletion(workspace.ledger, run, newest)
        if not confirm(deletion):
            raise TargetError(f"nothing was deleted: {run.label} continues")
        _delete(workspace.target, run)
        for other in deletion.active:
            _ended(workspace.ledger, other, f"its kernel was deleted to stop v{run.version}")
        return _ended(workspace.ledger, run, "its kernel was deleted to stop it")


def confirmed(deletion: Deletion, *, yes: bool, ask: Callable[[str], str] | None) -> bool:
    """Whether the kernel may be deleted: its name has to be typed, because a "y" is typed too easily.

    `ask` asks the user; None without a terminal. With `yes` nothing is asked, but only a kernel is deleted that has
    nothing but the run to lose. Raises UsageError if the user would have to be asked and cannot be.
    """
    if yes and (deletion.active or deletion.unknown):
        raise UsageError(
            "--yes deletes no kernel that has more than this run to lose",
            hint="Run it without --yes, where it can ask, or cancel or fetch the others first.",
        )
    if yes:
        return True
    if ask is None:
        hint = "Delete it without a question: --yes"
        raise UsageError("coord cannot ask here whether to delete the kernel", hint=hint)
    return ask(f"Type {deletion.kernel} to delete it: ").strip() == deletion.kernel


def _deletion(ledger: Ledger, run: Run, newest: int) -> Deletion:
    others = [each for each in _of_kernel(ledger, run) if each.id != run.id]
    known = {each.version for each in (run, *others)}
    return Deletion(
        run=run,
        kernel=f"{run.owner}/{run.slug}",
        active=tuple(each for each in others if each.state.is_active),
        unfetched=tuple(each for each in others if not each.state.is_active and not each.fetched_at),
        unknown=tuple(version for version in range(1, newest + 1) if version not in known),
    )


def _of_kernel(ledger: Ledger, run: Run) -> Iterator[Run]:
    for each in ledger.runs(target=run.target, hidden=True):
        if (each.owner, each.slug) == (run.owner, run.slug) and each.has_kernel:
            yield each


def _delete(target: Target, run: Run) -> None:
    """Deletes the kernel, and checks that it is gone."""
    lost: NoAnswer | None = None
    try:
        target.delete(run.owner, run.slug)
    except NoAnswer as error:
        lost = error
    if target.source(run.owner, run.slug) is not None:
        raise lost or TargetError(
            f"{run.target} reports that it deleted {run.owner}/{run.slug}, but the kernel still exists",
            hint=f"Delete it on its page: {run.url}" if run.url else None,
        )


def _awaited(workspace: Workspace, run: Run) -> Run:
    """The run, once its session has ended in any way. Raises Later after half a minute."""
    for seconds in _WAITS:
        run = refresh_run(workspace, run, look_at_log=False)
        if not run.state.is_active:
            return run
        workspace.clock.sleep(seconds)
    workspace.ledger.update(run.id, stop_requested=True, message="it was asked to stop")
    raise Later(
        f"{run.label} was asked to stop, and is still {run.state}", hint="coord status shows when it has ended."
    )


def _ended(ledger: Ledger, run: Run, message: str) -> Run:
    return ledger.update(run.id, state=RunState.CANCELLED, message=message, ended_at=now())


def _labels(runs: tuple[Run, ...] | list[Run]) -> str:
    return ", ".join(run.label for run in runs)
