"""Decides whether work has to be done: a run that has done the same, or is doing it, makes another one unnecessary."""

from __future__ import annotations

from coordinator.ledger import Run, at_work, done_before
from coordinator.runs.refresh import refresh_run
from coordinator.workspace import Workspace


def run_of_same_work(workspace: Workspace, work: str, target: str) -> Run | None:
    """The run on that target that makes another one of this work unnecessary; None if the work has to be done.

    That is a complete run or, if there is none, an active one. `work` is a digest (see `kernel.work_to_do`). If the
    workspace has its target open, it is asked first whether an active run has ended.
    """
    done = done_before(workspace.ledger, work, target)
    if done is not None:
        return done
    active = at_work(workspace.ledger, work, target)
    if active is None or workspace.opened is None:
        return active
    active = refresh_run(workspace, active, look_at_log=False)
    return active if active.state.is_active else done_before(workspace.ledger, work, target)
