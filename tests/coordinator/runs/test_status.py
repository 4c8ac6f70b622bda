"""The verb status: many runs asked about at once, failures of single runs, and the printed table."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from rich.console import Console

from coordinator.cli.tables.status import StatusTable, about
from coordinator.clock import Clock
from coordinator.errors import CredentialsError, NoAccess, NoAnswer, RunNotFound
from coordinator.ledger.ledger import Ledger, Run, now
from coordinator.project.project import Project
from coordinator.results.events import Event
from coordinator.runs.ask import _recorded
from coordinator.runs.entries import StatusLine
from coordinator.runs.refresh import Look
from coordinator.runs.status import OpenTargets, Status, current_status, open_targets, watch
from coordinator.target.abilities import ABILITIES, Abilities
from coordinator.target.protocol import Attempt, KernelRef, LogRecord, RunState, SessionState
from tests.coordinator.sample_runs import BARE
from tests.coordinator.targets import EPOCHS, RUNNING_SESSION, MemoryTarget


@dataclass
class Meeting(MemoryTarget):
    """A target whose sessions run; questions about their states wait for each other at the barrier."""

    session: SessionState | None = RUNNING_SESSION
    barrier: threading.Barrier | None = None

    def state(self, ref: KernelRef) -> SessionState:
        if self.barrier is not None:
            self.barrier.wait(10)
        return super().state(ref)


@dataclass
class Cluster(MemoryTarget):
    """A target of which one question gives the states of many runs."""

    @property
    def abilities(self) -> Abilities:
        return ABILITIES["slurm"]

    def states(self, refs: Sequence[KernelRef]) -> list[SessionState]:
        self.asked.append(f"states of {len(refs)}")
        found = [self.sessions[str(ref)] for ref in refs]
        if gone := next((each for each in found if isinstance(each, Exception)), None):
            raise gone
        return [each for each in found if isinstance(each, SessionState)]


def _targets(project: Project, target: MemoryTarget) -> OpenTargets:
    return OpenTargets(project, _open={"local": target})


def _add(ledger: Ledger, number: int) -> list[Run]:
    runs = [
        dataclasses.replace(BARE, id=f"r{each}", slug=f"k{each}", state=RunState.QUEUED, version=1, pushed_at=now())
        for each in range(number)
    ]
    for run in runs:
        ledger.add(run)
    return runs


def test_all_runs_are_asked_about_at_the_same_time(tiny: Project, ledger: Ledger) -> None:
    """No answer is given before the last question: the barrier would break if they were asked one after the other."""
    target = Meeting(barrier=threading.Barrier(50), records=EPOCHS)
    found = current_status(_targets(tiny, target), ledger, _add(ledger, 50))
    assert not found.failures
    assert {run.state for run in found.runs} == {RunState.RUNNING}
    assert all(run.last_event == Event.parse({"event": "epoch", "epoch": 2}) for run in found.runs)


def test_the_number_of_questions_at_a_time_is_bounded(tiny: Project, ledger: Ledger) -> None:
    """With two at a time there are never three open questions, and there are two: they meet at the barrier."""
    most = []

    class Counting(Meeting):
        def state(self, ref: KernelRef) -> SessionState:
            most.append(sum(thread.name.startswith("status") for thread in threading.enumerate()))
            return super().state(ref)

    target = Counting(barrier=threading.Barrier(2), session=SessionState(RunState.QUEUED))
    assert not current_status(_targets(tiny, target), ledger, _add(ledger, 6), at_once=2).failures
    assert max(most) == 2


def test_one_runs_failure_hides_no_other(tiny: Project, ledger: Ledger) -> None:
    """That run keeps its last known state, with the reason; the others are refreshed."""
    lost = NoAnswer("asking for the state of ada/k1 v1: no answer in time")
    target = Meeting(sessions={"ada/k1 v1": lost, "ada/k2 v1": SessionState(RunState.ERROR, "it broke")})
    found = current_status(_targets(tiny, target), ledger, _add(ledger, 3))
    assert [run.state for run in found.runs] == [RunState.RUNNING, RunState.QUEUED, RunState.ERROR]
    assert found.errors == (lost,)
    assert [run["error"] for run in found.to_json()] == [None, lost.what, None]


def test_a_target_that_cannot_be_opened_is_complained_about_once(
    tiny: Project, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without credentials its runs keep their states, and the local ones are refreshed."""
    runs = _add(ledger, 3)
    for run in runs[:2]:
        ledger.update(run.id, target="kaggle")
    found = current_status(_targets(tiny, Meeting()), ledger, ledger.runs())
    assert sorted(run.state for run in found.runs) == ["queued", "queued", "running"]
    (error,) = found.errors
    assert isinstance(error, CredentialsError)


