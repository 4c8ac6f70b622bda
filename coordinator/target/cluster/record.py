"""What a run's own folder says about it, parsed once: its starts, how they ended, and who runs it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from coordinator.target.protocol import Attempt, RunState, SessionState
from coordinator.text import clean

_SHOWN = 500  # characters


@dataclass(frozen=True)
class RunRecord:
    """The own record of a run. What a kernel may have written is not trusted."""

    exists: bool
    run: str
    job: str
    """The engine's answer to the submission; empty if it was lost."""
    claim: str
    """The job that runs it; empty before its first start."""
    is_cancelled: bool
    pushed: float
    """Seconds since 1970, by the far side's clock."""
    now: float
    """The far side's clock when it answered."""
    silent: float | None
    """Seconds without a sign of life of the starter, which gives one every ten seconds; None if it never did."""
    attempts: tuple[Attempt, ...]
    code: int | None
    """The kernel's exit code in the last start, once that has ended."""
    following: str
    """What the last start has left behind: "end", "requeue", "wait" (the engine decides), or empty while it runs."""
    signal: str
    """What stopped the last start: "USR1", "TERM", or empty."""
    idle: int
    """How many of the starts that have ended were, in a row, stopped before they left anything new."""
    status: str
    """Of metrics.json; empty without one."""
    said: str
    """The last line of the job's own output, if the kernel was never started."""

    @staticmethod
    def parse(found: Mapping[str, Any], now: object) -> RunRecord:
        """From the far side's answer. Raises nothing."""
        rows = [each for each in _list(found.get("attempts")) if isinstance(each, dict)]
        last: Mapping[str, Any] = rows[-1] if rows else {}
        code, ended = last.get("code"), [row for row in rows if "ended" in row]
        idle = ended[-1].get("idle") if ended else 0
        is_cancelled = bool(found.get("cancelled"))
        attempts = tuple(_attempt(row, is_last=row is last, is_cancelled=is_cancelled) for row in rows)
        lines = [line for each in str(found.get("said") or "").splitlines() if (line := clean(each).strip())]
        return RunRecord(
            exists=bool(found.get("exists")),
            run=_text(found.get("run")),
            job=_text(found.get("job")),
            claim=_text(found.get("claim")),
            is_cancelled=is_cancelled,
            pushed=_seconds(found.get("pushed")),
            now=_seconds(now),
            silent=None if found.get("silent") is None else _seconds(found["silent"]),
            attempts=attempts,
            code=code if isinstance(code, int) and "ended" in last else None,
            following=_text(last.get("next")),
            signal=_text(last.get("signal")),
            idle=idle if isinstance(idle, int) else 0,
            status=_text(found.get("status")),
            said=lines[-1][:_SHOWN] if lines else "",
        )

    @property
    def age(self) -> float:
        """Seconds since the push."""
        return max(0.0, self.now - self.pushed)

    @property
    def is_complete(self) -> bool:
        """Whether the kernel reports that all is done, where the starter was ended before it could say so."""
        return self.status == "complete" and self.code in (None, 0)

    @property
    def stalled(self) -> str:
        """Why the run does not come further, and what to do; empty if it does, as far as its starts tell."""
        if not self.idle:
            return ""
        ended = [each for each in self.attempts if each.ended is not None]
        which = f"its last {self.idle} starts" if self.idle > 1 else f"start {ended[-1].number}"
        if self.signal == "TERM" or (len(self.attempts) > len(ended) and ended[-1].reason == "preempted"):
            return f"{which} had saved nothing new when stopped: jobs that are not preempted, or save more often"
        return f"{which} had saved nothing new when the time limit came: it needs a longer `time`"

    def verdict(self) -> SessionState | None:
        """The state of the run as far as its own record decides it; None: ask the engine."""
        if self.following != "end":
            return None
        if self.code == 0:
            return SessionState(RunState.COMPLETE, attempts=self.attempts)
        if self.is_cancelled:
            return SessionState(RunState.CANCELLED, attempts=self.attempts)
        if self.signal == "USR1":
            message = "; ".join(
                filter(None, [f"its time limit stopped it, in start {len(self.attempts)}", self.stalled])
            )
        else:
            message = f"the kernel ended with code {self.code}"
        return SessionState(RunState.ERROR, message, attempts=self.attempts)


def _attempt(row: Mapping[str, Any], *, is_last: bool, is_cancelled: bool) -> Attempt:
    ended = row.get("ended")
    why = {"USR1": "time limit", "TERM": "preempted"}.get(_text(row.get("signal")), "")
    if is_last:
        # Of the last start only the engine may know why SIGTERM came.
        is_by_limit = row.get("signal") == "USR1" and row.get("code") != 0 and ended is not None
        why = "cancelled" if is_cancelled and row.get("code") != 0 else why if is_by_limit else ""
    elif ended is None and not why:
        why = "node failed"
    return Attempt(
        number=int(row["number"]) if isinstance(row.get("number"), int) else 0,
        started=_time(row.get("started")),
        ended=None if ended is None else _time(ended),
        host=_text(row.get("host")),
        reason=why,
    )


def _time(value: object) -> datetime:
    return datetime.fromtimestamp(min(_seconds(value), 4e9), UTC)


def _seconds(value: object) -> float:
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return max(0.0, float(value)) if is_number else 0.0  # type: ignore[arg-type]  # a number, as was asked


def _text(value: object) -> str:
    return clean(value)[:_SHOWN] if isinstance(value, str) else ""


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []
