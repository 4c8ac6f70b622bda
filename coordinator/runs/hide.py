"""The verb hide: takes runs out of best, compare and report. The ledger keeps them, and it can be undone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from coordinator.errors import RunNotFound, UsageError
from coordinator.ledger import Ledger, Run, RunName, find_named, now
from coordinator.results import Results
from coordinator.text import command_line
from coordinator.workspace import Workspace


@dataclass(frozen=True)
class Hidden:
    """A run after the verb, and whether that changed anything."""

    run: Run
    is_changed: bool


def hide_runs(workspace: Workspace, names: Sequence[RunName]) -> list[Hidden]:
    """Hides each run, or the newest one of an experiment that is not hidden; all of them, or none if one is not there.

    A session that is going on is not touched. Raises RunNotFound.
    """
    runs = [find_named(workspace.ledger, name) for name in names]
    moment = now()
    return [_set(workspace, run, run.hidden_at or moment) for run in runs]


def show_runs(workspace: Workspace, names: Sequence[RunName]) -> list[Hidden]:
    """Undoes that: for each run, or for the run of an experiment that was hidden last. Raises RunNotFound."""
    runs = [
        find_named(workspace.ledger, name) if name.version is not None else _hidden_last(workspace.ledger, name)
        for name in names
    ]
    return [_set(workspace, run, None) for run in runs]


def _hidden_last(ledger: Ledger, name: RunName) -> Run:
    if name.is_recorded:
        raise UsageError(f"{name} is not a run: only runs can be hidden")
    runs = ledger.runs(experiment=name.experiment, target=name.target, hidden=True)
    found = [run for run in runs if run.hidden_at is not None]
    if not found:
        raise RunNotFound(f"no run of {name} is hidden", hint="Hidden runs are in: coord runs --hidden")
    return max(found, key=lambda run: run.hidden_at or "")


def _set(workspace: Workspace, run: Run, hidden_at: str | None) -> Hidden:
    if run.hidden_at == hidden_at:
        return Hidden(run, is_changed=False)
    # Its record beside the results, too: a lost ledger is rebuilt from that.
    folder = workspace.project.results(run.experiment, run.target, run.results_version)
    Results(folder).amend(run.id, hidden_at=hidden_at)
    return Hidden(workspace.ledger.update(run.id, hidden_at=hidden_at), is_changed=True)


def told(each: Hidden) -> str:
    """What happened, in a sentence or two."""
    run = each.run
    name = RunName(run.experiment, run.target, run.version)
    if run.hidden_at is None:
        return f"{run.label} counts again" if each.is_changed else f"{run.label} is not hidden"
    undo = command_line("coord", "hide", "--undo", str(name))
    first = f"{run.label} is hidden" if each.is_changed else f"{run.label} was hidden already"
    return f"{first}: best, compare and report leave it out. To undo: {undo}"


def warning(run: Run) -> str:
    """What a session that goes on costs all the same; empty if it has ended."""
    if run.hidden_at is None or not run.state.is_active:
        return ""
    cancel = command_line("coord", "cancel", "--exp", run.experiment, "--version", str(run.version))
    return f"{run.label} {run.state.phrase}: its session goes on, and uses quota. To end it: {cancel}"
