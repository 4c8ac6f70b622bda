"""A push whose answer was lost: the version whose source names the run is adopted (see ledger/arrival.py)."""

from __future__ import annotations

from datetime import UTC, datetime

from coordinator.files import held
from coordinator.ledger import NEVER_ARRIVED, Run, Unanswered, is_ahead, now
from coordinator.target import RunState
from coordinator.workspace import Workspace

NOT_YET = "no answer to its push, and nothing has arrived so far"


def settled(workspace: Workspace, run: Run) -> Run:
    """The run, its lost answer settled; unchanged if there is none, or if another process is pushing it just now."""
    if run.state is not RunState.PUSHING:
        return run
    with held(workspace.project.push_lock(run.target, run.slug), wait=False) as ours:
        return settle(workspace, workspace.ledger.get(run.id)) if ours else run


def settle(workspace: Workspace, run: Run) -> Run:
    """Asks once whether a push without an answer arrived, and returns the run as it is in the ledger then.

    A run that was given up is looked for again. The caller holds the push lock of that kernel.
    """
    if not run.may_arrive:
        return run
    return _unanswered(workspace, run).settle(workspace.clock) or workspace.ledger.get(run.id)


def arrived(workspace: Workspace, run: Run) -> Run:
    """The run, once it is known whether its push arrived: a push that is repeated too early might run twice.

    Raises NoAnswer as `wait_for_arrival` does. It takes the push lock of that kernel.
    """
    if not run.may_arrive:
        return run
    with held(workspace.project.push_lock(run.target, run.slug), wait=True):
        return wait_for_arrival(workspace, workspace.ledger.get(run.id))


def wait_for_arrival(workspace: Workspace, run: Run) -> Run:
    """Asks until it is known whether a push arrived, for as long as it may; returns the run, adopted or given up.

    Raises NoAnswer, and leaves the run open, if the target does not answer the questions either. The caller holds the
    push lock of that kernel.
    """
    return _unanswered(workspace, run).wait(workspace.clock) if run.may_arrive else run


def adopt(workspace: Workspace, run: Run, version: int) -> Run:
    """Records that the run is that version of its kernel. (Only the lost answer had the refused sources.)"""
    unknown = f"its answer was lost: whether it has {', '.join(run.sources)} is not known" if run.sources else ""
    return workspace.ledger.update(
        run.id,
        state=RunState.QUEUED,
        version=version,
        url=workspace.target.url(run.owner, run.slug),
        pushed_at=now(),
        ended_at=None,
        never_arrived=False,
        lacks=run.sources,
        message=unknown,
    )


def _unanswered(workspace: Workspace, run: Run) -> Unanswered[Run]:
    def find() -> Run | None:
        version = _version_of(workspace, run)
        if version is not None:
            return adopt(workspace, run, version)
        if run.never_arrived:
            return run
        workspace.ledger.update(run.id, message=NOT_YET)
        return None

    def give_up() -> Run:
        return workspace.ledger.update(
            run.id, state=RunState.REFUSED, never_arrived=True, message=NEVER_ARRIVED, ended_at=now()
        )

    return Unanswered(_sent(workspace, run), find, give_up)


def _sent(workspace: Workspace, run: Run) -> float:
    """When the push was last on its way, in seconds since 1970; a time in the future is recorded again."""
    sent = run.sent_at or run.created_at
    if not is_ahead(seconds := datetime.fromisoformat(sent).timestamp(), workspace.clock):
        return seconds
    if run.state is RunState.PUSHING:
        workspace.say(
            f"the push of {run.label} is dated {sent}: the clock was set back, so its time counts from now on"
        )
    here = workspace.clock.seconds()
    again = datetime.fromtimestamp(here, UTC).isoformat(timespec="seconds")
    workspace.ledger.update(run.id, sent_at=again)
    return here


def _version_of(workspace: Workspace, run: Run) -> int | None:
    """The version whose source names the run."""
    from coordinator.bundle import script_in, stamp_of  # imported here: only a lost answer needs it

    newest = workspace.target.source(run.owner, run.slug)
    runs = [other.id for other in workspace.ledger.runs(target=run.target, hidden=True)]
    earlier = runs[runs.index(run.id) + 1 :]
    version, text = newest or (0, "")
    # Versions have the order of the pushes, so the search ends at a version of an earlier run. (Version numbers do not
    # tell: after a kernel was deleted, they count from 1 again.)
    while version > 0 and (stamped_by := stamp_of(script_in(text)).get("run")) not in earlier:
        if stamped_by == run.id:
            return version
        version -= 1
        older = workspace.target.source(run.owner, run.slug, version) if version else None
        text = older[1] if older else ""
    return None
