"""Checks the ledger by itself: unreadable rows, impossible states, versions of two runs."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from functools import partial

from coordinator.ledger import Ledger, Run, blank, now, other_copies, take_over
from coordinator.maintenance.ledger.of_datasets import check_rows
from coordinator.maintenance.ledger.problem import Problem
from coordinator.maintenance.ledger.rebuilt import fetched
from coordinator.project import is_target_name, leaves
from coordinator.target import RunState
from coordinator.workspace import Workspace

_TOLERANCE = timedelta(minutes=1)
_DATED = {
    "runs": ("created_at", "sent_at", "pushed_at", "started_at", "ended_at", "fetched_at"),
    "sweeps": ("created_at",),
    "submissions": ("created_at", "scored_at"),
    "dataset_versions": ("created_at", "sent_at", "ready_at"),
}
"""The tables in which the order is that of the times, and all times in them."""
_UNSENT = (RunState.PUSHING, RunState.REFUSED)


def check(workspace: Workspace) -> Iterator[Problem]:
    """Yields the problems that can be found with the ledger alone, and repaired with results/."""
    yield from _rows(workspace)
    yield from _copies(workspace)
    yield from _times(workspace.ledger)
    runs = workspace.ledger.readable()
    for found in _states(workspace.ledger, runs):
        yield found
        runs = []  # it may have been repaired
    yield from _versions(runs or workspace.ledger.readable())
    yield from check_rows(workspace.ledger)


def _rows(workspace: Workspace) -> Iterator[Problem]:
    """Unreadable rows of runs whose results are here."""
    unreadable = workspace.ledger.unreadable()
    told = {found.run.id: found.run for _, found in fetched(workspace) if found} if unreadable else {}
    for run_id, reason in unreadable.items():
        if run_id in told:
            yield Problem(
                f"the row of run {run_id} does not read: {reason}",
                "rebuild it from its results",
                partial(workspace.ledger.replace, told[run_id]),
            )


def check_rows_left(ledger: Ledger, asked: Collection[str]) -> Iterator[Problem]:
    """Unreadable rows that neither results nor a target could rebuild; `asked` are the targets that were asked."""
    for run_id, reason in ledger.unreadable().items():
        (target,) = ledger.statement("SELECT target FROM runs WHERE id = :id", {"id": run_id})[0]
        if not is_target_name(target):  # nothing tells which one it was, and no other value is more right
            yield Problem(
                f"the row of run {run_id} does not read: {reason}",
                "update coord if a newer one wrote it; else correct the target in the ledger's table runs by hand",
            )
            continue
        may_be_told = target not in asked
        yield Problem(
            f"the row of run {run_id} does not read: {reason}",
            f"ask {target}, which may have its kernel" if may_be_told else "empty what does not read of it",
            None if may_be_told else partial(blank, ledger, run_id),
        )


def _copies(workspace: Workspace) -> Iterator[Problem]:
    """Other versions of the ledger, which another machine wrote."""
    for copy in other_copies(workspace.project.ledger):
        yield Problem(
            f"{workspace.project.relative(copy)} is another version of the ledger: two machines wrote in one folder",
            "add the runs, submissions, sweeps and data sets that it has and the ledger lacks, and move it aside",
            partial(take_over, workspace.ledger, workspace.project.ledger, copy),
        )


def _times(ledger: Ledger) -> Iterator[Problem]:
    """Entries of the future: runs that are pushed now would have to be dated after them."""
    here = now()
    ahead = (datetime.fromisoformat(here) + _TOLERANCE).isoformat(timespec="seconds")
    tables = {
        table: ledger.statement(f"SELECT count(*) FROM {table} WHERE created_at > :ahead", {"ahead": ahead})[0][0]
        for table in _DATED
    }
    if not any(tables.values()):
        return
    counts = ", ".join(f"{table}: {count}" for table, count in tables.items() if count)

    def date_now() -> None:
        with ledger.transaction() as connection:
            for table, columns in _DATED.items():
                for column in columns:
                    connection.execute(f"UPDATE {table} SET {column} = :now WHERE {column} > :now", {"now": here})

    yield Problem(
        f"the ledger has entries of the future ({counts}): this machine's clock was set back, or is slow",
        "date them now; their order stays",
        date_now,
    )


def _states(ledger: Ledger, runs: Iterable[Run]) -> Iterator[Problem]:
    """Impossible states. The repair sets an active one, so that `coord status` asks the target."""
    for run in runs:
        if run.state in _UNSENT and run.version is not None:
            open_state, why = RunState.QUEUED, f"is {run.state}, but has a version"
        elif run.state not in _UNSENT and run.version is None:
            open_state, why = RunState.PUSHING, f"is {run.state}, but has no version"
        else:
            continue
        yield Problem(
            f"{run.label} (run {run.id}) {why}",
            f"set it to {open_state}: coord status finds out",
            partial(ledger.update, run.id, state=open_state, ended_at=None),
        )


def _versions(newest_first: Sequence[Run]) -> Iterator[Problem]:
    """Two runs with the same version. (The versions of a deleted kernel start at 1 again, so that 1 may repeat.)"""
    kernels = defaultdict[tuple[str, str, str], list[Run]](list)
    for run in reversed(newest_first):
        if run.version is not None:
            kernels[run.target, run.owner, run.slug].append(run)
    for runs in kernels.values():
        for earlier, later in itertools.pairwise(runs):
            if earlier.version == later.version and later.version != 1:
                yield Problem(
                    f"{later.label} is the version of two runs in a row: {earlier.id} and {later.id}",
                    f"see the first line of {later.owner}/{later.slug} v{later.version}: it names the run",
                )


def check_links(workspace: Workspace) -> Iterator[Problem]:
    """Runs that were rebuilt from their kernels (only these have no time of a push) and continue an earlier one."""
    setting = workspace.project.settings.continue_setting
    runs = workspace.ledger.readable()
    for run in runs:
        if setting is None or run.continues or run.pushed_at or not run.has_kernel:
            continue
        kernel = (run.target, run.owner, run.slug)
        if dict(leaves(run.config)).get(setting) != f"{run.owner}/{run.slug}":
            continue
        before = [
            each
            for each in runs
            if (each.target, each.owner, each.slug) == kernel and each.has_kernel and each.ref.version < run.ref.version
        ]
        complete = [each for each in before if each.state is RunState.COMPLETE]
        if complete and not any(each.state.is_active for each in before):
            earlier = max(complete, key=lambda each: each.results_version)
            yield Problem(
                f"{run.label} was pushed to go on from {run.slug}, and the ledger does not say from which run",
                f"note that it continues v{earlier.version}, the newest that was complete",
                partial(workspace.ledger.update, run.id, continues=earlier.id),
            )
