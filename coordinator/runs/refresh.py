"""Brings the ledger's view of a run up to date: settles a lost answer, asks for the state, looks at the live log."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from coordinator.bundle import script_in, stamp_of
from coordinator.clock import SYSTEM_CLOCK, Clock
from coordinator.errors import CoordError, Later, NoAnswer
from coordinator.files import held
from coordinator.ledger import ACTIVE, ARRIVAL_SECONDS, NEVER_ARRIVED, NOT_YET, Ledger, Run, now
from coordinator.results import Event, event_of, log_lines
from coordinator.target import KernelRef, LogRecord, RunState, SessionState, Target
from coordinator.workspace import Workspace

# The live log has no "you are up to date" mark: it is taken as read when nothing came for about as long as an answer
# takes, within these bounds.
_QUIET_SECONDS = (0.05, 0.7)
_IDLE_SECONDS = 0.7
_LOOK_SECONDS = 5.0
_EVENTS_SHOWN = ("epoch", "fold", "end")

_ASK_SECONDS = (1.0, 2.0, 4.0, 8.0, 15.0)
"""Waits between two questions about such a push; the last one is repeated."""
_SILENT_AT_MOST = 2
"""A target that does not answer so many questions in a row is not asked again. (Each is retried by the client.)"""


@dataclass(frozen=True)
class Look:
    """What a target said about a run."""

    session: SessionState
    records: list[LogRecord]
    """Its log as far as it was read; empty where nobody looked."""


def refresh_run(workspace: Workspace, run: Run, *, look_at_log: bool = True) -> Run:
    """The run as it stands now, also in the ledger. A run that has ended is left alone."""
    run = settled(workspace, run)
    if not run.state.is_active or run.version is None:
        return run
    return record(workspace.ledger, run, look(workspace.target, run, at_log=look_at_log))


def settled(workspace: Workspace, run: Run) -> Run:
    """The run, its lost answer settled; unchanged if there is none, or if another process is pushing it just now."""
    if run.state is not RunState.PUSHING:
        return run
    with held(workspace.project.push_lock(run.target, run.slug), wait=False) as ours:
        return settle(workspace.target, workspace.ledger, workspace.ledger.get(run.id)) if ours else run


def look(target: Target, run: Run, *, at_log: bool = True) -> Look:
    """Asks for a run's state, and reads its log if that may have something new.

    Nothing but questions to the target, so that many runs can be looked at side by side, each in a thread.
    """
    # What ran at the last look probably still does, and what waited may have begun (few wait on Kaggle: it refuses a
    # push beyond the session limit). So the log is asked for without waiting for the state.
    tail = _Tail(target, run.ref) if at_log else None
    begun = time.monotonic()
    session = target.state(run.ref)
    took = time.monotonic() - begun
    if session.state is RunState.RUNNING and tail is not None:
        return Look(session, tail.records(took))
    return Look(session, [] if session.state.is_active else target.log(run.ref))


def record(ledger: Ledger, run: Run, seen: Look) -> Run:
    """The run after a look, also in the ledger; what another process knows of its end by now is left alone."""
    current = ledger.get(run.id)
    if not current.state.is_active:
        return current
    state, changes = seen.session.state, dict[str, Any](state=seen.session.state)
    if seen.session.message:
        changes["message"] = seen.session.message
    reported = _newest_first(seen.records)
    newest = next(reported, None)
    # A live log is replayed from its start: where what was shown before has not come yet, it was left too early.
    if newest and (not state.is_active or current.last_event in (None, newest) or current.last_event in reported):
        changes["last_event"] = newest
    if state is RunState.RUNNING:
        changes["started_at"] = _started_at(current, seen.records)
    elif not state.is_active:
        changes["ended_at"] = now()
    if all(getattr(current, name) == value for name, value in changes.items()):
        return current
    return ledger.update(run.id, only_in=ACTIVE, **changes)


def _started_at(run: Run, records: list[LogRecord]) -> str:
    """When the session started: no later than was known, than now, and than the log's clock says; after the push."""
    found = datetime.now(UTC) - timedelta(seconds=max((each.time for each in records), default=0.0))
    known = [datetime.fromisoformat(each) for each in (run.started_at,) if each]
    # The log's clock starts some moments after the session's, and ours may differ: small steps are no news.
    if known and found > known[0] - timedelta(seconds=5):
        return str(run.started_at)
    pushed = datetime.fromisoformat(run.pushed_at) if run.pushed_at else found
    return max(found, pushed).isoformat(timespec="seconds")