def test_the_log_of_a_known_running_run_is_asked_for_without_waiting_for_its_state(
    tiny: Project, ledger: Ledger
) -> None:
    """The state is answered only after the log was asked for."""
    (run,) = _add(ledger, 1)
    run = ledger.update(run.id, state=RunState.RUNNING)

    class Crossing(Meeting):
        def follow(self, ref: KernelRef, *, idle_seconds: float) -> Iterator[LogRecord]:
            assert self.barrier is not None
            self.barrier.wait(10)
            yield from super().follow(ref, idle_seconds=idle_seconds)

    target = Crossing(barrier=threading.Barrier(2), records=EPOCHS)
    (run,) = current_status(_targets(tiny, target), ledger, [run]).runs
    assert run.last_event == Event.parse({"event": "epoch", "epoch": 2})


def test_what_comes_together_is_written_together(tiny: Project, ledger: Ledger) -> None:
    """Each transaction waits for the disk: 50 of them, one after the other, took two round trips."""
    seen = Look(SessionState(RunState.RUNNING, ""), EPOCHS)
    gone = dataclasses.replace(BARE, id="gone", state=RunState.QUEUED)
    answered = [(run, lambda: seen) for run in [*_add(ledger, 10), gone]]
    statements = list[str]()
    ledger._open.set_trace_callback(statements.append)
    assert {name: type(error) for name, error in _recorded(tiny, ledger, answered).items()} == {"gone": RunNotFound}
    assert statements.count("COMMIT") == 1
    assert [run.state for run in ledger.runs()] == [RunState.RUNNING] * 10


def test_a_log_that_cannot_be_read_hides_no_state(tiny: Project, ledger: Ledger) -> None:
    """The last known event stays."""
    (run,) = _add(ledger, 1)
    ledger.update(run.id, last_event=Event.parse({"event": "epoch", "epoch": 9}))
    (run,) = current_status(_targets(tiny, Meeting(failures={"follow": [NoAnswer("no log")]})), ledger, [run]).runs
    assert (run.state, run.last_event) == (RunState.RUNNING, Event.parse({"event": "epoch", "epoch": 9}))


def test_a_log_that_is_left_too_early_takes_nothing_back(tiny: Project, ledger: Ledger) -> None:
    """The live log begins anew each time: a known event must be reached again before a newer one counts."""
    (run,) = _add(ledger, 1)
    target = Meeting(records=EPOCHS)
    targets = _targets(tiny, target)

    def epoch() -> float | None:
        (found,) = current_status(targets, ledger, ledger.runs()).runs
        assert found.last_event is not None
        return found.last_event.epoch

    assert epoch() == 2
    target.records = EPOCHS[:1]
    assert epoch() == 2
    target.records = [*EPOCHS, LogRecord("stdout", 9.0, 'COORD {"event": "epoch", "epoch": 3}\n')]
    assert epoch() == 3
    target.session, target.records = SessionState(RunState.ERROR), EPOCHS[:1]
    assert epoch() == 1  # that is the whole log
    assert ledger.get(run.id).state is RunState.ERROR


def test_a_start_is_when_it_was_seen_or_what_the_log_says(tiny: Project, ledger: Ledger) -> None:
    """The log's times start with the session; a start is never before the push, and does not change later."""
    pushed = datetime.now(UTC) - timedelta(hours=3)
    (run,) = _add(ledger, 1)
    ledger.update(run.id, pushed_at=pushed.isoformat())
    target = Meeting(records=[LogRecord("stdout", 3600.0, "an hour\n")])
    targets = _targets(tiny, target)

    def started() -> datetime:
        (found,) = current_status(targets, ledger, ledger.runs()).runs
        assert found.started_at is not None
        return datetime.fromisoformat(found.started_at)

    first = started()
    assert abs(first - (datetime.now(UTC) - timedelta(hours=1))) < timedelta(minutes=1)
    target.records = [LogRecord("stdout", 10.0, "the log was cut\n")]
    assert started() == first
    target.records = [LogRecord("stdout", 1e6, "a clock that is wrong\n")]
    assert started() == pushed.replace(microsecond=0)


