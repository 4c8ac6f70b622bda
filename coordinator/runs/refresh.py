"""Updates what the ledger knows of a run: settles a lost answer, asks for the state, reads the live log."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, cast

from coordinator.errors import CoordError, NoAccess
from coordinator.kaggle_rules import SESSION_MAX
from coordinator.ledger import Ledger, Run, now
from coordinator.project import MetricsSettings
from coordinator.results import Event, LineReader, event_of, failure, log_lines
from coordinator.runs.arrival import settled
from coordinator.target import AnswersMany, KernelRef, LogRecord, RunState, SessionState, Target
from coordinator.text import sentences
from coordinator.workspace import Workspace

# The live log does not mark its current end: it counts as read when no record came for about as long as the target
# takes to answer, within these bounds.
_QUIET_SECONDS = (0.05, 0.7)
_IDLE_SECONDS = 0.7
_LOOK_SECONDS = 5.0
_SESSION_COMES = timedelta(minutes=10)
_EVENTS_SHOWN = ("epoch", "fold", "end")
_ACTIVE = tuple(state for state in RunState if state.is_active)


@dataclass(frozen=True)
class Look:
    """A target's answer about a run."""

    session: SessionState
    records: list[LogRecord]
    """Its log as far as it was read; empty if it was not asked for."""
    _reported: list[Event | str] = field(default_factory=list, compare=False)
    """What was read so far; see `reported`."""

    def reported(self, metrics: MetricsSettings) -> list[Event | str]:
        """See the function; the log is read once."""
        if not self._reported:
            self._reported.extend(reported(self.records, metrics))
        return self._reported


def refresh_run(workspace: Workspace, run: Run, *, look_at_log: bool = True) -> Run:
    """The run in its current state, also in the ledger. A run that has ended is not asked for."""
    run = settled(workspace, run)
    if not run.state.is_active or run.version is None:
        return run
    seen = look(workspace.target, run, at_log=look_at_log)
    return record(workspace.ledger, run, seen, workspace.project.settings.metrics)


def looks(target: Target, runs: Sequence[Run]) -> Iterator[tuple[Run, Callable[[], Look]]]:
    """Each run with what looks at it (see `look`); where one question gives all states, it is asked here and now."""
    sessions: Sequence[SessionState | None] = [None] * len(runs)
    if target.abilities.answers_many and len(runs) > 1:
        # Where a run is gone, each is asked for alone: the others have a state all the same.
        with contextlib.suppress(NoAccess):
            sessions = cast(AnswersMany, target).states([run.ref for run in runs])
    for run, session in zip(runs, sessions, strict=True):
        yield run, partial(look, target, run, session=session)


def look(target: Target, run: Run, *, at_log: bool = True, session: SessionState | None = None) -> Look:
    """Asks for a run's state, unless it is known, and reads its log if that may have something new.

    It only asks the target and writes nothing, so that many runs can be looked at in parallel, each in a thread.
    """
    # A run that was running probably still is, and a queued one may have started (few wait on Kaggle: it refuses pushes
    # beyond the session limit). So the log is asked for without waiting for the state.
    may_run = session is None or session.state is RunState.RUNNING
    tail = _Tail(target, run.ref) if at_log and may_run else None
    begun = time.monotonic()
    session = session or target.state(run.ref)
    took = time.monotonic() - begun
    if session.state is RunState.RUNNING and tail is not None:
        return Look(session, tail.records(took))
    return Look(session, [] if session.state.is_active else target.log(run.ref))


def record(ledger: Ledger, run: Run, seen: Look, metrics: MetricsSettings) -> Run:
    """The run after a look, also in the ledger; an end that another process recorded meanwhile stays.

    `metrics` says which lines of its log report metrics.
    """
    current = ledger.get(run.id)
    if not current.state.is_active:
        return current
    session = _given_up(current) if seen.session.is_only_saved else seen.session
    state, changes = session.state, dict[str, Any](state=session.state)
    # The target only says that the program ended: what ended it is in the log.
    why = failure(seen.records, current.files) if state is RunState.ERROR else ""
    if why or session.message or session.attempts:  # who tells of starts tells all that there is to say
        changes["message"] = f"{why}\n{session.message}" if "\n" in why else sentences(why, session.message)
    events = newest_first(seen.reported(metrics))
    newest = next(events, None)
    # A live log is replayed from its start: without the event that was shown before, it was not read far enough.
    if newest and (not state.is_active or current.last_event in (None, newest) or current.last_event in events):
        changes["last_event"] = newest
    if session.attempts:
        changes["attempts"] = len(session.attempts)
        changes["started_at"] = session.attempts[0].started.astimezone(UTC).isoformat(timespec="seconds")
    elif state is RunState.RUNNING:
        changes["started_at"] = _started_at(current, seen.records)
    if not state.is_active:
        changes["ended_at"] = now()
    if all(getattr(current, name) == value for name, value in changes.items()):
        return current
    return ledger.update(run.id, only_in=_ACTIVE, **changes)


