"""A push whose answer was lost: it is found by its stamp, waited for while it may arrive, or given up."""

from __future__ import annotations

import dataclasses
import math
import threading
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from coordinator.bundle import in_notebook
from coordinator.bundle.notebook import notebook_of
from coordinator.clock import SYSTEM_CLOCK, Clock
from coordinator.errors import NoAnswer
from coordinator.files import held
from coordinator.ledger.arrival import ARRIVAL_SECONDS, NEVER_ARRIVED
from coordinator.ledger.ledger import Ledger
from coordinator.project.project import Project
from coordinator.runs.arrival import NOT_YET, settle, wait_for_arrival
from coordinator.runs.refresh import refresh_run
from coordinator.target.protocol import RunState
from coordinator.workspace import Workspace
from tests.coordinator.sample_runs import BARE
from tests.coordinator.scripted import Time
from tests.coordinator.targets import RUNNING_SESSION, MemoryTarget, source_of

LOST = dataclasses.replace(BARE, id="lost", created_at="2026-11-01T00:00:09+00:00", message="no answer in time")
EARLIER = dataclasses.replace(BARE, id="earlier", state=RunState.COMPLETE, version=2)
SENT = dataclasses.replace(LOST, sent_at="2026-11-01T01:00:00+00:00")
SENT_SECONDS = datetime(2026, 11, 1, 1, tzinfo=UTC).timestamp()


@dataclasses.dataclass
class Waits(Time):
    """A clock that advances only by waiting; an event can be planned for a moment."""

    now: float = SENT_SECONDS
    event: tuple[float, Callable[[], None]] = (math.inf, lambda: None)
    """(seconds after the push was sent, what happens then)"""

    def sleep(self, seconds: float) -> None:
        super().sleep(seconds)
        if self.now - SENT_SECONDS >= self.event[0]:
            self.event[1]()


@dataclasses.dataclass(frozen=True)
class At:
    """Makes the workspace of the test's project for a target and a clock."""

    project: Project
    ledger: Ledger

    def __call__(self, target: MemoryTarget, time: Time | None = None) -> Workspace:
        clock = Clock(seconds=time.clock, sleep=time.sleep) if time is not None else SYSTEM_CLOCK
        return Workspace(self.project, self.ledger, target, clock)


@pytest.fixture
def at(tiny: Project, ledger: Ledger) -> At:
    return At(tiny, ledger)


def test_a_lost_answer_is_settled_in_a_notebook_too(at: At, ledger: Ledger) -> None:
    """The stamp is in the notebook's first code cell."""
    ledger.add(LOST)
    script = f"{source_of('lost')}\n{in_notebook.RULER}coord's start\nprint()\n"
    notebook = notebook_of(script, title="t", experiment="e", about="", command="make it").for_kaggle()
    assert settle(at(MemoryTarget({"smoke": ["not one", notebook]})), LOST).version == 2


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
    at: At, ledger: Ledger, versions: list[str], version: int | None, asked: list[str]
) -> None:
    """The version whose source names the run is adopted; without one, nothing arrived. Each is asked for once."""
    ledger.add(EARLIER)
    ledger.add(LOST)
    target = MemoryTarget({"smoke": [source_of(run_id) for run_id in versions]})
    run = settle(at(target), LOST)
    assert target.asked == asked
    assert run == ledger.get("lost")
    assert run.version == version
    assert run.never_arrived == (version is None)
    if version is None:
        assert (run.state, run.message) == (RunState.REFUSED, "it never arrived")
        assert run.ended_at is not None
    else:
        assert (run.state, run.url) == (RunState.QUEUED, "")
        assert run.pushed_at is not None
    assert ledger.get("earlier") == EARLIER


@pytest.mark.parametrize(
    ("seconds", "state", "message"),
    [
        (-5.0, RunState.PUSHING, NOT_YET),
        (ARRIVAL_SECONDS, RunState.PUSHING, NOT_YET),
        (ARRIVAL_SECONDS + 1, RunState.REFUSED, NEVER_ARRIVED),
    ],
)
def test_a_push_is_given_up_only_when_it_cannot_arrive_any_more(
    at: At, ledger: Ledger, seconds: float, state: RunState, message: str
) -> None:
    """The target may still be processing the request of a process that was killed a moment ago."""
    ledger.add(SENT)
    run = settle(at(MemoryTarget(), Time(SENT_SECONDS + seconds)), SENT)
    assert (run.state, run.message) == (state, message)
    assert run.never_arrived == (state is RunState.REFUSED)
    assert run.may_arrive


