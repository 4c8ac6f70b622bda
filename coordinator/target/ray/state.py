"""How a run is: by its own record, and where that has no end, by what the head of the cluster says about its job."""

from __future__ import annotations

from coordinator.target.cluster import RunRecord
from coordinator.target.protocol import RunState, SessionState
from coordinator.target.ray.jobs import RayJob

SILENT_SECONDS = 30.0
"""A program whose starter gave no sign of life for three times its ten seconds does not run any more."""
TIMED_OUT = 124
"""The exit code of timeout(1)."""
_FORGOTTEN = "the head of the Ray cluster was restarted, and has forgotten its job"


def state_of(record: RunRecord, job: RayJob | None) -> SessionState:
    """The state of a run; `job` is what the head knew before the record was read.

    The record comes first: a head that was restarted has forgotten all jobs, and may have killed their programs.
    """
    if (verdict := record.verdict()) and not (job and job.code == TIMED_OUT and record.code):
        return verdict
    if record.is_cancelled and (record.following or not record.attempts):
        return SessionState(RunState.CANCELLED)  # a job in the queue ends without starting the program
    state, message = _by_job(record, job) if job else _forgotten(record)
    return SessionState(state, message, attempts=record.attempts)


def _by_job(record: RunRecord, job: RayJob) -> tuple[RunState, str]:
    if job.status == "PENDING":
        return RunState.QUEUED, "" if record.age < SILENT_SECONDS else "its job waits in the cluster's queue"
    if job.status == "RUNNING":
        return RunState.RUNNING, ""
    if job.status == "STOPPED":
        return RunState.CANCELLED, "its job was stopped"
    if job.code == TIMED_OUT:
        return RunState.ERROR, "it reached the experiment's timeout_seconds"
    if record.following == "wait":
        return RunState.ERROR, f"it was stopped, and ended with code {record.code}"
    if not record.attempts:  # a setup line, or no place in the queue's 900 seconds
        return RunState.ERROR, f"the program was not started: {record.said or job.message or job.status}"
    return RunState.ERROR, f"its job ended, and its record has no end: {job.message or job.status}"


def _forgotten(record: RunRecord) -> tuple[RunState, str]:
    if record.silent is not None and record.silent < SILENT_SECONDS:
        return RunState.RUNNING, f"{_FORGOTTEN}; the program gave a sign of life {record.silent:.0f} s ago"
    if not record.attempts:
        return RunState.ERROR, f"{_FORGOTTEN} before the program was started: push it again"
    return RunState.ERROR, f"{_FORGOTTEN}; the program does not run any more, and what it wrote is there"
