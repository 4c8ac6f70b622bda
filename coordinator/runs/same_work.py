"""Decides whether work has to be done: a run that has done the same, or is doing it, makes another one unnecessary."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from coordinator.datasets import refresh_attached
from coordinator.kernel import Build, KernelMetadata, Source, with_owner, work_to_do
from coordinator.ledger import (
    Outdated,
    Run,
    at_work,
    attached_runs,
    done_before,
    outdated_in,
    sources_now,
)
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


def work_now(workspace: Workspace, built: Build, target: str) -> str:
    """The digest of a built kernel's work, with the versions that it would read if it was pushed now."""
    owner = _owner(workspace, target) if built.needs else None
    metadata = with_owner(built.metadata, owner) if owner else built.metadata
    return work_to_do(built, reads_now(workspace, metadata, target))


def _owner(workspace: Workspace, target: str) -> str | None:
    """Whose kernels its needs are; without an open target, as the settings or the ledger's runs say."""
    if workspace.opened is not None:
        return workspace.opened.owner
    runs = workspace.ledger.runs(target=target, hidden=True)
    return workspace.project.settings.owner or next((run.owner for run in runs), None)


def reads_now(workspace: Workspace, metadata: KernelMetadata, target: str) -> tuple[Source, ...]:
    """The versions of its sources that a kernel would read if it was pushed now.

    If the workspace has its target open, it is asked first whether active runs of these sources have ended, and what
    became of versions of data sets that were sent.
    """
    _refresh(workspace, metadata.data, metadata.slug, target)
    return sources_now(workspace.ledger, metadata.data, metadata.slug, target)


def outdated_now(workspace: Workspace, run: Run) -> tuple[Outdated, ...]:
    """The sources of a run that have another version now; the target is asked as by `reads_now`."""
    _refresh(workspace, run.metadata, run.slug, run.target)
    return outdated_in(workspace.ledger, run)


def _refresh(workspace: Workspace, metadata: Mapping[str, Any], slug: str, target: str) -> None:
    if workspace.opened is None:
        return
    refresh_attached(workspace, metadata.get("dataset_sources") or ())
    if not metadata.get("kernel_sources"):
        return
    for runs in attached_runs(workspace.ledger.runs(target=target, hidden=True), metadata, slug).values():
        for run in runs:
            if run.state.is_active:
                refresh_run(workspace, run, look_at_log=False)
