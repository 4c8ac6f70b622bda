"""What became of a push whose answer was lost, and how a run's state comes into the ledger."""

from __future__ import annotations

import dataclasses
import math
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest

from coordinator.bundle import in_notebook
from coordinator.bundle.notebook import notebook_of
from coordinator.bundle.script import stamped
from coordinator.clock import Clock
from coordinator.errors import NoAnswer
from coordinator.files import held
from coordinator.kernel.metadata import KernelMetadata
from coordinator.ledger.arrival import ARRIVAL_SECONDS, NEVER_ARRIVED, NOT_YET
from coordinator.ledger.ledger import Ledger, Run
from coordinator.project.project import Project
from coordinator.results.events import Event
from coordinator.runs.refresh import current_log, last_event, refresh_run, settle, wait_for_arrival
from coordinator.target.protocol import KernelRef, LogRecord, OutputFile, Pushed, RunState, SessionState
from coordinator.workspace import Workspace
from tests.coordinator.ledger.test_ledger import BARE
from tests.coordinator.targets import Unasked

RUNNING_SESSION = SessionState(RunState.RUNNING)


@dataclass
class Shelf(Unasked):
    """A target that holds one kernel's sources, its state and its log as values, and notes what it is asked."""

    sources: list[str] = field(default_factory=list)
    """Of version 1, 2, ..."""
    session: SessionState = RUNNING_SESSION
    records: list[LogRecord] = field(default_factory=list)
    reachable: bool = True
    name: str = "local"
    owner: str = "ada"
    asked: list[str] = field(default_factory=list)

    def push(self, metadata: KernelMetadata, source: str, *, timeout_seconds: int | None) -> Pushed:
        raise AssertionError("a run is settled by asking, never by pushing again")

    def source(self, owner: str, slug: str, version: int | None = None) -> tuple[int, str] | None:
        if not self.reachable:
            raise NoAnswer("no connection")
        self.asked.append(f"v{version}" if version else "newest")
        assert (owner, slug) == ("ada", "smoke")
        return (len(self.sources), self.sources[(version or len(self.sources)) - 1]) if self.sources else None

    def url(self, owner: str, slug: str) -> str:
        return f"http://here/code/{owner}/{slug}"

    def state(self, ref: KernelRef) -> SessionState:
        self.asked.append(f"state {ref}")
        return self.session

    def log(self, ref: KernelRef) -> list[LogRecord]:
        self.asked.append(f"log {ref}")
        return self.records

    def follow(self, ref: KernelRef, *, idle_seconds: float) -> Iterator[LogRecord]:
        self.asked.append(f"follow {ref}")
        yield from self.records

    def outputs(self, ref: KernelRef) -> Iterator[OutputFile]:
        return iter(())


def _source(run_id: str) -> str:
    return stamped("# coord: run=- digest=-\nprint()\n", run_id=run_id, git=None)


def test_a_lost_answer_is_settled_in_a_notebook_too(ledger: Ledger) -> None:
    """The stamp stands in the notebook's first code cell then."""
    ledger.add(LOST)
    script = f"{_source('lost')}\n{in_notebook.RULER}coord's start\nprint()\n"
    notebook = notebook_of(script, title="t", experiment="e", about="", command="make it").for_kaggle()
    assert settle(Shelf(["not one", notebook]), ledger, LOST).version == 2


def _records(*lines: str) -> list[LogRecord]:
    return [LogRecord("stdout", float(number), line + "\n") for number, line in enumerate(lines)]


LOST = dataclasses.replace(BARE, id="lost", created_at="2026-11-01T00:00:09+00:00", message="no answer in time")
EARLIER = dataclasses.replace(BARE, id="earlier", state=RunState.COMPLETE, version=2)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        yield ledger