def test_what_another_process_has_learnt_is_not_undone(tiny: Project, ledger: Ledger) -> None:
    """The end was recorded while this process waited for an older answer."""
    (run,) = _add(ledger, 1)

    class Overtaken(Meeting):
        def state(self, ref: KernelRef) -> SessionState:
            with Ledger(ledger._file) as other:
                other.update("r0", state=RunState.COMPLETE)
            return RUNNING_SESSION

    assert current_status(_targets(tiny, Overtaken()), ledger, [run]).runs[0].state is RunState.COMPLETE


def test_watching_outlives_a_lost_connection(tiny: Project, ledger: Ledger) -> None:
    """It asks again, on a new connection, until all runs have ended; a permanent error is not waited for."""
    lost, gone = NoAnswer("no connection"), NoAccess("no such kernel")
    target = Meeting()
    answers: list[dict[str, SessionState | Exception]] = [
        {"ada/k0 v1": lost, "ada/k1 v1": gone},
        {"ada/k0 v1": RUNNING_SESSION, "ada/k1 v1": gone},
        {"ada/k0 v1": SessionState(RunState.COMPLETE), "ada/k1 v1": gone},
    ]
    targets, slept = _targets(tiny, target), list[float]()
    _add(ledger, 2)

    def look() -> Status:
        target.sessions = answers.pop(0)
        targets._open["local"] = target  # as after opening it anew
        return current_status(targets, ledger, ledger.runs())

    looks = list(watch(targets, look, Clock(sleep=slept.append)))
    states = [{run.slug: str(run.state) for run in found.runs} for found in looks]
    assert [each["k0"] for each in states] == ["queued", "running", "complete"]
    assert all(found.failures for found in looks)
    assert slept == [2.0, 2.0]
    assert answers == []


def test_a_target_stays_open_between_looks_that_go_well(tiny: Project) -> None:
    """Connections are used again; after a failure they are not."""
    with open_targets(tiny) as targets:
        first = targets.get("local")
        assert targets.get("local") is first
        targets.close()
        assert targets.get("local") is not first


