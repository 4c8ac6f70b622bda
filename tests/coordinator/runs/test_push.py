"""A push without an answer: it asks the target, adopts the version, sends again, or reports that it is unknown."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest

from coordinator.bundle.bootstrap import stamp_of
from coordinator.clock import Clock
from coordinator.errors import Later, MetadataError, NoAnswer, NoSlot, NotSent, TargetError
from coordinator.files import held
from coordinator.kaggle_rules import SOURCE_MAX
from coordinator.kernel.build import Build, build_kernel
from coordinator.kernel.metadata import KernelMetadata
from coordinator.ledger.arrival import ARRIVAL_SECONDS, NEVER_ARRIVED
from coordinator.ledger.ledger import Ledger, Run
from coordinator.project.experiment import resolve
from coordinator.project.project import Project
from coordinator.runs.arrival import settle
from coordinator.runs.push import push_kernel
from coordinator.target.protocol import Pushed, RunState, SessionState
from coordinator.workspace import Workspace
from tests.coordinator.targets import RUNNING_SESSION, MemoryTarget


def _target(*plan: tuple[bool, BaseException]) -> MemoryTarget:
    """A target with room for many sessions; the plan says how its next pushes fail."""
    return MemoryTarget(slots=99, session=RUNNING_SESSION, push_plan={"tiny-base": list(plan)})


def _pushes(target: MemoryTarget) -> int:
    return target.asked.count("push tiny-base")


@dataclass
class Pusher:
    """Pushes the experiment `base`, with a clock that advances only by waiting."""

    project: Project
    ledger: Ledger
    built: Build
    said: list[str] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)
    event: Callable[[float], object] = lambda seconds: None
    """Called after each wait with the seconds that have passed in all."""
    begun: float = field(default_factory=time.time)

    def __call__(self, target: MemoryTarget, *, force: bool = False, wait_for_slot: bool = False) -> Run:
        return push_kernel(self.at(target), self.built, force=force, wait_for_slot=wait_for_slot)

    def at(self, target: MemoryTarget) -> Workspace:
        clock = Clock(seconds=lambda: self.begun + sum(self.waits), sleep=self.sleep)
        return Workspace(self.project, self.ledger, target, clock=clock, say=self.said.append)

    def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.event(sum(self.waits))


@pytest.fixture
def pusher(tiny: Project) -> Iterator[Pusher]:
    with Ledger(tiny.ledger) as ledger:
        yield Pusher(tiny, ledger, build_kernel(tiny, resolve(tiny, "base", [])))


LOST = NoAnswer("no answer in time")


def test_a_version_whose_answer_was_lost_is_adopted(pusher: Pusher) -> None:
    """The run continues at once, as with an answer: nothing is sent twice, and there is no wait."""
    target = _target((True, LOST))
    run = pusher(target)
    assert (run.state, run.version, run.url) == (RunState.QUEUED, 1, "")
    assert (_pushes(target), pusher.waits) == (1, [])
    assert pusher.said[-2:] == ["no answer in time; asking local whether the push arrived", "it did: base local-v1"]


def test_a_push_that_never_arrived_is_sent_again_as_the_same_run(pusher: Pusher) -> None:
    """But not before it is certain that the first push cannot arrive any more."""
    target = _target((False, LOST))
    run = pusher(target)
    assert (run.state, run.version, run.message) == (RunState.QUEUED, 1, "")
    assert _pushes(target) == 2
    assert sum(pusher.waits) >= ARRIVAL_SECONDS
    assert [stamp_of(source)["run"] for source in target.sources["tiny-base"]] == [run.id]
    assert pusher.ledger.runs() == [run]


def test_a_push_is_not_sent_again_for_ever(pusher: Pusher) -> None:
    """After three tries it is an error, and the ledger records that nothing arrived."""
    target = _target(*[(False, LOST)] * 5)
    with pytest.raises(TargetError, match="was sent 3 times and never arrived on local"):
        pusher(target)
    assert _pushes(target) == 3
    (run,) = pusher.ledger.runs()
    assert (run.state, run.message, run.never_arrived) == (RunState.REFUSED, NEVER_ARRIVED, True)


def test_a_target_that_answers_nothing_leaves_the_run_open(pusher: Pusher) -> None:
    """Nothing is sent again; the next push asks first, finds the version, and starts no second session."""
    target = _target((True, LOST))
    target.reachable = False
    with pytest.raises(NoAnswer, match="it is not known whether the push took effect") as caught:
        pusher(target)
    assert caught.value.hint == "Run coord status: it asks what arrived. Nothing is pushed twice."
    assert pusher.ledger.runs()[0].state is RunState.PUSHING
    target.reachable = True
    with pytest.raises(TargetError, match="base local-v1 is running"):
        pusher(target)
    assert _pushes(target) == 1


def test_a_request_that_was_not_sent_is_not_waited_for(pusher: Pusher) -> None:
    """Without a connection nothing can arrive: the error comes at once."""
    target = _target((False, NotSent("no connection")))
    with pytest.raises(NotSent):
        pusher(target)
    assert (_pushes(target), pusher.waits) == (1, [])
    assert pusher.ledger.runs()[0].state is RunState.REFUSED


def test_what_a_second_try_is_told_counts(pusher: Pusher) -> None:
    """If the second try is refused after a lost answer, the run is refused."""
    target = _target((False, LOST), (False, Later("the quota is spent")))
    with pytest.raises(Later):
        pusher(target)
    (run,) = pusher.ledger.runs()
    assert (run.state, run.message) == (RunState.REFUSED, "the quota is spent")


def test_a_push_that_was_killed_is_waited_for_by_the_next_one(pusher: Pusher) -> None:
    """The target may still process it: the next push asks until the version exists, and starts no second session."""
    target = _target((True, KeyboardInterrupt()))  # as sudden as a kill
    with pytest.raises(KeyboardInterrupt):
        pusher(target)
    late = target.sources["tiny-base"].pop()

    def arrive(seconds: float) -> None:
        target.sources["tiny-base"] = [late] if seconds > 5 else []

    pusher.event = arrive
    with pytest.raises(TargetError, match="base local-v1 is running"):
        pusher(target)
    assert "the last push of base has no answer: checking whether it arrives" in pusher.said
    assert _pushes(target) == 1


def test_a_second_session_that_was_asked_for_does_not_wait(pusher: Pusher) -> None:
    """--force pushes while another push is still open, and each version is assigned to its own run."""
    target = _target((True, KeyboardInterrupt()))  # as sudden as a kill
    with pytest.raises(KeyboardInterrupt):
        pusher(target)
    late = target.sources["tiny-base"].pop()
    assert pusher(target, force=True).version == 1
    assert pusher.waits == []
    target.sources["tiny-base"].append(late)
    settle(pusher.at(target), pusher.ledger.runs()[1])
    assert [(run.version, run.state) for run in pusher.ledger.runs()] == [(1, "queued"), (2, "queued")]


def test_a_version_that_appears_after_it_was_given_up_is_found_by_the_next_push(pusher: Pusher) -> None:
    """However late it appeared, its session counts: another push would start a second one."""
    target = _target(*[(False, LOST)] * 3)
    with pytest.raises(TargetError, match="never arrived"):
        pusher(target)
    (run,) = pusher.ledger.runs()
    target.sources["tiny-base"] = [f"# coord: run={run.id} digest=-\n"]
    with pytest.raises(TargetError, match="base local-v1 is running"):
        pusher(target)
    assert _pushes(target) == 3


def test_an_earlier_try_that_arrives_after_all_is_told(pusher: Pusher) -> None:
    """It appears after the waiting time, beside the second try: a warning reports the extra session."""

    class Late(MemoryTarget):
        def push(self, metadata: KernelMetadata, source: str, *, timeout_seconds: int | None) -> Pushed:
            if _pushes(self):
                self.sources["tiny-base"] = [source]  # of the first try
            return super().push(metadata, source, timeout_seconds=timeout_seconds)

    assert pusher(Late(slots=9, push_plan={"tiny-base": [(False, LOST)]})).version == 2
    assert pusher.said[-1] == ("warning: an earlier try arrived after all, as version 1: two sessions do the same")


FULL_UP = NoSlot("Maximum batch GPU session count of 2 reached")


def test_a_push_waits_for_a_slot_if_it_is_told_to(pusher: Pusher) -> None:
    """It asks for the states of the known runs, and pushes the same run again when one of them has ended."""
    target = _target()
    other = dataclasses.replace(pusher(target), id="other", experiment="slow", created_at="2026-11-01T00:00:00+00:00")
    pusher.ledger.update(pusher.ledger.runs()[0].id, state=RunState.COMPLETE)
    pusher.ledger.add(other)
    target.push_plan["tiny-base"] = [(False, FULL_UP)]

    def end(seconds: float) -> None:
        if seconds > 2:
            target.running.clear()
            target.session = SessionState(RunState.COMPLETE)

    pusher.event = end
    run = pusher(target, wait_for_slot=True)
    assert (run.state, run.version, run.message) == (RunState.QUEUED, 2, "")
    assert pusher.waits == [1.0] * 3  # of the local Kaggle; of Kaggle itself half a minute
    assert len(pusher.ledger.runs()) == 3


def test_sessions_that_coord_does_not_know_end_too(pusher: Pusher) -> None:
    """Without a known run to ask for, it tries every five minutes."""
    target = _target(*[(False, FULL_UP)] * 2)
    assert pusher(target, wait_for_slot=True).version == 1
    assert (_pushes(target), sum(pusher.waits)) == (3, 600.0)


def test_ctrl_c_while_it_waits_leaves_nothing_half(pusher: Pusher) -> None:
    """Nothing was pushed, and the ledger has the reason."""

    def interrupt(seconds: float) -> None:
        raise KeyboardInterrupt

    target, pusher.event = _target((False, FULL_UP)), interrupt
    with pytest.raises(KeyboardInterrupt):
        pusher(target, wait_for_slot=True)
    (run,) = pusher.ledger.runs()
    assert (run.state, run.message, target.sources) == (RunState.REFUSED, FULL_UP.what, {})


def test_ctrl_c_while_it_is_sent_says_what_is_open(pusher: Pusher) -> None:
    """It may have arrived: the run stays open, and `coord status` asks."""
    with pytest.raises(KeyboardInterrupt, match=r"was pushed; whether it has arrived: coord status"):
        pusher(_target((True, KeyboardInterrupt())))
    assert [run.state for run in pusher.ledger.runs()] == [RunState.PUSHING]


def test_the_session_limit_is_later_if_nobody_waits(pusher: Pusher) -> None:
    """Exit code 75."""
    with pytest.raises(NoSlot) as caught:
        pusher(_target((False, FULL_UP)))
    assert caught.value.exit_code == 75
    assert pusher.waits == []


@dataclass
class Watched(MemoryTarget):
    """Calls `event` while a push is under way."""

    event: Callable[[], object] = lambda: None

    def push(self, metadata: KernelMetadata, source: str, *, timeout_seconds: int | None) -> Pushed:
        self.event()
        return super().push(metadata, source, timeout_seconds=timeout_seconds)


def test_one_process_at_a_time_pushes_to_a_kernel(pusher: Pusher) -> None:
    """Two that look at the same time would find no session, and both start one."""
    free: list[bool] = []

    def look() -> None:
        with held(pusher.project.push_lock("local", "tiny-base"), wait=False) as ours:
            free.append(ours)

    look()
    pusher(Watched(slots=9, session=RUNNING_SESSION, event=look))
    assert free == [True, False]


def test_a_lost_push_may_arrive_for_a_time_from_when_its_answer_was_lost(pusher: Pusher) -> None:
    """Not from when it was sent: until its time-out, a request may take longer than that."""

    def takes_an_hour() -> None:
        (run,) = pusher.ledger.runs()
        pusher.ledger.update(run.id, sent_at="2026-11-01T00:00:00+00:00")

    plan: dict[str, list[tuple[bool, BaseException]]] = {"tiny-base": [(False, LOST)]}
    pusher(Watched(slots=9, session=RUNNING_SESSION, push_plan=plan, event=takes_an_hour))
    assert sum(pusher.waits) >= ARRIVAL_SECONDS


def test_a_source_that_was_not_accepted_is_an_error(pusher: Pusher) -> None:
    """The session has started without it: the run says so, and is not taken for one that has read it."""

    class Strict(MemoryTarget):
        def push(self, metadata: KernelMetadata, source: str, *, timeout_seconds: int | None) -> Pushed:
            pushed = super().push(metadata, source, timeout_seconds=timeout_seconds)
            return dataclasses.replace(pushed, refused_sources=("ada/gone",))

    with pytest.raises(TargetError, match="base local-v1 has started without ada/gone, which local did not accept"):
        pusher(Strict(slots=9, session=RUNNING_SESSION))
    (run,) = pusher.ledger.runs()
    assert (run.state, run.lacks, run.is_whole) == (RunState.QUEUED, ("ada/gone",), False)


def test_a_push_that_is_sent_again_is_dated_again(pusher: Pusher) -> None:
    """If this process is killed now, the next one waits for it from here on."""
    long_ago = "2026-11-01T00:00:00+00:00"
    dates: list[str | None] = []

    def look() -> None:
        (run,) = pusher.ledger.runs()
        dates.append(run.sent_at)

    def waited(_: float) -> None:
        (run,) = pusher.ledger.runs()
        pusher.ledger.update(run.id, sent_at=long_ago)

    pusher.event = waited
    pusher(Watched(slots=9, session=RUNNING_SESSION, push_plan={"tiny-base": [(False, LOST)]}, event=look))
    assert len(dates) == 2
    assert long_ago not in dates


def test_a_source_that_its_stamp_makes_too_large_is_not_sent(pusher: Pusher) -> None:
    """Kaggle would cut it off. The ledger has no run that was never sent."""
    script = pusher.built.script
    filled = script.text + "#" * (SOURCE_MAX - len(script.text.encode()) - 1) + "\n"
    pusher.built = dataclasses.replace(pusher.built, script=dataclasses.replace(script, text=filled))
    target = _target()
    with pytest.raises(MetadataError, match="bytes"):
        pusher(target)
    assert (_pushes(target), pusher.ledger.runs()) == (0, [])