def current_log(workspace: Workspace, run: Run) -> list[LogRecord]:
    """The log as far as there is one: all of it once the run has ended, what has come so far while it runs."""
    run = refresh_run(workspace, run, look_at_log=False)
    if run.state is RunState.RUNNING:
        return list(workspace.target.follow(run.ref, idle_seconds=_IDLE_SECONDS))
    return [] if run.state.is_active else workspace.target.log(run.ref)


def settle(target: Target, ledger: Ledger, run: Run, *, clock: Clock = SYSTEM_CLOCK) -> Run:
    """Finds out what became of a push whose answer was lost: the kernel's source names the run that pushed it.

    Where it names none, the run stays as it is for ARRIVAL_SECONDS after its request was last on its way, because the
    target may still be at work on it, and is refused afterwards. One that was called so is looked for again.
    The caller holds the push lock of that kernel.
    """
    never_arrived = run.state is RunState.REFUSED and run.message == NEVER_ARRIVED
    if run.state is not RunState.PUSHING and not never_arrived:
        return run
    version = _arrived(target, ledger, run)
    if version is not None:
        return ledger.update(
            run.id,
            state=RunState.QUEUED,
            version=version,
            url=target.url(run.owner, run.slug),
            pushed_at=now(),
            ended_at=None,
            message=_without_its_answer(run),
        )
    if never_arrived:
        return run
    sent = datetime.fromisoformat(run.sent_at or run.created_at).timestamp()
    if clock.seconds() - sent <= ARRIVAL_SECONDS:
        return ledger.update(run.id, message=NOT_YET)
    return ledger.update(run.id, state=RunState.REFUSED, message=NEVER_ARRIVED, ended_at=now())


def wait_for_arrival(
    target: Target,
    ledger: Ledger,
    run: Run,
    *,
    clock: Clock = SYSTEM_CLOCK,
) -> Run:
    """Asks until it is known whether a push arrived, for as long as it may; returns the run, adopted or refused.

    Raises NoAnswer, and leaves the run open, if the target does not answer the questions either. The caller holds the
    push lock of that kernel.
    """
    silent, asked = 0, 0
    while True:
        try:
            run, silent = settle(target, ledger, run, clock=clock), 0
        except (NoAnswer, Later):
            silent += 1
            if silent >= _SILENT_AT_MOST:
                raise
        if run.state is not RunState.PUSHING:
            return run
        clock.sleep(_ASK_SECONDS[min(asked, len(_ASK_SECONDS) - 1)])
        asked += 1


def _arrived(target: Target, ledger: Ledger, run: Run) -> int | None:
    """The version whose source names the run."""
    newest = target.source(run.owner, run.slug)
    runs = [other.id for other in ledger.runs(target=run.target)]
    earlier = runs[runs.index(run.id) + 1 :]
    version, text = newest or (0, "")
    # Versions come in the order of the pushes: what an earlier run pushed ends the search. (Their numbers would not do:
    # a kernel that was deleted counts from 1 again.)
    while version > 0 and (stamped_by := stamp_of(script_in(text)).get("run")) not in earlier:
        if stamped_by == run.id:
            return version
        version -= 1
        older = target.source(run.owner, run.slug, version) if version else None
        text = older[1] if older else ""
    return None


def _without_its_answer(run: Run) -> str:
    """What is not known of a version whose answer was lost: only the answer says which sources were refused."""
    attached = [name for key, names in run.metadata.items() if key.endswith("_sources") for name in names or ()]
    return f"its answer was lost: whether it has {', '.join(attached)} is not known" if attached else ""


def last_event(records: list[LogRecord]) -> Event | None:
    """The last event worth showing in a log."""
    return next(_newest_first(records), None)


def _newest_first(records: list[LogRecord]) -> Iterator[Event]:
    for line in reversed(list(log_lines(records))):
        event = event_of(line)
        if event is not None and event.kind in _EVENTS_SHOWN:
            yield event


class _Tail:
    """A live log that a thread reads, so that whoever looks at it decides how long to wait for more."""

    def __init__(self, target: Target, ref: KernelRef) -> None:
        self._found: list[LogRecord] = []
        self._has_begun, self._has_ended = threading.Event(), threading.Event()
        # A daemon: it may wait for a record that nobody wants any more, which must not keep the command from ending.
        threading.Thread(target=self._read, args=(target, ref), daemon=True).start()

    def _read(self, target: Target, ref: KernelRef) -> None:
        try:
            for each in target.follow(ref, idle_seconds=_LOOK_SECONDS):
                self._found.append(each)
                self._has_begun.set()
        except CoordError:
            pass  # the state is known all the same, and the next look finds the log
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
