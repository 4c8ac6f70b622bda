"""What a push does when its answer does not come: it asks, adopts, sends again, or says that it does not know."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest

from coordinator.bundle.bootstrap import stamp_of
from coordinator.clock import Clock
from coordinator.errors import CoordError, Later, NoAnswer, NoSlot, NotSent, TargetError
from coordinator.kernel.build import Build, build_kernel
from coordinator.kernel.metadata import KernelMetadata
from coordinator.ledger.arrival import ARRIVAL_SECONDS, NEVER_ARRIVED
from coordinator.ledger.ledger import Ledger, Run
from coordinator.project.experiment import resolve
from coordinator.project.project import Project
from coordinator.runs.push import push_kernel
from coordinator.runs.refresh import settle
from coordinator.target.protocol import KernelRef, LogRecord, Pushed, RunState, SessionState
from coordinator.workspace import Workspace
from tests.coordinator.targets import Unasked


@dataclass
class Shelf(Unasked):
    """A target that holds the versions of one kernel, and whose answers fail as planned."""

    plan: list[tuple[bool, CoordError | None]] = field(default_factory=list)
    """Of each push: whether it takes effect, and the error that is its answer."""
    silent: bool = False
    """Whether it answers questions with nothing."""
    name: str = "local"
    owner: str = "ada"
    sources: list[str] = field(default_factory=list)
    pushes: int = 0
    state_now: RunState = RunState.RUNNING

    def push(self, metadata: KernelMetadata, source: str, *, timeout_seconds: int | None) -> Pushed:
        self.pushes += 1
        takes_effect, error = self.plan.pop(0) if self.plan else (True, None)
        if takes_effect:
            self.sources.append(source)
        if error is not None:
            raise error
        ref = KernelRef("ada", "tiny-base", len(self.sources))
        return Pushed(ref=ref, url="http://here/code", refused_sources=())

    def source(self, owner: str, slug: str, version: int | None = None) -> tuple[int, str] | None:
        if self.silent:
            raise NoAnswer("silence")
        assert (owner, slug) == ("ada", "tiny-base")
        return (len(self.sources), self.sources[(version or len(self.sources)) - 1]) if self.sources else None

    def url(self, owner: str, slug: str) -> str:
        return f"http://here/code/{owner}/{slug}"

    def state(self, ref: KernelRef) -> SessionState:
        return SessionState(self.state_now)

    def log(self, ref: KernelRef) -> list[LogRecord]:
        return []

    def follow(self, ref: KernelRef, *, idle_seconds: float) -> Iterator[LogRecord]:
        return iter(())


@dataclass
class Pusher:
    """Pushes the experiment `base` on a time that passes only by waiting."""

    project: Project
    ledger: Ledger
    built: Build
    said: list[str] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)
    event: Callable[[float], object] = lambda seconds: None
    """Called with the time that has passed, whenever some has."""
    begun: float = field(default_factory=time.time)

    def __call__(self, target: Shelf, *, force: bool = False, wait_for_slot: bool = False) -> Run:
        return push_kernel(
            Workspace(
                self.project,
                self.ledger,
                target,
                clock=Clock(seconds=lambda: self.begun + sum(self.waits), sleep=self.sleep),
                say=self.said.append,
            ),
            self.built,
            force=force,
            wait_for_slot=wait_for_slot,
        )

    def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.event(sum(self.waits))


@pytest.fixture
def pusher(tiny: Project) -> Iterator[Pusher]:
    with Ledger(tiny.ledger) as ledger:
        yield Pusher(tiny, ledger, build_kernel(tiny, resolve(tiny, "base", [])))


LOST = NoAnswer("no answer in time")


def test_a_version_whose_answer_was_lost_is_adopted(pusher: Pusher) -> None:
    """It goes on as if it had been answered, at once: nothing is sent twice, nothing is waited for."""
    shelf = Shelf([(True, LOST)])
    run = pusher(shelf)
    assert (run.state, run.version, run.url) == (RunState.QUEUED, 1, "http://here/code/ada/tiny-base")
    assert (shelf.pushes, pusher.waits) == (1, [])
    assert pusher.said[-2:] == ["no answer in time; asking local whether the push arrived", "it did: base local-v1"]


def test_a_push_that_never_arrived_is_sent_again_as_the_same_run(pusher: Pusher) -> None:
    """Not before it is certain that it can't arrive any more."""
    shelf = Shelf([(False, LOST)])
    run = pusher(shelf)
    assert (run.state, run.version, run.message) == (RunState.QUEUED, 1, "")
    assert shelf.pushes == 2
    assert sum(pusher.waits) >= ARRIVAL_SECONDS
    assert [stamp_of(source)["run"] for source in shelf.sources] == [run.id]
    assert pusher.ledger.runs() == [run]


def test_a_push_is_not_sent_again_for_ever(pusher: Pusher) -> None:
    """After three tries it is an error, and the ledger says that nothing arrived."""
    shelf = Shelf([(False, LOST)] * 5)
    with pytest.raises(TargetError, match="was sent 3 times and never arrived on local"):
        pusher(shelf)
    assert shelf.pushes == 3
    (run,) = pusher.ledger.runs()
    assert (run.state, run.message) == (RunState.REFUSED, NEVER_ARRIVED)


def test_a_target_that_answers_nothing_leaves_the_run_open(pusher: Pusher) -> None:
    """Nothing is sent again on a guess; the next push, with answers, finds out first and does not double it."""
    shelf = Shelf([(True, LOST)], silent=True)
    with pytest.raises(NoAnswer, match="it is not known whether the push took effect") as caught:
        pusher(shelf)
    assert caught.value.hint == "Run coord status: it asks what arrived. Nothing is pushed twice."
    assert pusher.ledger.runs()[0].state is RunState.PUSHING
    shelf.silent = False
    with pytest.raises(TargetError, match="base local-v1 is running"):
        pusher(shelf)
    assert shelf.pushes == 1


def test_a_request_that_was_not_sent_is_not_waited_for(pusher: Pusher) -> None:
    """Without a connection nothing can arrive: told at once."""
    shelf = Shelf([(False, NotSent("no connection"))])
    with pytest.raises(NotSent):
        pusher(shelf)
    assert (shelf.pushes, pusher.waits) == (1, [])
    assert pusher.ledger.runs()[0].state is RunState.REFUSED


def test_what_a_second_try_is_told_counts(pusher: Pusher) -> None:
    """A refusal after a lost answer is a refusal."""
    shelf = Shelf([(False, LOST), (False, Later("the quota is spent"))])
    with pytest.raises(Later):
        pusher(shelf)
    (run,) = pusher.ledger.runs()
    assert (run.state, run.message) == (RunState.REFUSED, "the quota is spent")


def test_a_push_that_was_killed_is_waited_for_by_the_next_one(pusher: Pusher) -> None:
    """The target may still be at work on it: the next push asks until it is there, and starts no second session."""
    shelf = Shelf([(True, KeyboardInterrupt)])  # type: ignore[list-item]  # as sudden as a kill
    with pytest.raises(KeyboardInterrupt):
        pusher(shelf)
    late = shelf.sources.pop()

    def arrive(seconds: float) -> None:
        shelf.sources = [late] if seconds > 5 else []

    pusher.event = arrive
    with pytest.raises(TargetError, match="base local-v1 is running"):
        pusher(shelf)
    assert "the last push of base left no answer: looking whether it arrives" in pusher.said
    assert shelf.pushes == 1


def test_a_second_session_that_was_asked_for_does_not_wait(pusher: Pusher) -> None:
    """--force pushes beside a push that is still open, and each version finds its own run."""
    shelf = Shelf([(True, KeyboardInterrupt)])  # type: ignore[list-item]  # as sudden as a kill
    with pytest.raises(KeyboardInterrupt):
        pusher(shelf)
    late = shelf.sources.pop()
    assert pusher(shelf, force=True).version == 1
    assert pusher.waits == []
    shelf.sources.append(late)
    settle(shelf, pusher.ledger, pusher.ledger.runs()[1])
    assert [(run.version, run.state) for run in pusher.ledger.runs()] == [(1, "queued"), (2, "queued")]


def test_a_version_that_appears_after_it_was_given_up_is_found_by_the_next_push(pusher: Pusher) -> None:
    """However late it came: it is a session, and a push beside it would be a second one."""
    shelf = Shelf([(False, LOST)] * 3)
    with pytest.raises(TargetError, match="never arrived"):
        pusher(shelf)
    (run,) = pusher.ledger.runs()
    shelf.sources.append(f"# coord: run={run.id} digest=-\n")
    with pytest.raises(TargetError, match="base local-v1 is running"):
        pusher(shelf)
    assert shelf.pushes == 3


def test_an_earlier_try_that_arrives_after_all_is_told(pusher: Pusher) -> None:
    """Later than it is waited for, beside the second try: a session too many is not hidden."""

    class Late(Shelf):
        def push(self, metadata: KernelMetadata, source: str, *, timeout_seconds: int | None) -> Pushed:
            if self.pushes:
                self.sources.append(source)  # the first try's
            return super().push(metadata, source, timeout_seconds=timeout_seconds)

    assert pusher(Late([(False, LOST)])).version == 2
    assert pusher.said[-1] == ("warning: an earlier try arrived after all, as version 1: two sessions do the same")


FULL_UP = NoSlot("Maximum batch GPU session count of 2 reached")


def test_a_push_waits_for_a_slot_if_it_is_told_to(pusher: Pusher) -> None:
    """It looks at the runs that it knows, and tries again when one has ended, as the same run."""
    shelf = Shelf()
    other = dataclasses.replace(pusher(shelf), id="other", experiment="slow", created_at="2026-11-01T00:00:00+00:00")
    pusher.ledger.update(pusher.ledger.runs()[0].id, state=RunState.COMPLETE)
    pusher.ledger.add(other)
    shelf.plan = [(False, FULL_UP)]

    def end(seconds: float) -> None:
        shelf.state_now = RunState.COMPLETE if seconds > 2 else RunState.RUNNING

    pusher.event = end
    run = pusher(shelf, wait_for_slot=True)
    assert (run.state, run.version, run.message) == (RunState.QUEUED, 2, "")
    assert pusher.waits == [1.0] * 3  # of the local Kaggle; of Kaggle itself half a minute
    assert len(pusher.ledger.runs()) == 3


def test_sessions_that_coord_does_not_know_end_too(pusher: Pusher) -> None:
    """Without a run to look at, it tries every few minutes."""
    shelf = Shelf([(False, FULL_UP)] * 2)
    assert pusher(shelf, wait_for_slot=True).version == 1
    assert (shelf.pushes, sum(pusher.waits)) == (3, 600.0)


def test_ctrl_c_while_it_waits_leaves_nothing_half(pusher: Pusher) -> None:
    """Nothing was pushed; the ledger says why."""

    def interrupt(seconds: float) -> None:
        raise KeyboardInterrupt

    shelf, pusher.event = Shelf([(False, FULL_UP)]), interrupt
    with pytest.raises(KeyboardInterrupt):
        pusher(shelf, wait_for_slot=True)
    (run,) = pusher.ledger.runs()
    assert (run.state, run.message, shelf.sources) == (RunState.REFUSED, FULL_UP.what, [])


def test_the_session_limit_is_later_if_nobody_waits(pusher: Pusher) -> None:
    """Exit code 75."""
    with pytest.raises(NoSlot) as caught:
        pusher(Shelf([(False, FULL_UP)]))
    assert caught.value.exit_code == 75
    assert pusher.waits == []