def test_what_was_given_up_is_adopted_when_it_is_found_after_all(at: At, ledger: Ledger) -> None:
    """A version that appears after the waiting time belongs to this run; without one, nothing changes."""
    given_up = dataclasses.replace(SENT, state=RunState.REFUSED, never_arrived=True, ended_at="2026")
    ledger.add(given_up)
    assert settle(at(MemoryTarget()), given_up) == ledger.get("lost") == given_up
    found = settle(at(MemoryTarget({"smoke": [source_of("lost")]})), given_up)
    assert (found.state, found.version, found.message, found.ended_at) == (RunState.QUEUED, 1, "", None)
    assert not found.never_arrived


def test_what_a_lost_answer_would_have_said_is_not_made_up(at: At, ledger: Ledger) -> None:
    """Only the answer names the refused sources: an adopted run is recorded as lacking all of its sources."""
    run = dataclasses.replace(LOST, metadata={"dataset_sources": ["ada/x"], "model_sources": ["a/b/c/d"]})
    ledger.add(run)
    found = settle(at(MemoryTarget({"smoke": [source_of("lost")]})), run)
    assert found.message == "its answer was lost: whether it has ada/x, a/b/c/d is not known"
    assert found.lacks == ("ada/x", "a/b/c/d")
    assert not found.is_whole


def test_a_push_that_arrives_late_is_waited_for(at: At, ledger: Ledger) -> None:
    """The target is asked at growing intervals; the version is adopted as soon as it exists."""
    ledger.add(SENT)
    target, time = MemoryTarget(), Waits()
    time.event = (20.0, lambda: target.sources.update(smoke=[source_of("lost")]))
    assert wait_for_arrival(at(target, time), SENT).version == 1
    assert time.waits == [1.0, 2.0, 4.0, 8.0, 15.0]


def test_a_push_that_does_not_arrive_is_waited_for_no_longer_than_it_may(at: At, ledger: Ledger) -> None:
    """The last question is asked after the time in which the push could have arrived."""
    ledger.add(SENT)
    time = Waits()
    run = wait_for_arrival(at(MemoryTarget(), time), SENT)
    assert (run.state, run.message) == (RunState.REFUSED, NEVER_ARRIVED)
    assert ARRIVAL_SECONDS < sum(time.waits) < ARRIVAL_SECONDS + 16


def test_a_silent_target_is_not_asked_for_ever(at: At, ledger: Ledger) -> None:
    """One question without an answer is repeated; two in a row end the waiting, and the run stays open."""
    ledger.add(SENT)
    target, time = MemoryTarget(reachable=False), Waits()
    with pytest.raises(NoAnswer):
        wait_for_arrival(at(target, time), SENT)
    assert time.waits == [1.0]
    assert ledger.get("lost") == SENT
    time.event = (0.0, lambda: setattr(target, "reachable", True))
    assert wait_for_arrival(at(target, time), SENT).state is RunState.REFUSED


def test_what_is_known_is_not_settled_again(at: At, ledger: Ledger) -> None:
    """The target is asked only about a run whose outcome is unknown."""
    ledger.add(EARLIER)
    target = MemoryTarget({"smoke": [source_of("earlier")]})
    assert settle(at(target), EARLIER) == EARLIER
    assert target.asked == []


def test_an_unreachable_target_settles_nothing(at: At, ledger: Ledger) -> None:
    """Without an answer, a run is not recorded as refused."""
    ledger.add(LOST)
    with pytest.raises(NoAnswer):
        settle(at(MemoryTarget(reachable=False)), LOST)
    assert ledger.get("lost") == LOST


def test_a_push_that_is_under_way_is_left_alone(at: At, tiny: Project, ledger: Ledger) -> None:
    """While another process holds the kernel's lock, its run is not settled; afterwards it is."""
    ledger.add(LOST)
    target = MemoryTarget({"smoke": [source_of("lost")]}, session=RUNNING_SESSION)
    taken, done = threading.Event(), threading.Event()

    def push() -> None:
        with held(tiny.push_lock("local", "smoke"), wait=True):
            taken.set()
            done.wait(10)

    pusher = threading.Thread(target=push)
    pusher.start()
    taken.wait(10)
    try:
        assert refresh_run(at(target), LOST) == LOST
        assert target.asked == []
    finally:
        done.set()
        pusher.join()
    assert refresh_run(at(target), LOST).version == 1
