"""How a run on Ray is: its own record first, then the head of the cluster, which may have forgotten its jobs."""

from __future__ import annotations

from typing import Any

import pytest

from coordinator.target.cluster import RunRecord
from coordinator.target.protocol import RunState
from coordinator.target.ray.jobs import RayJob
from coordinator.target.ray.state import state_of

STARTED = {"number": 1, "started": 1000.0, "host": "n1"}
ENDED = {**STARTED, "ended": 1010.0, "code": 0, "signal": "", "next": "end"}


def record(*attempts: dict[str, Any], **values: Any) -> RunRecord:
    found = {"exists": True, "run": "r", "pushed": 990.0, "attempts": list(attempts), **values}
    return RunRecord.parse(found, 1100.0)


def job(status: str, *, code: int | None = None, message: str = "") -> RayJob:
    return RayJob(id="r", status=status, message=message, code=code, begun=990.0, asks={})


FORGOTTEN = "the head of the Ray cluster was restarted"


@pytest.mark.parametrize(
    ("found", "of_head", "state", "message"),
    [
        (record(ENDED), None, RunState.COMPLETE, ""),
        (record(ENDED), job("RUNNING"), RunState.COMPLETE, ""),
        (record({**ENDED, "code": 3}), job("FAILED", code=3), RunState.ERROR, "code 3"),
        (record({**ENDED, "code": 3}), None, RunState.ERROR, "code 3"),
        (record(), job("PENDING"), RunState.QUEUED, "queue"),
        (record(STARTED), job("RUNNING"), RunState.RUNNING, ""),
        # The head has forgotten: does the program still give signs of life?
        (record(STARTED, silent=5.0), None, RunState.RUNNING, FORGOTTEN),
        (record(STARTED, silent=31.0), None, RunState.ERROR, FORGOTTEN),
        (record(STARTED), None, RunState.ERROR, FORGOTTEN),
        (record(), None, RunState.ERROR, "push it again"),
        # Cancelled: by coord, by somebody else, in the queue.
        (record({**ENDED, "code": 143, "signal": "TERM"}, cancelled=True), job("STOPPED"), RunState.CANCELLED, ""),
        (record(cancelled=True), job("PENDING"), RunState.CANCELLED, ""),
        (record(cancelled=True), None, RunState.CANCELLED, ""),
        (record(STARTED, cancelled=True), job("RUNNING"), RunState.RUNNING, ""),
        (
            record({**ENDED, "code": 143, "signal": "TERM", "next": "wait"}),
            job("STOPPED"),
            RunState.CANCELLED,
            "was stopped",
        ),
        (record({**ENDED, "code": 143, "signal": "TERM", "next": "wait"}), None, RunState.ERROR, FORGOTTEN),
        (record(STARTED), job("STOPPED"), RunState.CANCELLED, "was stopped"),
        # timeout(1) has ended it.
        (
            record({**ENDED, "code": 143, "signal": "TERM", "next": "wait"}),
            job("FAILED", code=124),
            RunState.ERROR,
            "timeout_seconds",
        ),
        # Never started: a setup line, or 900 seconds in the queue.
        (record(said="module: not found"), job("FAILED", code=1), RunState.ERROR, "not started: module: not found"),
        (record(), job("FAILED", message="failed to start within 900"), RunState.ERROR, "within 900"),
        (record(STARTED), job("SUCCEEDED", code=0), RunState.ERROR, "its record has no end"),
    ],
)
def test_the_state_of_a_run(found: RunRecord, of_head: RayJob | None, state: RunState, message: str) -> None:
    answer = state_of(found, of_head)
    assert answer.state is state
    assert message in answer.message
    assert bool(answer.message) == bool(message)
