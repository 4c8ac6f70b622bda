"""How a run's state comes into the ledger: the session's state, its times, its last event."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import pytest

from coordinator.ledger.ledger import Ledger, Run
from coordinator.project.project import Project
from coordinator.results.events import Event
from coordinator.runs.refresh import current_log, last_event, refresh_run
from coordinator.target.protocol import KernelRef, RunState, SessionState
from coordinator.workspace import Workspace
from tests.coordinator.runs.shelf import EPOCHS, Shelf, records_of
from tests.coordinator.sample_runs import BARE

RUNNING = dataclasses.replace(BARE, id="run", state=RunState.QUEUED, version=4)
SECOND, NINTH = (Event.parse({"event": "epoch", "epoch": epoch}) for epoch in (2, 9))
END = Event.parse({"event": "end"})


def _refreshed(project: Project, ledger: Ledger, shelf: Shelf, run: Run = RUNNING) -> Run:
    ledger.add(run)
    found = refresh_run(Workspace(project, ledger, shelf), run)
    assert found == ledger.get(run.id)
    return found


def test_a_running_session_shows_its_last_epoch(tiny: Project, ledger: Ledger) -> None:
    """From the live log, of this run's own version."""
    shelf = Shelf(records=EPOCHS)
    run = _refreshed(tiny, ledger, shelf)
    assert (run.state, run.last_event, run.ended_at) == (RunState.RUNNING, SECOND, None)
    assert sorted(shelf.asked) == ["follow ada/smoke v4", "state ada/smoke v4"]


@pytest.mark.parametrize("state", [RunState.COMPLETE, RunState.ERROR, RunState.CANCELLED])
def test_an_end_is_recorded_with_its_reason(tiny: Project, ledger: Ledger, state: RunState) -> None:
    """Time, message and the last event of the whole log; afterwards the target is not asked again."""
    shelf = Shelf(session=SessionState(state, "the reason"), records=EPOCHS)
    run = _refreshed(tiny, ledger, shelf)
    assert (run.state, run.message, run.last_event) == (state, "the reason", SECOND)
    assert run.ended_at is not None
    shelf.asked.clear()
    assert refresh_run(Workspace(tiny, ledger, shelf), run) == run
    assert shelf.asked == []


def test_an_older_look_does_not_bring_a_run_back_to_life(tiny: Project, ledger: Ledger) -> None:
    """Two processes ask; the answer that was given first, and recorded last, is not what the ledger says."""
    ended = dataclasses.replace(RUNNING, state=RunState.COMPLETE, ended_at="2026", last_event=END)
    ledger.add(ended)
    assert refresh_run(Workspace(tiny, ledger, Shelf()), RUNNING) == ledger.get("run") == ended


def test_a_state_is_asked_for_by_version(tiny: Project, ledger: Ledger) -> None:
    """Two versions of one kernel: each run gets its own state and its own log, whichever is newer."""

    @dataclass
    class TwoVersions(Shelf):
        def state(self, ref: KernelRef) -> SessionState:
            self.asked.append(f"state {ref}")
            return SessionState(RunState.COMPLETE if ref.version == 4 else RunState.ERROR, f"of v{ref.version}")

    shelf = TwoVersions()
    old, new = RUNNING, dataclasses.replace(RUNNING, id="new", version=5)
    ledger.add(old)
    ledger.add(new)
    assert refresh_run(Workspace(tiny, ledger, shelf), new).message == "of v5"
    assert refresh_run(Workspace(tiny, ledger, shelf), old).message == "of v4"
    for version in (4, 5):
        asked = [each for each in shelf.asked if each.endswith(f"v{version}") and not each.startswith("follow")]
        assert asked == [f"state ada/smoke v{version}", f"log ada/smoke v{version}"]


def test_a_queued_session_has_no_log(tiny: Project, ledger: Ledger) -> None:
    """The log that was asked for in case it had started is ignored, and the event known before stays."""
    shelf = Shelf(session=SessionState(RunState.QUEUED), records=EPOCHS)
    run = _refreshed(tiny, ledger, shelf, dataclasses.replace(RUNNING, last_event=NINTH))
    assert (run.state, run.last_event) == (RunState.QUEUED, NINTH)
    assert "log ada/smoke v4" not in shelf.asked
    assert current_log(Workspace(tiny, ledger, shelf), run) == []


def test_the_log_of_a_running_and_of_an_ended_run(tiny: Project, ledger: Ledger) -> None:
    """Live while it runs, from the stored output afterwards: the same records."""
    ledger.add(RUNNING)
    shelf = Shelf(records=EPOCHS)
    assert current_log(Workspace(tiny, ledger, shelf), RUNNING) == EPOCHS
    shelf.session = SessionState(RunState.COMPLETE)
    assert current_log(Workspace(tiny, ledger, shelf), ledger.get("run")) == EPOCHS
    assert "follow ada/smoke v4" in shelf.asked
    assert "log ada/smoke v4" in shelf.asked


def test_the_last_event_worth_showing() -> None:
    """Messages, starts and broken lines are passed over; an empty log has none."""
    assert last_event([]) is None
    assert last_event(records_of("COORD {", 'COORD {"event": "start"}', "COORD 5")) is None
    end = last_event([*EPOCHS, *records_of('COORD {"event": "end", "status": "complete"}', "bye")])
    assert end == Event.parse({"event": "end", "status": "complete"})
