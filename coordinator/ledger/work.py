"""Which runs do the same work: the same files with the same config and seed, on the same machine, data and image.

What a run is called, and what its kernel says about it, makes no difference. (That an attached data set has got a new
version is not seen: a run names its sources without one, unless the experiment pins it.)
"""

from __future__ import annotations

from coordinator.kernel import digest_of_work
from coordinator.ledger.ledger import Ledger, Run
from coordinator.target import RunState


def work_of(run: Run) -> str | None:
    """A digest of what a run does; None if that was not written down, in an older coord's ledger."""
    return digest_of_work(run.files, run.config, run.metadata) if run.files else None


def done_before(ledger: Ledger, work: str, target: str) -> Run | None:
    """The newest complete run that has done this work on that target, with everything that it needed."""
    return next((run for run in ledger.runs(target=target) if _is_whole(run) and work_of(run) == work), None)


def at_work(ledger: Ledger, work: str, target: str) -> Run | None:
    """The newest run that has a session for this work, or waits for one, as far as the ledger knows."""
    going = (run for run in ledger.runs(target=target) if run.state.is_active and run.version and not run.message)
    return next((run for run in going if work_of(run) == work), None)


def stopped_early(run: Run) -> bool:
    """Whether a complete run reports, in its summary or the end of its log, that it ended before it was finished."""
    report = run.summary or run.last_event
    return run.state is RunState.COMPLETE and report is not None and report.is_partial


def _is_whole(run: Run) -> bool:
    # A message says what it lacked: sources that were refused.
    return run.state is RunState.COMPLETE and not run.message and not stopped_early(run) and bool(run.version)
