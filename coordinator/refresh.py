"""Brings the ledger's view of a run up to date: settles a lost answer, asks for the state, looks at the live log."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from coordinator import metrics
from coordinator.bundle.bootstrap import stamp_of
from coordinator.bundle.notebook import script_in
from coordinator.ledger import Ledger, Run, now
from coordinator.locks import held
from coordinator.project import Project
from coordinator.target import KernelRef, LogRecord, RunState, Target

# The live log has no "you are up to date" mark: it is taken as read when nothing came for this long.
_IDLE_SECONDS = 0.7
_LOOK_SECONDS = 5.0
_EVENTS_SHOWN = ("epoch", "fold", "end")


def refresh(project: Project, target: Target, ledger: Ledger, run: Run, *, look_at_log: bool = True) -> Run:
    """The run as it stands now, also in the ledger. A run that has ended is left alone."""
    if run.state is RunState.PUSHING:
        with held(project.push_lock(run.target, run.slug), wait=False) as ours:
            if not ours:  # another process is pushing it at this moment
                return run
            run = settle(target, ledger, ledger.get(run.id))
    if not run.state.is_active or run.version is None:
        return run
    session = target.state(run.ref)
    changes: dict[str, Any] = {"state": session.state}
    if session.message:
        changes["message"] = session.message
    if not session.state.is_active:
        changes["ended_at"] = now()
        changes["last_event"] = last_event(target.log(run.ref)) or run.last_event
    elif session.state is RunState.RUNNING and look_at_log:
        changes["last_event"] = _last_live_event(target, run.ref) or run.last_event
    return ledger.update(run.id, **changes)


def current_log(project: Project, target: Target, ledger: Ledger, run: Run) -> list[LogRecord]:
    """The log as far as there is one: all of it once the run has ended, what has come so far while it runs."""
    run = refresh(project, target, ledger, run, look_at_log=False)
    if run.state is RunState.RUNNING:
        return list(target.follow(run.ref, idle_seconds=_IDLE_SECONDS))
    return [] if run.state.is_active else target.log(run.ref)


def settle(target: Target, ledger: Ledger, run: Run) -> Run:
    """Finds out what became of a push whose answer was lost: the kernel's source names the run that pushed it.

    The caller holds the push lock of that kernel.
    """
    if run.state is not RunState.PUSHING:
        return run
    newest = target.source(run.owner, run.slug)
    runs = [other.id for other in ledger.runs(target=run.target)]
    earlier = runs[runs.index(run.id) + 1 :]
    version, text = newest or (0, "")
    # Versions come in the order of the pushes: what an earlier run pushed ends the search. (Their numbers would not do:
    # a kernel that was deleted counts from 1 again.)
    while version > 0 and (stamped_by := stamp_of(script_in(text)).get("run")) not in earlier:
        if stamped_by == run.id:
            url = target.url(run.owner, run.slug)
            return ledger.update(run.id, state=RunState.QUEUED, version=version, url=url, pushed_at=now())
        version -= 1
        older = target.source(run.owner, run.slug, version) if version else None
        text = older[1] if older else ""
    return ledger.update(run.id, state=RunState.REFUSED, message="it never arrived", ended_at=now())


def last_event(records: list[LogRecord]) -> dict[str, Any] | None:
    """The last event worth showing in a log."""
    found = None
    for line in metrics.lines(records):
        event = metrics.event(line)
        if event is not None and event["event"] in _EVENTS_SHOWN:
            found = event
    return found


def _last_live_event(target: Target, ref: KernelRef, clock: Callable[[], float] = time.monotonic) -> Any:
    until = clock() + _LOOK_SECONDS
    records = []
    for record in target.follow(ref, idle_seconds=_IDLE_SECONDS):
        records.append(record)
        if clock() > until:
            break
    return last_event(records)
