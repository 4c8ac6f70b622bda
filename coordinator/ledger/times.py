"""How long a run has waited and run, and whether its session should have ended by now: from the ledger alone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from coordinator.kaggle_rules import kind_of_shape
from coordinator.ledger.ledger import Run
from coordinator.target import RunState, recorded_abilities


@dataclass(frozen=True)
class Times:
    """A run's times at one moment."""

    queued: timedelta | None
    """From the push to the session's start, or until now; None if it was never seen starting."""
    running: timedelta | None
    """From the session's start to the end of the run, or until now; None if it was never seen starting."""
    limit: timedelta | None
    """How long its session may run; None where the target has no limit that coord knows."""
    deadline: datetime | None
    """When the session has to have ended; None before its start, and without a limit."""
    is_stuck: bool
    """Its state is running, although its deadline passed longer ago than its target ever takes to end a session."""

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
    most = limit(run)
    deadline = started + most if started and most is not None else None
    known = recorded_abilities(run.target)
    late = known.stuck_after_seconds if known else None
    is_late = deadline is not None and late is not None and now > deadline + timedelta(seconds=late)
    return Times(
        queued=max(until - pushed, timedelta()) if pushed and until else None,
        running=max((ended or now) - started, timedelta()) if started else None,
        limit=most,
        deadline=deadline,
        is_stuck=run.state is RunState.RUNNING and is_late,
    )


def limit(run: Run) -> timedelta | None:
    """The time limit of the run's session: what was asked for, at most the target's own limit for its machine.

    A cluster's own limit ends a start, and not the run, which may start again.
    """
    known = recorded_abilities(run.target)
    if known is None:
        return None
    shape = run.metadata.get("machine_shape")
    is_tpu = kind_of_shape(str(shape)) == "tpu" if shape else bool(run.metadata.get("enable_tpu"))
    limits = (run.timeout_seconds, known.longest_session(is_tpu=is_tpu))
    return timedelta(seconds=min(each for each in limits if each))


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _seconds(span: timedelta | None) -> int | None:
    return None if span is None else int(span.total_seconds())
