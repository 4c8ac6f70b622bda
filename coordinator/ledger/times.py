"""How long a run has waited and run, and whether its session should have ended by now: from the ledger alone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from coordinator.kaggle_rules import SESSION_MAX, TPU_SESSION_MAX, kind_of_shape
from coordinator.ledger.ledger import Run
from coordinator.target import RunState

MARGIN = timedelta(minutes=15)
"""Kaggle ends sessions a little late, and coord knows their start only to the moment when it last asked."""


@dataclass(frozen=True)
class Times:
    """A run's times at one moment."""

    queued: timedelta | None
    """From the push to the session's start, or until now; None if it was never seen starting."""
    running: timedelta | None
    """From the session's start to the end of the run, or until now; None if it was never seen starting."""
    limit: timedelta
    """How long its session may run."""
    deadline: datetime | None
    """When the session has to have ended; None before its start."""
    is_stuck: bool
    """Its state is running, but its deadline has passed by more than MARGIN."""

    def to_json(self) -> dict[str, Any]:
        return {
            "queued_seconds": _seconds(self.queued),
            "running_seconds": _seconds(self.running),
            "limit_seconds": _seconds(self.limit),
            "deadline": self.deadline.isoformat(timespec="seconds") if self.deadline else None,
            "stuck": self.is_stuck,
        }


def run_times(run: Run, now: datetime | None = None) -> Times:
    """The times of a run at `now` (UTC; default: this moment)."""
    now = now or datetime.now(UTC)
    pushed, started, ended = (_moment(text) for text in (run.pushed_at, run.started_at, run.ended_at))
    waits = run.state is RunState.QUEUED
    until = started or (now if waits else None)
    deadline = started + limit(run) if started else None
    return Times(
        queued=max(until - pushed, timedelta()) if pushed and until else None,
        running=max((ended or now) - started, timedelta()) if started else None,
        limit=limit(run),
        deadline=deadline,
        is_stuck=run.state is RunState.RUNNING and deadline is not None and now > deadline + MARGIN,
    )


def limit(run: Run) -> timedelta:
    """The time limit of the run's session: what was asked for, at most Kaggle's own limit for its machine."""
    shape = run.metadata.get("machine_shape")
    is_tpu = kind_of_shape(str(shape)) == "tpu" if shape else bool(run.metadata.get("enable_tpu"))
    most = TPU_SESSION_MAX if is_tpu else SESSION_MAX
    return timedelta(seconds=min(run.timeout_seconds or most, most))


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _seconds(span: timedelta | None) -> int | None:
    return None if span is None else int(span.total_seconds())
