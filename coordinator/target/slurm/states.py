"""The state of a run: by its own record and its metrics first, then by squeue, then by sacct."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from coordinator.target.cluster import RunRecord
from coordinator.target.protocol import RunState, SessionState
from coordinator.text import clean

_WAITING = ("PENDING", "CONFIGURING", "REQUEUED", "REQUEUE_FED", "REQUEUE_HOLD", "SPECIAL_EXIT", "RESV_DEL_HOLD")
_GOING = ("RUNNING", "COMPLETING", "SUSPENDED", "STOPPED", "SIGNALING", "STAGE_OUT", "RESIZING")
_ENDED: Mapping[str, tuple[RunState, str, str]] = {
    "CANCELLED": (RunState.CANCELLED, "its job was cancelled", "cancelled"),
    "REVOKED": (RunState.CANCELLED, "its job was revoked", "cancelled"),
    "TIMEOUT": (RunState.ERROR, "its time limit ended it", "time limit"),
    "WARNED": (RunState.ERROR, "its time limit ended it while it saved: it needs a larger signal_before", "time limit"),
    "DEADLINE": (RunState.ERROR, "its job's deadline ended it", "time limit"),
    "PREEMPTED": (RunState.ERROR, "a more urgent job took its place, and it was not requeued", "preempted"),
    "NODE_FAIL": (RunState.ERROR, "its node failed", "node failed"),
    "BOOT_FAIL": (RunState.ERROR, "its node did not start", "node failed"),
    "OUT_OF_MEMORY": (RunState.ERROR, "it used more memory than its job had", "out of memory"),
    "REFUSED": (RunState.ERROR, "its job was refused", ""),
    "FAILED": (RunState.ERROR, "its job failed", ""),
    "COMPLETED": (RunState.ERROR, "its job ended without a record of the kernel's end", ""),
}
"""What Slurm says of an ended job -> the run's state if it did not say so itself, why, and the reason in short."""
_SIGN_OF_LIFE = 60.0  # seconds


def session_state(record: RunRecord, queue: object, accounting: object) -> SessionState:
    """The state of a run. `queue` and `accounting` are rows of squeue and sacct, or None."""
    decided = record.verdict()
    if decided is not None:
        return decided
    row = queue if isinstance(queue, dict) else accounting if isinstance(accounting, dict) else {}
    state = str(row.get("state", ""))
    if state in _WAITING:
        message = "; ".join(filter(None, [record.stalled, _waiting_for(row)]))
        return SessionState(RunState.QUEUED, message, attempts=_stopped(record, "preempted"))
    if state in _GOING:
        return SessionState(RunState.RUNNING, record.stalled, attempts=record.attempts)
    if record.is_complete:
        # It was stopped after its work: Slurm calls that a time-out or a preemption.
        return SessionState(RunState.COMPLETE, attempts=record.attempts)
    if record.is_cancelled:
        return SessionState(RunState.CANCELLED, attempts=_stopped(record, "cancelled"))
    if state:
        if state == "TIMEOUT" and record.signal == "USR1":
            state = "WARNED"
        ended, message, reason = _ENDED.get(state, (RunState.ERROR, f"Slurm says {clean(state)[:40]}", ""))
        return SessionState(ended, _explained(record, message), attempts=_stopped(record, reason))
    return _forgotten(record)


def _waiting_for(row: Mapping[str, Any]) -> str:
    reason = clean(str(row.get("reason", "")))[:100]
    return "" if reason in ("", "None") else f"Slurm: {reason}"


def _explained(record: RunRecord, message: str) -> str:
    if record.attempts:
        return message
    return f"{message} before the kernel started{f': {record.said}' if record.said else ''}"


def _forgotten(record: RunRecord) -> SessionState:
    """The state of a run whose job Slurm does not know (any more)."""
    if not record.job and not record.claim:
        return SessionState(RunState.QUEUED, "its job is not submitted yet")
    if record.silent is not None and record.silent < _SIGN_OF_LIFE:
        return SessionState(RunState.RUNNING, attempts=record.attempts)
    message = _explained(record, "Slurm does not know its job any more: it was ended")
    return SessionState(RunState.ERROR, message, attempts=record.attempts)


def _stopped(record: RunRecord, reason: str) -> Any:
    """The starts, the last of which ended for this reason unless it says another."""
    if not record.attempts or record.attempts[-1].reason or not reason:
        return record.attempts
    return (*record.attempts[:-1], dataclasses.replace(record.attempts[-1], reason=reason))