@pytest.mark.parametrize(
    ("versions", "version", "asked"),
    [
        (["earlier", "earlier", "lost"], 3, ["newest"]),
        (["earlier", "earlier", "lost", "somebody"], 3, ["newest", "v3"]),
        (["lost"], 1, ["newest"]),
        (["earlier", "earlier"], None, ["newest"]),
        (["earlier", "earlier", "somebody"], None, ["newest", "v2"]),
        (["somebody", "somebody"], None, ["newest", "v1"]),
        ([], None, ["newest"]),
    ],
    ids=["newest", "older", "made anew", "never arrived", "only others", "strangers", "no kernel"],
)
def test_a_lost_answer_is_settled_by_the_stamp(
    ledger: Ledger, versions: list[str], version: int | None, asked: list[str]
) -> None:
    """The version whose source names the run is adopted; without one, nothing arrived. None is asked for in vain."""
    ledger.add(EARLIER)
    ledger.add(LOST)
    shelf = Shelf([_source(run_id) for run_id in versions])
    run = settle(shelf, ledger, LOST)
    assert shelf.asked == asked
    assert run == ledger.get("lost")
    assert run.version == version
    if version is None:
        assert (run.state, run.message) == (RunState.REFUSED, "it never arrived")
        assert run.ended_at is not None
    else:
        assert (run.state, run.url) == (RunState.QUEUED, "http://here/code/ada/smoke")
        assert run.pushed_at is not None
    assert ledger.get("earlier") == EARLIER


SENT = dataclasses.replace(LOST, sent_at="2026-11-01T01:00:00+00:00")
SENT_SECONDS = datetime(2026, 11, 1, 1, tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("seconds", "state", "message"),
    [
        (-5.0, RunState.PUSHING, NOT_YET),
        (ARRIVAL_SECONDS, RunState.PUSHING, NOT_YET),
        (ARRIVAL_SECONDS + 1, RunState.REFUSED, NEVER_ARRIVED),
    ],
)
def test_a_push_is_given_up_only_when_it_cannot_arrive_any_more(
    ledger: Ledger, seconds: float, state: RunState, message: str
) -> None:
    """The target may be at work on the request of a process that was killed a moment ago."""
    ledger.add(SENT)
    run = settle(Shelf(), ledger, SENT, clock=Clock(seconds=lambda: SENT_SECONDS + seconds))
    assert (run.state, run.message) == (state, message)


def test_what_was_given_up_is_adopted_when_it_is_found_after_all(ledger: Ledger) -> None:
    """A version that appeared later than anybody would wait for is this run's; while there is none, nothing changes."""
    given_up = dataclasses.replace(SENT, state=RunState.REFUSED, message=NEVER_ARRIVED, ended_at="2026")
    ledger.add(given_up)
    assert settle(Shelf(), ledger, given_up) == ledger.get("lost") == given_up
    found = settle(Shelf([_source("lost")]), ledger, given_up)
    assert (found.state, found.version, found.message, found.ended_at) == (RunState.QUEUED, 1, "", None)


def test_what_a_lost_answer_would_have_said_is_not_made_up(ledger: Ledger) -> None:
    """Only the answer says which sources were refused: an adopted run with sources says that this is not known."""
    run = dataclasses.replace(LOST, metadata={"dataset_sources": ["ada/x"], "model_sources": ["a/b/c/d"]})
    ledger.add(run)
    found = settle(Shelf([_source("lost")]), ledger, run)
    assert found.message == "its answer was lost: whether it has ada/x, a/b/c/d is not known"