def test_the_status_as_json_is_quick_to_start(tiny: Project) -> None:
    """Without active runs it imports no table, no template engine and no client, which take most of the time."""
    command = [sys.executable, "-X", "importtime", "-m", "coordinator", "status", "--json"]
    done = subprocess.run(command, cwd=tiny.root, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == []
    loaded = {line.rpartition("|")[2].strip().partition(".")[0] for line in done.stderr.splitlines()}
    assert "coordinator" in loaded
    assert not loaded & {"rich", "jinja2", "kagglesdk", "requests", "slugify"}


def _shown(runs: list[Run], *, has_messages: bool = False) -> str:
    console = Console(width=80, force_terminal=True, color_system=None)
    with console.capture() as capture:
        lines = [StatusLine((run,)) for run in runs]
        console.print(StatusTable(lines, Status(tuple(runs), {}), has_messages=has_messages))
    text = capture.get()
    assert all(len(line) <= 80 for line in text.splitlines()), text
    return text


LISTED = "InputMissing at inputs.py:46: ann/x is not attached, it holds\n  datasets/\n  b/\nThe script ended."


@pytest.mark.parametrize(
    ("message", "row", "whole"),
    [
        (LISTED, "InputMissing at inputs.py:46: ann/x is not attached,…", LISTED),
        (
            "ValueError: " + "no images " * 30,
            "ValueError: no images no images no images no images…",
            "ValueError: " + "no images " * 30,
        ),
        ("CUDA error\n----\n\x1b[31mred\n", "CUDA error; red", "CUDA error\n----\nred"),
        ("KeyError: 3", "KeyError: 3", ""),
        ("", "", ""),
    ],
)
def test_why_a_run_ended_is_shown_whole_if_it_is_named(message: str, row: str, whole: str) -> None:
    """In one line in the table; all of it below, if the table does not have it."""
    runs = [dataclasses.replace(BARE, experiment="base", version=1, state=RunState.ERROR, message=message)]
    shown = _shown(runs)
    assert [line.rstrip() for line in shown.splitlines()[2:]] == [line.rstrip() for line in shown.splitlines()[2:3]]
    assert shown.splitlines()[2].rstrip().endswith(row)
    table, _, below = _shown(runs, has_messages=True).partition("\n\n")
    assert table.rstrip() == shown.rstrip()
    assert " ".join(below.split()) == (f"base local-v1: {' '.join(whole.split())}" if whole else "")
    assert below.count("\n") >= whole.count("\n")


def test_a_stuck_run_is_shown_with_what_to_do() -> None:
    """STUCK instead of RUNNING, with the limit and the command, in 80 columns; others show how long they wait."""
    ago = {hours: (datetime.now(UTC) - timedelta(hours=hours)).isoformat() for hours in (2, 14, 15)}
    base = dataclasses.replace(BARE, experiment="lr001_step4_flipped", version=12, pushed_at=ago[15])
    stuck = dataclasses.replace(base, state=RunState.RUNNING, started_at=ago[14])
    waiting = dataclasses.replace(base, id="waiting", state=RunState.QUEUED, pushed_at=ago[2])
    text = _shown([stuck, waiting])
    assert "STUCK" in text
    assert "RUNNING" not in text
    words = " ".join(text.split())
    assert "12h" in words
    assert "coord cancel" in words
    assert [line.split()[-2:] for line in text.splitlines() if "QUEUED" in line] == [["waits", "2h"]]
    assert "STUCK" not in _shown([dataclasses.replace(stuck, started_at=ago[2])])


def _started(number: int) -> tuple[Attempt, ...]:
    """So many starts of a run; all but the last one have ended."""
    first = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=90)
    return tuple(Attempt(each + 1, first + timedelta(minutes=20 * each)) for each in range(number))


def test_a_cluster_is_asked_for_all_states_in_one_question(tiny: Project, ledger: Ledger) -> None:
    """What it cannot say together, because one run is gone, it is asked for run by run."""
    runs = _add(ledger, 3)
    target = Cluster(sessions={f"ada/k{number} v1": SessionState(RunState.QUEUED) for number in range(3)})
    current_status(_targets(tiny, target), ledger, runs)
    assert target.asked == ["states of 3"]
    target.sessions["ada/k1 v1"] = NoAccess("its folder is gone")
    status = current_status(_targets(tiny, target), ledger, runs)
    assert target.asked[1] == "states of 3"
    assert sorted(each for each in target.asked[2:] if each.startswith("state ")) == [
        f"state ada/k{number} v1" for number in range(3)
    ]
    assert list(status.failures) == ["r1"]


@pytest.mark.parametrize(
    ("starts", "state", "words"),
    [
        (0, RunState.QUEUED, "waits 2h"),
        (1, RunState.QUEUED, "was stopped, waits for its 2nd start"),
        (1, RunState.RUNNING, ""),
        (2, RunState.RUNNING, "2nd start"),
        (3, RunState.QUEUED, "was stopped, waits for its 4th start"),
        (3, RunState.COMPLETE, "3rd start"),
    ],
)
def test_a_run_that_was_started_again_says_so(
    tiny: Project, ledger: Ledger, starts: int, state: RunState, words: str
) -> None:
    """Its start is the first one, and a run that was stopped does not wait since its push."""
    (run,) = _add(ledger, 1)
    pushed = (datetime.now(UTC) - timedelta(hours=2)).isoformat()
    ledger.update(run.id, pushed_at=pushed)
    attempts = _started(starts)
    target = MemoryTarget(sessions={"ada/k0 v1": SessionState(state, attempts=attempts)})
    status = current_status(_targets(tiny, target), ledger, [ledger.get(run.id)])
    assert status.failures == {}
    (found,) = status.runs
    assert found.attempts == starts
    assert about(found, status) == words
    if starts:
        assert found.started_at == attempts[0].started.isoformat()
