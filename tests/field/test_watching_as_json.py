"""A program that follows runs gets one state and the end of the stream, as if they had ended.

Seen: found by trying it on coord (`coord status --watch --json` returned at once, with runs going on).
"""

from __future__ import annotations

import dataclasses
import json

from coordinator.clock import Clock
from coordinator.errors import NoAnswer
from coordinator.ledger.ledger import Ledger
from coordinator.project.project import Project, find_project
from coordinator.runs.status import OpenTargets, Status, current_status, watch
from coordinator.target.protocol import RunState, SessionState
from tests.coordinator.command import Coord
from tests.coordinator.finished_runs import finished
from tests.coordinator.sample_runs import BARE
from tests.coordinator.targets import RUNNING_SESSION, MemoryTarget


def test_each_change_is_one_item(tiny: Project, ledger: Ledger) -> None:
    """All runs at first, then those of which something has changed: the state, an error, the end of an error."""
    for name in ("a", "b"):
        ledger.add(dataclasses.replace(BARE, id=name, slug=name, state=RunState.QUEUED, version=1))
    lost, done = NoAnswer("no connection"), SessionState(RunState.COMPLETE)
    answers: list[dict[str, SessionState | Exception]] = [
        {"ada/a v1": RUNNING_SESSION, "ada/b v1": RUNNING_SESSION},
        {"ada/a v1": RUNNING_SESSION, "ada/b v1": RUNNING_SESSION},
        {"ada/a v1": done, "ada/b v1": RUNNING_SESSION},
        {"ada/b v1": lost},
        {"ada/b v1": RUNNING_SESSION},
        {"ada/b v1": done},
    ]
    target = MemoryTarget(session=RUNNING_SESSION)
    targets = OpenTargets(tiny, _open={"local": target})

    def look() -> Status:
        target.sessions = answers.pop(0)
        targets._open["local"] = target
        return current_status(targets, ledger, ledger.runs())

    before, seen = None, []
    for now in watch(targets, look, Clock(sleep=lambda _: None)):
        items = [item for _, item in now.changes(before)]
        seen.append([(item["id"], item["state"], item["error"]) for item in sorted(items, key=lambda item: item["id"])])
        before = now
    assert seen == [
        [("a", "running", None), ("b", "running", None)],
        [],
        [("a", "complete", None)],
        [("b", "running", "no connection")],
        [("b", "running", None)],
        [("b", "complete", None)],
    ]
    assert not answers


def test_the_command_prints_a_line_for_each(coord: Coord) -> None:
    """Of the shape that `coord status --json` lists; without --json it is the table."""
    project = find_project(coord.root)
    finished(project, "base", 1, [0.5, 0.6])
    finished(project, "base", 2, [0.5, 0.7])
    lines = [json.loads(line) for line in coord.here("status", "--watch", "--json").stdout.splitlines()]
    listed = json.loads(coord.here("status", "--json").stdout)
    assert [set(each) for each in lines] == [set(each) for each in listed]
    assert [each["version"] for each in lines] == [2, 1]


def test_without_runs_there_are_no_lines(coord: Coord) -> None:
    """And it ends."""
    assert coord.here("status", "--watch", "--json").stdout == ""
