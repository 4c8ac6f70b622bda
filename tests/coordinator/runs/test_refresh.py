"""The refresh of a run in the ledger: the session's state, its times, its last event."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta

import pytest

from coordinator.ledger.ledger import Ledger, Run
from coordinator.project.project import Project
from coordinator.project.result_settings import MetricsSettings
from coordinator.results.events import Event
from coordinator.runs.refresh import current_log, newest_first, refresh_run, reported
from coordinator.target.protocol import Attempt, LogRecord, RunState, SessionState
from coordinator.workspace import Workspace
from tests.coordinator.sample_runs import BARE
from tests.coordinator.targets import EPOCHS, RUNNING_SESSION, MemoryTarget, records_of

RUNNING = dataclasses.replace(BARE, id="run", state=RunState.QUEUED, version=4)
SECOND, NINTH = (Event.parse({"event": "epoch", "epoch": epoch}) for epoch in (2, 9))
END = Event.parse({"event": "end"})


def _refreshed(project: Project, ledger: Ledger, target: MemoryTarget, run: Run = RUNNING) -> Run:
    ledger.add(run)
    found = refresh_run(Workspace(project, ledger, target), run)
    assert found == ledger.get(run.id)
    return found


def test_a_running_session_shows_its_last_epoch(tiny: Project, ledger: Ledger) -> None:
    """From the live log, of this run's own version."""
    target = MemoryTarget(session=RUNNING_SESSION, records=EPOCHS)
    run = _refreshed(tiny, ledger, target)
    assert (run.state, run.last_event, run.ended_at) == (RunState.RUNNING, SECOND, None)
    assert sorted(target.asked) == ["follow ada/smoke v4", "state ada/smoke v4"]


@pytest.mark.parametrize("state", [RunState.COMPLETE, RunState.ERROR, RunState.CANCELLED])
def test_an_end_is_recorded_with_its_reason(tiny: Project, ledger: Ledger, state: RunState) -> None:
    """Time, message and the last event of the whole log; afterwards the target is not asked again."""
    target = MemoryTarget(session=SessionState(state, "the reason"), records=EPOCHS)
    run = _refreshed(tiny, ledger, target)
    assert (run.state, run.message, run.last_event) == (state, "the reason", SECOND)
    assert run.ended_at is not None
    target.asked.clear()
    assert refresh_run(Workspace(tiny, ledger, target), run) == run
    assert target.asked == []


def test_a_version_that_was_saved_without_being_run(tiny: Project, ledger: Ledger) -> None:
    """Its session may come for some minutes; then nothing is waited for any more."""
    target = MemoryTarget(session=SessionState(RunState.QUEUED, is_only_saved=True))
    pushed = datetime.now(UTC)
    fresh = dataclasses.replace(RUNNING, pushed_at=(pushed - timedelta(minutes=9)).isoformat())
    assert _refreshed(tiny, ledger, target, fresh).state is RunState.QUEUED
    old = dataclasses.replace(RUNNING, id="old", pushed_at=(pushed - timedelta(minutes=11)).isoformat())
    run = _refreshed(tiny, ledger, target, old)
    assert (run.state, run.message) == (
        RunState.ERROR,
        "its version was saved without being run (Quick Save): there is no session",
    )
    assert run.ended_at is not None
    # A queued session is waited for as long as it takes.
    slow = dataclasses.replace(old, id="slow")
    queued = MemoryTarget(session=SessionState(RunState.QUEUED))
    assert _refreshed(tiny, ledger, queued, slow).state is RunState.QUEUED


def test_an_older_look_does_not_bring_a_run_back_to_life(tiny: Project, ledger: Ledger) -> None:
    """Two processes ask; an older answer that is recorded later does not replace the newer one."""
    ended = dataclasses.replace(RUNNING, state=RunState.COMPLETE, ended_at="2026", last_event=END)
    ledger.add(ended)
    target = MemoryTarget(session=RUNNING_SESSION)
    assert refresh_run(Workspace(tiny, ledger, target), RUNNING) == ledger.get("run") == ended