@dataclass
class FakeClock:
    """A time that passes only by waiting; something may happen at a moment."""

    seconds: float = SENT_SECONDS
    waits: list[float] = field(default_factory=list)
    event: tuple[float, Callable[[], None]] = (math.inf, lambda: None)

    def time(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.seconds += seconds
        if self.seconds - SENT_SECONDS >= self.event[0]:
            self.event[1]()


def test_a_push_that_arrives_late_is_waited_for(ledger: Ledger) -> None:
    """Asked for soon at first and then more patiently, adopted as soon as it is there."""
    ledger.add(SENT)
    shelf, clock = Shelf(), FakeClock()
    clock.event = (20.0, lambda: shelf.sources.append(_source("lost")))
    assert wait_for_arrival(shelf, ledger, SENT, clock=Clock(seconds=clock.time, sleep=clock.sleep)).version == 1
    assert clock.waits == [1.0, 2.0, 4.0, 8.0, 15.0]


def test_a_push_that_does_not_arrive_is_waited_for_no_longer_than_it_may(ledger: Ledger) -> None:
    """The last question comes after the time in which it could have arrived."""
    ledger.add(SENT)
    clock = FakeClock()
    run = wait_for_arrival(Shelf(), ledger, SENT, clock=Clock(seconds=clock.time, sleep=clock.sleep))
    assert (run.state, run.message) == (RunState.REFUSED, NEVER_ARRIVED)
    assert ARRIVAL_SECONDS < sum(clock.waits) < ARRIVAL_SECONDS + 16


def test_a_silent_target_is_not_asked_for_ever(ledger: Ledger) -> None:
    """One question without an answer is repeated, two in a row end the waiting; the run stays open."""
    ledger.add(SENT)
    shelf, clock = Shelf(reachable=False), FakeClock()
    with pytest.raises(NoAnswer):
        wait_for_arrival(shelf, ledger, SENT, clock=Clock(seconds=clock.time, sleep=clock.sleep))
    assert clock.waits == [1.0]
    assert ledger.get("lost") == SENT
    clock.event = (0.0, lambda: setattr(shelf, "reachable", True))
    assert (
        wait_for_arrival(shelf, ledger, SENT, clock=Clock(seconds=clock.time, sleep=clock.sleep)).state
        is RunState.REFUSED
    )


def test_what_is_known_is_not_settled_again(ledger: Ledger) -> None:
    """Only a run whose outcome is open is asked about."""
    ledger.add(EARLIER)
    shelf = Shelf([_source("earlier")])
    assert settle(shelf, ledger, EARLIER) == EARLIER
    assert shelf.asked == []


def test_an_unreachable_target_settles_nothing(ledger: Ledger) -> None:
    """No answer is no reason to call a run refused."""
    ledger.add(LOST)
    with pytest.raises(NoAnswer):
        settle(Shelf(reachable=False), ledger, LOST)
    assert ledger.get("lost") == LOST


def test_a_push_that_is_under_way_is_left_alone(tiny: Project, ledger: Ledger) -> None:
    """While another process holds the kernel's lock, its run is not settled; afterwards it is."""
    ledger.add(LOST)
    shelf, taken, done = Shelf([_source("lost")]), threading.Event(), threading.Event()

    def push() -> None:
        with held(tiny.push_lock("local", "smoke"), wait=True):
            taken.set()
            done.wait(10)

    pusher = threading.Thread(target=push)
    pusher.start()
    taken.wait(10)
    try:
        assert refresh_run(Workspace(tiny, ledger, shelf), LOST) == LOST
        assert shelf.asked == []
    finally:
        done.set()
        pusher.join()
    assert refresh_run(Workspace(tiny, ledger, shelf), LOST).version == 1


RUNNING = dataclasses.replace(BARE, id="run", state=RunState.QUEUED, version=4)
SECOND, NINTH = (Event.parse({"event": "epoch", "epoch": epoch}) for epoch in (2, 9))
END = Event.parse({"event": "end"})
EPOCHS = _records(
    'COORD {"event": "epoch", "epoch": 1}',
    "hello",
    'COORD {"event": "epoch", "epoch": 2}',
    'COORD {"event": "message"}',
)


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
    """Time, message and the last event of the whole log; afterwards nobody is asked any more."""
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
    """What comes of one that was asked for in case it had begun is not looked at, and an event that was known stays."""
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
    assert last_event(_records("COORD {", 'COORD {"event": "start"}', "COORD 5")) is None
    end = last_event([*EPOCHS, *_records('COORD {"event": "end", "status": "complete"}', "bye")])
    assert end == Event.parse({"event": "end", "status": "complete"})
