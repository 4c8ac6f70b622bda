"""The state of a run: its own record and its metrics come before what Slurm says."""

from __future__ import annotations

from typing import Any

import pytest

from coordinator.target.cluster import RunRecord
from coordinator.target.slurm.states import session_state

STARTED = {"number": 1, "started": 10.0, "host": "n1"}
WARNED = {**STARTED, "ended": 20.0, "code": 143, "signal": "USR1", "next": "requeue"}
KILLED = {**STARTED, "ended": 20.0, "code": 143, "next": "end"}
STOPPED = {**STARTED, "ended": 20.0, "code": 143, "signal": "TERM", "next": "wait"}


def _record(*attempts: dict[str, Any], **values: Any) -> RunRecord:
    found = {"exists": True, "run": "r", "job": "7", "claim": "7" if attempts else "", "attempts": list(attempts)}
    return RunRecord.parse(found | values, 100.0)


@pytest.mark.parametrize(
    ("record", "queue", "accounting", "state", "reasons"),
    [
        # The own record decides, whatever Slurm says.
        (_record({**STARTED, "ended": 20.0, "code": 0, "next": "end"}), "TIMEOUT", None, "complete", [""]),
        (_record({**STARTED, "ended": 20.0, "code": 0, "next": "end"}), None, "PREEMPTED", "complete", [""]),
        (_record({**STARTED, "ended": 20.0, "code": 1, "next": "end"}), "COMPLETED", None, "error", [""]),
        (_record(KILLED, cancelled=True), "FAILED", None, "cancelled", ["cancelled"]),
        (_record({**STARTED, "ended": 20.0, "code": 0, "next": "end"}, cancelled=True), None, None, "complete", [""]),
        # Then the metrics: its work was done when it was killed.
        (_record(STARTED, status="complete"), "TIMEOUT", None, "complete", [""]),
        (_record(STARTED, status="complete"), "RUNNING", None, "running", [""]),
        (_record(STOPPED, status="complete"), "PREEMPTED", None, "error", ["preempted"]),
        # Then squeue, then sacct.
        (_record(), "PENDING", None, "queued", []),
        (_record(STARTED), "RUNNING", "PREEMPTED", "running", [""]),
        (_record(STOPPED), "PENDING", "PREEMPTED", "queued", ["preempted"]),
        (_record(STOPPED), "TIMEOUT", None, "error", ["time limit"]),
        (_record(STOPPED), None, "PREEMPTED", "error", ["preempted"]),
        (_record(STARTED), None, "NODE_FAIL", "error", ["node failed"]),
        (_record(STARTED), "OUT_OF_MEMORY", None, "error", ["out of memory"]),
        (_record(STARTED, cancelled=True), "TIMEOUT", None, "cancelled", ["cancelled"]),
        (_record(STARTED), "NEW_STATE", None, "error", [""]),
        # Slurm has forgotten the job, and there is no accounting.
        (_record(STARTED, silent=5.0), None, None, "running", [""]),
        (_record(STARTED, silent=500.0), None, None, "error", [""]),
        (_record(cancelled=True), None, None, "cancelled", []),
        (_record(job="", claim=""), None, None, "queued", []),
        (_record(WARNED), "PENDING", None, "queued", ["time limit"]),
    ],
)  # fmt: skip
def test_what_decides(
    record: RunRecord, queue: str | None, accounting: str | None, state: str, reasons: list[str]
) -> None:
    rows = [None if each is None else {"state": each, "reason": "None"} for each in (queue, accounting)]
    found = session_state(record, *rows)
    assert (str(found.state), [each.reason for each in found.attempts]) == (state, reasons)


def test_a_program_that_does_not_get_to_save_is_told_what_to_do() -> None:
    """Its job was ended by the limit after the warning, and left no end."""
    found = session_state(_record({**STARTED, "signal": "USR1"}), {"state": "TIMEOUT"}, None)
    assert found.message == "its time limit ended it while it saved: it needs a larger signal_before"
    assert session_state(_record(STARTED), {"state": "TIMEOUT"}, None).message == "its time limit ended it"


def test_why_it_waits_and_what_was_said() -> None:
    assert (
        session_state(_record(), {"state": "PENDING", "reason": "Priority\x1b[31m"}, None).message == "Slurm: Priority"
    )
    said = session_state(_record(said="a\nno such module\n"), {"state": "FAILED"}, None)
    assert said.message == "its job failed before the kernel started: no such module"
