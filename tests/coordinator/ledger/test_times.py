"""How long a run waited and ran, and when it is stuck."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from coordinator.ledger.times import limit, run_times
from coordinator.target.protocol import RunState
from tests.coordinator.sample_runs import BARE

PUSHED = datetime(2026, 11, 1, 12, tzinfo=UTC)
STARTED = PUSHED + timedelta(minutes=40)
HOUR = timedelta(hours=1)
MARGIN = timedelta(minutes=15)
"""How late Kaggle may end a session before it is called stuck."""
PUSH: dict[str, Any] = {"pushed_at": PUSHED.isoformat()}
START: dict[str, Any] = {**PUSH, "started_at": STARTED.isoformat(), "state": RunState.RUNNING}


@pytest.mark.parametrize(
    ("asked", "metadata", "hours"),
    [
        (None, {}, 12),
        (None, {"machine_shape": "NvidiaTeslaT4"}, 12),
        (None, {"machine_shape": "TpuV5E8"}, 9),
        (None, {"enable_tpu": True}, 9),
        (3600, {"machine_shape": "TpuV5E8"}, 1),
        (100 * 3600, {}, 12),
    ],
)
def test_the_limit_is_what_was_asked_for_up_to_kaggles_own(asked: int | None, metadata: Any, hours: int) -> None:
    """Twelve hours, nine on a TPU."""
    assert limit(dataclasses.replace(BARE, timeout_seconds=asked, metadata=metadata)) == hours * HOUR


def test_a_run_is_stuck_when_its_deadline_has_passed_by_the_margin() -> None:
    """Not before, and only in the state running."""
    run = dataclasses.replace(BARE, **START, timeout_seconds=3600)
    assert run_times(run, STARTED + HOUR + MARGIN).is_stuck is False
    late = STARTED + HOUR + MARGIN + timedelta(seconds=1)
    assert run_times(run, late).is_stuck is True
    assert (
        run_times(dataclasses.replace(run, state=RunState.COMPLETE, ended_at=late.isoformat()), late).is_stuck is False
    )
    assert run_times(dataclasses.replace(run, started_at=None), late).is_stuck is False


def test_queue_time_grows_until_the_start() -> None:
    """From the push until now, then until the start; None if coord never saw one of them."""
    queued = dataclasses.replace(BARE, **PUSH, state=RunState.QUEUED)
    assert run_times(queued, PUSHED + HOUR).queued == HOUR
    run = dataclasses.replace(BARE, **START)
    at = run_times(run, STARTED + 2 * HOUR)
    assert (at.queued, at.running, at.deadline) == (timedelta(minutes=40), 2 * HOUR, STARTED + 12 * HOUR)
    ended = dataclasses.replace(run, state=RunState.ERROR, ended_at=(STARTED + HOUR).isoformat())
    assert run_times(ended, STARTED + 5 * HOUR).running == HOUR
    unseen = dataclasses.replace(ended, started_at=None)
    assert (run_times(unseen).queued, run_times(unseen).running) == (None, None)
    assert run_times(BARE).queued is None
    assert run_times(run, STARTED).to_json() == {
        "queued_seconds": 2400,
        "running_seconds": 0,
        "limit_seconds": 43200,
        "deadline": "2026-11-02T00:40:00+00:00",
        "stuck": False,
    }