def _given_up(run: Run) -> SessionState:
    """The state of a run whose version has no session: it may still get one, for some minutes after its push."""
    pushed = datetime.fromisoformat(run.pushed_at) if run.pushed_at else datetime.now(UTC)
    if datetime.now(UTC) - pushed < _SESSION_COMES:
        return SessionState(RunState.QUEUED)
    return SessionState(RunState.ERROR, "its version was saved without being run (Quick Save): there is no session")


def _started_at(run: Run, records: list[LogRecord]) -> str:
    """When the session started: by the log's clock, no later than known before, and not before the push."""
    logged = min(max((each.time for each in records), default=0.0), SESSION_MAX)
    found = datetime.now(UTC) - timedelta(seconds=max(logged, 0.0))
    known = [datetime.fromisoformat(each) for each in (run.started_at,) if each]
    # The log's clock starts some moments after the session's, and ours may differ: small differences are ignored.
    if known and found > known[0] - timedelta(seconds=5):
        return str(run.started_at)
    pushed = datetime.fromisoformat(run.pushed_at) if run.pushed_at else found
    return max(found, min(pushed, datetime.now(UTC))).isoformat(timespec="seconds")  # the clock may have been set back


def current_log(workspace: Workspace, run: Run) -> list[LogRecord]:
    """The log: all of it if the run has ended, its records so far while it runs."""
    run = refresh_run(workspace, run, look_at_log=False)
    if run.state is RunState.RUNNING:
        return list(workspace.target.follow(run.ref, idle_seconds=_IDLE_SECONDS))
    return [] if run.state.is_active else workspace.target.log(run.ref)


def reported(records: Iterable[LogRecord], metrics: MetricsSettings) -> Iterator[Event | str]:
    """The events of a log, the oldest first. COORD lines are left as they are: of most, nobody asks what they say."""
    reader = LineReader(metrics)
    for line in log_lines(records):
        if reader.may_wait(line):
            yield line
        elif (event := reader.event(line)) is not None:
            yield event


def newest_first(found: Sequence[Event | str]) -> Iterator[Event]:
    """The events that are worth showing, of what `reported` returns; each is read when it is asked for."""
    for each in reversed(found):
        event = event_of(each) if isinstance(each, str) else each
        if event is not None and event.kind in _EVENTS_SHOWN:
            yield event


class _Tail:
    """A live log that a thread reads, so that the caller decides how long to wait for more."""

    def __init__(self, target: Target, ref: KernelRef) -> None:
        self._found: list[LogRecord] = []
        self._has_begun, self._has_ended = threading.Event(), threading.Event()
        # A daemon: it may still wait for a record when the command wants to end.
        threading.Thread(target=self._read, args=(target, ref), daemon=True).start()

    def _read(self, target: Target, ref: KernelRef) -> None:
        try:
            for each in target.follow(ref, idle_seconds=_LOOK_SECONDS):
                self._found.append(each)
                self._has_begun.set()
        except CoordError:
            pass  # the state is known without it, and the next look reads the log
        finally:
            self._has_ended.set()
            self._has_begun.set()

    def records(self, took: float) -> list[LogRecord]:
        """What comes until the log ends or pauses; `took` is how many seconds an answer of this target takes.

        It is not woken by each record: with many logs at once, changing threads would take longer than reading.
        """
        least, most = _QUIET_SECONDS
        quiet, until = min(max(least, took / 2), most), time.monotonic() + _LOOK_SECONDS
        self._has_begun.wait(max(most, 3 * took))
        while time.monotonic() < until and self._found and not self._has_ended.is_set():
            known = len(self._found)
            self._has_ended.wait(quiet)
            if len(self._found) == known:
                break
        return list(self._found)
