"""Hidden runs: out of best, compare and report, and in everything that a session, a version or a cost depends on."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from typing import Any

import pytest

from coordinator.errors import RunNotFound
from coordinator.ledger import sweeps
from coordinator.ledger.ledger import Ledger, Run
from coordinator.ledger.listing import selection
from coordinator.ledger.run_name import parse_run_name
from coordinator.ledger.sweeps import Member, Sweep
from coordinator.ledger.work import at_work, done_before, work_of
from coordinator.project.project import Project, find_project
from coordinator.runs.cancel import where
from coordinator.runs.hide import hide_runs, show_runs
from coordinator.sweeps.progress import sweep_progress
from coordinator.target.protocol import RunState
from coordinator.workspace import Workspace
from tests.coordinator.command import Coord
from tests.coordinator.finished_runs import finished

GOOD, BAD = "base local-v1", "base local-v2"


@pytest.fixture
def two(coord: Coord) -> Coord:
    """A project with a run, and a better one of another config that is hidden."""
    project = find_project(coord.root)
    finished(project, "base", 1, [0.5, 0.6], fetched_at="2026-11-02T00:00:00+00:00")
    finished(project, "base", 2, [0.9875, 0.9875], sets=["optim.lr=0.5"])
    coord.here("hide", "base@v2")
    return coord


@pytest.mark.parametrize(
    ("command", "shows"),
    [
        (("best", "--json"), False),
        (("runs", "--json"), False),
        (("runs", "--hidden", "--json"), True),
        (("runs", "base@v2", "--json"), True),
        (("status", "--json"), False),
        (("status",), False),
        (("status", "--hidden", "--json"), True),
        (("status", "--hidden"), True),
        (("status", "base@v2"), True),
        (("status", "--watch", "--json"), False),
        (("report", "-o", "page.html"), False),
        (("ledger", "export", "--json"), True),
        (("compare", "base", "--json"), False),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_what_lists_a_hidden_run(two: Coord, command: tuple[str, ...], shows: bool) -> None:
    """Everything that compares leaves it out; what lists the ledger, or is told its version, has it."""
    done = two.here(*command)
    listed = done.stdout if command[0] != "report" else (two.root / "page.html").read_text(encoding="utf-8")
    assert ("0.9875" in listed) is shows
    assert (BAD in listed or '"version": 2' in listed) is shows


@pytest.mark.parametrize(
    ("command", "code", "told"),
    [
        (("compare", "base", "base@v2"), 1, "base local-v2 is hidden: it does not count\n"),
        (("hide", "base@v2"), 0, "base local-v2 was hidden already: "),
        (("rm", "base"), 0, "base local-v1 is hidden: best, compare and report leave it out."),
        (("rm", "base", "local-v1", "base@v2"), 0, "To undo: coord hide --undo base@local-v1\nbase local-v2 was"),
        (("hide", "base@v9"), 1, '"base" has no run of version 9'),
        (("hide", "base@recorded"), 1, "base@recorded is not a run"),
        (("hide", "other"), 1, 'no run of "other"'),
        (("hide", "--undo", "base@v1"), 0, "base local-v1 is not hidden\n"),
        (("hide", "--undo", "base"), 0, "base local-v2 counts again\n"),
        (("rm", "--undo", "other"), 1, "no run of other is hidden"),
        (("note", "base@v2", "the wrong folds"), 0, "the wrong folds"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_what_the_commands_say(two: Coord, command: tuple[str, ...], code: int, told: str) -> None:
    """What happened, and how it is undone; nothing is hidden if one of the names is none."""
    assert told in two.here(*command, code=code).output


def test_one_name_that_is_none_hides_nothing(two: Coord) -> None:
    """The runs are looked up first."""
    two.here("hide", "base@v1", "other", code=1)
    assert [each["version"] for each in json.loads(two.here("runs", "--json").stdout)] == [1]


def test_when_all_are_hidden(two: Coord) -> None:
    """Each command says so, and what to do, instead of that there is none."""
    two.here("hide", "base")
    assert (
        'all runs of "base" are hidden\nName its version, or: coord hide --undo base'
        in two.here("logs", "base", code=1).output
    )
    for command in (("status",), ("runs",)):
        assert "all runs are hidden: --hidden shows them" in two.here(*command).output
        assert "all runs of base are hidden" in two.here(*command, "base").output
    assert "base local-v2 is hidden" in two.here("compare", "base", code=1).output


def test_undone_it_is_as_before(two: Coord) -> None:
    """The last that was hidden comes back; its row and its record are as if nothing had happened."""
    project = find_project(two.root)
    file = project.results("base", "local", 2) / "run.json"
    assert json.loads(file.read_text())["hidden_at"] is not None
    before = json.loads(two.here("runs", "--hidden", "--json").stdout)
    two.here("hide", "--undo", "base")
    after = json.loads(two.here("runs", "--json").stdout)
    assert [{**each, "hidden_at": None} for each in before] == after
    assert json.loads(file.read_text())["hidden_at"] is None
    assert [each.name for each in file.parent.iterdir() if each.is_dir()] == []


def _run(project: Project, ledger: Ledger, **changes: Any) -> Run:
    return finished(project, "base", 1, [0.5], has_oof=False, **changes)


HIDDEN: dict[str, Any] = {"hidden_at": "2026-11-03T00:00:00+00:00"}


@pytest.mark.parametrize("state", [RunState.RUNNING, RunState.QUEUED, RunState.COMPLETE, RunState.ERROR])
def test_a_session_is_seen_until_it_ends(tiny: Project, ledger: Ledger, state: RunState) -> None:
    """A hidden run that goes on is in status, can be cancelled, and is found by a push of the same work."""
    run = _run(tiny, ledger, state=state, **HIDDEN)
    work = work_of(run)
    assert work is not None
    assert [each.id for each in ledger.selected(selection(ledger, None))] == ([run.id] if state.is_active else [])
    assert where(ledger, "base", None, None) == ("local" if state.is_active else None)
    found = at_work(ledger, work, "local")
    assert (found is not None) == state.is_active
    assert done_before(ledger, work, "local") is None


def test_hiding_a_run_that_goes_on_says_that_it_does(coord: Coord) -> None:
    """It costs until it is cancelled, and how that is done is said; status shows it as long."""
    project = find_project(coord.root)
    finished(project, "base", 1, [0.5], has_oof=False, state=RunState.RUNNING)
    told = coord.here("rm", "base").output
    assert "base local-v1 is running: its session goes on, and uses quota." in told
    assert "To end it: coord cancel --exp base --version 1" in told
    with Ledger(project.ledger) as ledger:
        assert [each.label for each in ledger.selected(selection(ledger, None))] == [GOOD]


@pytest.mark.parametrize(("is_hidden", "state"), [(False, "complete"), (True, "waiting")])
def test_a_sweep_waits_for_another_run(tiny: Project, ledger: Ledger, is_hidden: bool, state: str) -> None:
    """A member whose run is hidden is not done: `coord sweep resume` pushes it again."""
    run = _run(tiny, ledger, **(HIDDEN if is_hidden else {}))
    work = work_of(run)
    assert work is not None
    member = Member(experiment="base", base="base", overrides=(), whole="", work=work)
    other = dataclasses.replace(member, experiment="other", run_id=run.id)
    sweep = Sweep("lr", "base", "local", False, "2026-11-01T00:00:00+00:00", (member, other))
    sweeps.add(ledger, sweep)
    members = [sweeps.run_of(ledger, sweep, each) for each in sweep.members]
    assert members == ([None, None] if is_hidden else [run, run])
    one = dataclasses.replace(sweep, members=(member,))
    assert sweep_progress(Workspace(tiny, ledger), one).members[0].state == state


@pytest.mark.parametrize("verb", [hide_runs, show_runs])
def test_a_pattern_names_no_run(tiny: Project, ledger: Ledger, verb: Callable[..., object]) -> None:
    """One run at a time is hidden, so that none goes by mistake."""
    _run(tiny, ledger)
    with pytest.raises(RunNotFound):
        verb(Workspace(tiny, ledger), [parse_run_name("b*")])
