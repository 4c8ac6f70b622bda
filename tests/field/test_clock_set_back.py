"""A clock that is set back or forward: no push waits for it, none is repeated because of it, and the order stays.

Seen: found by trying it on coord: an intent dated in the future blocked every push of its experiment, without a word.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from coordinator.clock import Clock
from coordinator.ledger import submissions
from coordinator.ledger.arrival import ARRIVAL_SECONDS, Unanswered
from coordinator.ledger.ledger import Ledger, Run, now
from coordinator.ledger.sweeps import Member, Sweep, add as add_sweep, all_sweeps, run_of
from coordinator.ledger.work import work_of
from coordinator.maintenance.ledger.of_runs import check
from coordinator.project.project import Project
from coordinator.runs.arrival import settle
from coordinator.runs.push_several import push_several
from coordinator.runs.refresh import refresh_run
from coordinator.submissions.scores import refresh
from coordinator.target.competitions import SubmissionState
from coordinator.target.protocol import RunState, SessionState
from coordinator.workspace import Workspace
from tests.coordinator.sample_runs import BARE, COMPLETE
from tests.coordinator.scripted import Time
from tests.coordinator.targets import MemoryCompetitions, MemoryTarget, records_of
from tests.field.submitting import fetched_run, submitted

AHEAD = [timedelta(minutes=2), timedelta(hours=1), timedelta(days=400)]


def at(span: timedelta) -> str:
    return (datetime.now(UTC) + span).isoformat(timespec="seconds")


def here(project: Project, ledger: Ledger, target: MemoryTarget, time: Time, said: list[str]) -> Workspace:
    return Workspace(project, ledger, target, Clock(time.clock, sleep=time.sleep), said.append)


@pytest.fixture
def time() -> Time:
    return Time(datetime.now(UTC).timestamp())


@pytest.mark.parametrize("ahead", AHEAD)
@pytest.mark.parametrize("has_sent_at", [True, False])
def test_a_push_without_an_answer(
    tiny: Project, ledger: Ledger, time: Time, ahead: timedelta, has_sent_at: bool
) -> None:
    """It is told, and given up as long after that as any other."""
    said: list[str] = []
    ledger.add(dataclasses.replace(BARE, created_at=at(ahead), sent_at=at(ahead) if has_sent_at else None))
    workspace = here(tiny, ledger, MemoryTarget(), time, said)
    assert settle(workspace, ledger.get("r1")).state is RunState.PUSHING
    assert "the clock was set back" in said[0]
    time.now += ARRIVAL_SECONDS + 1
    assert settle(workspace, ledger.get("r1")).never_arrived
    assert len(said) == 1


@pytest.mark.parametrize("ahead", AHEAD)
def test_the_next_push(tiny: Project, ledger: Ledger, time: Time, ahead: timedelta) -> None:
    """It waits a minute for the one before, goes on, and is the newest run of its experiment."""
    said: list[str] = []
    future = dataclasses.replace(BARE, experiment="base", slug="tiny-base", created_at=at(ahead), sent_at=at(ahead))
    ledger.add(future)
    workspace = here(tiny, ledger, MemoryTarget(slots=1), time, said)
    (result,) = push_several(workspace, ["base"], [], force=False, wait_for_slot=False)
    assert result.run is not None
    assert sum(time.waits) < 2 * ARRIVAL_SECONDS
    assert ledger.runs()[0].id == ledger.find("base").id == result.run.id
    assert any("was it set back? coord ledger check --repair" in text for text in said)


def test_a_small_difference_is_no_news(tiny: Project, ledger: Ledger, time: Time) -> None:
    """Clocks are corrected by seconds all the time."""
    said: list[str] = []
    ledger.add(dataclasses.replace(COMPLETE, id="before", created_at=at(timedelta(seconds=20))))
    push_several(here(tiny, ledger, MemoryTarget(slots=1), time, said), ["base"], [], force=True, wait_for_slot=False)
    assert not any("clock" in text for text in said)


@pytest.mark.parametrize("ahead", AHEAD)
def test_a_submission_without_an_answer(tiny: Project, ledger: Ledger, time: Time, ahead: timedelta) -> None:
    """As a push: it does not refuse the same file until its time has come."""
    said: list[str] = []
    run = fetched_run(tiny, ledger, metadata={"competition_sources": ["parity"]})
    contest = MemoryCompetitions()
    submitted(tiny, ledger, run, contest)
    (sent,) = submissions.all_submissions(ledger)
    submissions.update(ledger, sent, state=SubmissionState.SENDING, ref=None, created_at=at(ahead))
    contest.sent.clear()
    workspace = here(tiny, ledger, MemoryTarget(contest=contest), time, said)
    assert [each.state for each in refresh(workspace, "parity")] == [SubmissionState.SENDING]
    assert "the clock was set back" in said[0]
    time.now += ARRIVAL_SECONDS + 200
    assert [each.never_arrived for each in refresh(workspace, "parity")] == [True]


@pytest.mark.parametrize(
    ("step", "asked_at_most"),
    [
        (lambda time: -3600.0, 10),
        (lambda time: 3600.0, 10),
        (lambda time: -86400.0 if len(time.waits) % 2 else 86400.0, 10),
    ],
)
def test_a_clock_that_is_set_while_a_push_is_waited_for(
    time: Time, step: Callable[[Time], float], asked_at_most: int
) -> None:
    """The wait is neither longer nor shorter: after a shorter one, what arrives late would be a second session."""
    asked = 0

    def find() -> str | None:
        nonlocal asked
        asked += 1
        return None

    def sleep(seconds: float) -> None:
        time.sleep(seconds)
        time.now += step(time)

    found = Unanswered(time.now, find, lambda: "given up").wait(Clock(time.clock, sleep=sleep))
    assert found == "given up"
    assert ARRIVAL_SECONDS < sum(time.waits) < 2 * ARRIVAL_SECONDS
    assert asked < asked_at_most


@pytest.mark.parametrize("ahead", AHEAD)
def test_the_order_of_new_entries(ledger: Ledger, ahead: timedelta) -> None:
    """A new run comes after those of the future, and a repeated sweep knows the runs that were pushed for it."""
    begun = Sweep("lr", "base", "local", is_repeat=True, created_at=at(ahead), members=())
    run = dataclasses.replace(COMPLETE, created_at=at(timedelta(hours=-1)), files={"a.py": "0"})
    member = Member("base", "base", (), "", work_of(run) or "")
    sweep = dataclasses.replace(begun, members=(member,))
    add_sweep(ledger, sweep)
    ledger.add(run)
    assert run_of(ledger, sweep, member) is None  # from before the sweep
    ledger.add(dataclasses.replace(run, id="after", created_at=ledger.moment()))
    found = run_of(ledger, sweep, member)
    assert found is not None
    assert found.id == ledger.runs()[0].id == "after"


@pytest.mark.parametrize("damaged", ["", "tomorrow", b"\xff"])
def test_a_time_that_does_not_read(ledger: Ledger, damaged: str | bytes) -> None:
    """It is not taken for the newest."""
    ledger.add(BARE)
    with ledger.transaction() as connection:
        connection.execute("UPDATE runs SET created_at = ?", (damaged,))
    assert ledger.moment() <= now()


def test_a_session_does_not_start_in_the_future(tiny: Project, ledger: Ledger, time: Time) -> None:
    """Its push is dated so; it would be stuck only long after its limit."""
    running: Run = dataclasses.replace(COMPLETE, state=RunState.RUNNING, pushed_at=at(AHEAD[2]), ended_at=None)
    ledger.add(running)
    target = MemoryTarget(session=SessionState(RunState.RUNNING), records=records_of("hello"))
    run = refresh_run(here(tiny, ledger, target, time, []), running)
    assert run.started_at is not None
    assert run.started_at <= now()


def test_entries_of_the_future_are_dated_now(tiny: Project, ledger: Ledger) -> None:
    """`ledger check` finds them, and its repair keeps their order, that of a repeated sweep included."""
    future = at(AHEAD[2])
    run = dataclasses.replace(COMPLETE, created_at=future, sent_at=future, files={"a.py": "0"})
    member = Member("base", "base", (), "", work_of(run) or "")
    sweep = Sweep("lr", "base", "local", is_repeat=True, created_at=future, members=(member,))
    add_sweep(ledger, sweep)
    for name in ("first", "second"):
        ledger.add(dataclasses.replace(run, id=name))
    (problem,) = check(Workspace(tiny, ledger))
    assert problem.what.startswith("the ledger has entries of the future (runs: 2, sweeps: 1)")
    assert problem.repair is not None
    problem.repair()
    assert list(check(Workspace(tiny, ledger))) == []
    assert [run.id for run in ledger.runs()] == ["second", "first"]
    assert ledger.get("first").sent_at is not None
    assert max(ledger.get("first").sent_at or "", ledger.moment()) <= now()
    (repaired,) = all_sweeps(ledger)
    assert run_of(ledger, repaired, member) == ledger.get("second")
