"""The verb sweep merge: merges every experiment of a sweep that was divided by folds."""

from __future__ import annotations

from coordinator.errors import UsageError
from coordinator.ledger import Run, Sweep
from coordinator.runs import fetch
from coordinator.sweeps.merge_folds import fold_runs, groups, is_mergeable, merge
from coordinator.sweeps.progress import refresh_sweep
from coordinator.workspace import Workspace


def merge_sweep(workspace: Workspace, sweep: Sweep) -> list[Run]:
    """The merged runs, one for each experiment that was divided by folds; fetches first what is missing here.

    Raises UsageError if the sweep was not split into folds, RunFailed if a fold is not complete or the folds do not fit
    together, and what `fetch_run` raises.
    """
    parts = groups(sweep)
    if not parts:
        raise UsageError(f"the sweep {sweep.name} was not split into folds", hint="coord sweep ... --split-folds")
    merged = []
    with workspace.open_target(sweep.target) as there:
        refresh_sweep(there, sweep)
        for whole in parts:
            runs = fold_runs(there.ledger, sweep, whole)
            for run in runs:
                if not run.fetched_at and not is_mergeable(there.project, run):
                    fetch.fetch_run(there, run, force=False)
            merged.append(merge(there, whole, runs))
    return merged
