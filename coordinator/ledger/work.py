"""Which runs do the same work: the same files with the same config and seed, on the same machine, data and image.

The run's name and its kernel's description make no difference. The versions of attached kernels do, and those of the
project's own data sets, as the ledger knows them (see sources.py). A new version of anything else that is attached is
not noticed, unless the experiment pins one.
"""

from __future__ import annotations

from coordinator.kernel import digest_of_work
from coordinator.ledger.ledger import Ledger, Run
from coordinator.target import RunState


def work_of(run: Run) -> str | None:
    """A digest of what a run does; None for a run of an older coord, which did not record its files."""
    return digest_of_work(run.files, run.config, run.metadata, run.reads, run.launch) if run.files else None


def done_before(ledger: Ledger, work: str, target: str) -> Run | None:
    """The newest complete run that has done this work on that target, with all its sources.

    Not a hidden one: who hid a run and pushes the same again wants another one.
    """
    return next((run for run in ledger.runs(target=target) if _has_done_all(run) and work_of(run) == work), None)


def at_work(ledger: Ledger, work: str, target: str) -> Run | None:
    """The newest run that has a session for this work or waits for one, by the ledger."""
    going = (
        run
        for run in ledger.runs(target=target, hidden=True)
        if run.state.is_active and run.has_kernel and run.is_whole
    )
    return next((run for run in going if work_of(run) == work), None)


def stopped_early(run: Run) -> bool:
    """Whether a complete run reports, in its summary or the end of its log, that it ended before it was finished."""
    report = run.summary or run.last_event
    return run.state is RunState.COMPLETE and report is not None and report.is_partial


def _has_done_all(run: Run) -> bool:
    return run.state is RunState.COMPLETE and run.has_kernel and run.is_whole and not stopped_early(run)