def test_an_end_that_is_recorded_meanwhile_stays(tiny: Project, ledger: Ledger) -> None:
    """Between the look into the ledger and the update another process has recorded the end."""

    class Raced(Ledger):
        def get(self, run_id: str) -> Run:
            found = super().get(run_id)
            ledger.update(run_id, state=RunState.CANCELLED, message="stopped")
            return found

    ledger.add(RUNNING)
    with Raced(tiny.ledger) as raced:
        found = refresh_run(Workspace(tiny, raced, MemoryTarget(session=RUNNING_SESSION)), RUNNING)
    assert (found.state, found.message) == (RunState.CANCELLED, "stopped")


@pytest.mark.parametrize(("state", "shown"), [(RunState.RUNNING, NINTH), (RunState.COMPLETE, SECOND)])
def test_a_live_log_that_was_not_read_far_enough_hides_no_event(
    tiny: Project, ledger: Ledger, state: RunState, shown: Event
) -> None:
    """It is replayed from its start: what was shown before stays, until the whole log says otherwise."""
    target = MemoryTarget(session=SessionState(state), records=EPOCHS)
    run = _refreshed(tiny, ledger, target, dataclasses.replace(RUNNING, last_event=NINTH))
    assert run.last_event == shown


def test_a_state_is_asked_for_by_version(tiny: Project, ledger: Ledger) -> None:
    """Two versions of one kernel: each run gets the state and the log of its own version."""
    states = SessionState(RunState.COMPLETE, "of v4"), SessionState(RunState.ERROR, "of v5")
    target = MemoryTarget(sessions=dict(zip(("ada/smoke v4", "ada/smoke v5"), states, strict=True)))
    old, new = RUNNING, dataclasses.replace(RUNNING, id="new", version=5)
    ledger.add(old)
    ledger.add(new)
    assert refresh_run(Workspace(tiny, ledger, target), new).message == "of v5"
    assert refresh_run(Workspace(tiny, ledger, target), old).message == "of v4"
    for version in (4, 5):
        asked = [each for each in target.asked if each.endswith(f"v{version}") and not each.startswith("follow")]
        assert asked == [f"state ada/smoke v{version}", f"log ada/smoke v{version}"]


def test_a_queued_session_has_no_log(tiny: Project, ledger: Ledger) -> None:
    """The log, which is requested together with the state, is ignored, and the event that was known before stays."""
    target = MemoryTarget(session=SessionState(RunState.QUEUED), records=EPOCHS)
    run = _refreshed(tiny, ledger, target, dataclasses.replace(RUNNING, last_event=NINTH))
    assert (run.state, run.last_event) == (RunState.QUEUED, NINTH)
    assert "log ada/smoke v4" not in target.asked
    assert current_log(Workspace(tiny, ledger, target), run) == []


def test_why_it_waited_is_no_reason_once_it_runs(tiny: Project, ledger: Ledger) -> None:
    """A cluster says why a run waits; when it has started, that is not so any more."""
    target = MemoryTarget(session=SessionState(RunState.QUEUED, "Slurm: Resources"))
    run = _refreshed(tiny, ledger, target)
    assert run.message == "Slurm: Resources"
    target.session = SessionState(RunState.RUNNING, attempts=(Attempt(1, datetime.now(UTC)),))
    assert refresh_run(Workspace(tiny, ledger, target), run).message == ""


def test_the_log_of_a_running_and_of_an_ended_run(tiny: Project, ledger: Ledger) -> None:
    """The live log while the run is active, the stored output afterwards: the same records."""
    ledger.add(RUNNING)
    target = MemoryTarget(session=RUNNING_SESSION, records=EPOCHS)
    assert current_log(Workspace(tiny, ledger, target), RUNNING) == EPOCHS
    target.session = SessionState(RunState.COMPLETE)
    assert current_log(Workspace(tiny, ledger, target), ledger.get("run")) == EPOCHS
    assert "follow ada/smoke v4" in target.asked
    assert "log ada/smoke v4" in target.asked


def _last_event(records: list[LogRecord]) -> Event | None:
    return next(newest_first(list(reported(records, MetricsSettings()))), None)


def test_the_last_event_worth_showing() -> None:
    """Messages, starts and broken lines are ignored; an empty log has no event."""
    assert _last_event([]) is None
    assert _last_event(records_of("COORD {", 'COORD {"event": "start"}', "COORD 5")) is None
    end = _last_event([*EPOCHS, *records_of('COORD {"event": "end", "status": "complete"}', "bye")])
    assert end == Event.parse({"event": "end", "status": "complete"})
