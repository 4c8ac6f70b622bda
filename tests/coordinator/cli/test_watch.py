"""`coord status`, once and with --watch: on a real terminal, into a pipe, and as JSON."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.cells import cell_len

from coordinator.project.project import find_project
from tests.coordinator.command import Coord, delete_kernels, until
from tests.coordinator.finished_runs import finished
from tests.coordinator.terminals import LEFT, on_a_terminal
from tests.paths import SAMPLES


@pytest.fixture
def slow(coord: Coord) -> tuple[Coord, Path]:
    """A project with a run that goes on until the file is written, and one that has failed."""
    coord("push", "--exp", "crash", "--wait", code=1)
    coord("push", "--exp", "slow")
    until(lambda: coord.json("status")[0]["last_event"], "an epoch")
    return coord, coord.session_root("tiny-slow", 1) / "go"


def test_a_watch_until_the_end(slow: tuple[Coord, Path]) -> None:
    """The table is drawn on a screen of its own, with the course of the metric; at the end its last state stays."""
    coord, go = slow
    with on_a_terminal(coord, "status", "--watch") as terminal:
        terminal.wait_for(lambda shown: "RUNNING" in shown and "█ val/dice" in shown, "the course of the metric")
        assert LEFT not in terminal.shown
        go.touch()
        assert terminal.end() == 0
        lines = terminal.left_behind
    assert len(lines) == 4
    assert lines[2].startswith("slow local-v1   COMPLETE")
    assert lines[3].startswith("crash local-v1  ERROR")
    assert "RuntimeError at engine.py:6: " in lines[3]
    assert max(map(cell_len, lines)) <= 80
    assert "\x1b]8;" not in terminal.shown  # a local run has no address while no live page is open


def test_a_watch_that_is_interrupted(slow: tuple[Coord, Path]) -> None:
    """In a window that became narrow: exit code 130, the last picture as plain lines that fit, and what goes on."""
    coord, go = slow
    with on_a_terminal(coord, "status", "--watch") as terminal:
        terminal.wait_for(lambda shown: "RUNNING" in shown, "the table")
        assert "age" in terminal.shown
        terminal.resize(40)
        known = len(terminal.shown)
        terminal.wait_for(lambda shown: "RUNNING" in shown[known:].rpartition("\x1b[H")[2], "the table in its new size")
        terminal.interrupt()
        assert terminal.end() == 130
        *table, last = terminal.left_behind
    assert last == "stopped watching; 1 run goes on: coord status"
    assert max(map(cell_len, table)) <= 40
    assert [line.split("  ")[0] for line in table[2:]] == ["slow local-v1", "crash local-v1"]
    go.touch()


@pytest.mark.parametrize("option", [[], ["--json"]])
def test_a_program_that_watches(slow: tuple[Coord, Path], option: list[str]) -> None:
    """A line a run, then a line a change, without escape sequences; it ends with the last run, and not before."""
    coord, go = slow
    with coord.start("status", "--watch", *option) as process:
        assert process.stdout is not None
        first = [process.stdout.readline(), process.stdout.readline()]
        assert process.poll() is None
        go.touch()
        lines = [*first, *process.stdout.read().splitlines()]
        assert process.wait() == 0
    assert not any("\x1b" in line for line in lines)
    if option:
        found = [(each["experiment"], each["state"]) for each in map(json.loads, lines)]
    else:
        found = [(line.split()[0], line.split()[2].lower()) for line in lines]
    assert found[:2] == [("slow", "running"), ("crash", "error")]
    assert found[-1] == ("slow", "complete")
    assert {name for name, _ in found[2:]} == {"slow"}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder for the project of all tests that only look at it."""
    place = tmp_path_factory.mktemp("swept") / "tiny"
    yield place
    delete_kernels(place / ".coord" / "local-kaggle")


@pytest.fixture
def swept(place: Path) -> Coord:
    """A project with a finished sweep, a run with a long name, and one with a long version. The first test makes it."""
    coord = Coord(place, dict(os.environ))
    if not place.exists():
        shutil.copytree(SAMPLES / "tiny", place)
        coord("sweep", "--exp", "base", "--grid", "optim.lr=0.1,0.2", "--seeds", "2", "--name", "s")
        project = find_project(place)
        finished(project, "base--" + "long-" * 30 + "s1", 1, [0.5], has_oof=False)
        finished(project, "x", 12, [0.5], has_oof=False)
        until(lambda: set(coord.states()) == {"complete"}, "the end of the sweep")
    return coord


@pytest.mark.parametrize("columns", [40, 80, 120])
@pytest.mark.parametrize(
    "command", [("status",), ("runs",), ("runs", "--all"), ("sweep", "status", "s"), ("sweep", "status")]
)
def test_a_line_a_run_on_any_screen(swept: Coord, command: tuple[str, ...], columns: int) -> None:
    """Names of any length: a line each, that fits; a name keeps its version or its seed."""
    with on_a_terminal(swept, *command, columns=columns) as terminal:
        assert terminal.end() == 0
        lines = terminal.left_behind
    table = lines[2:]
    assert max(map(cell_len, lines)) <= columns
    if command == ("status",):
        assert len(table) == 4
        assert table[0].startswith("sweep s")
        assert table[-1] == "a sweep's runs: coord sweep status NAME"
    elif command[0] == "runs":
        assert lines[0].startswith("a sweep's runs: ") == (len(command) == 1)
        table = [line for line in table if "complete" in line]
        assert len(table) == (3 if len(command) == 1 else 6)
        assert any("local-v12"[-3:] in line for line in table)
    else:
        assert len([line for line in table if "s" in line.split(" ")[0]]) >= (4 if len(command) == 3 else 1)


def test_addresses_on_request(coord: Coord) -> None:
    """One below the other, in full, whatever the screen's width."""
    url = "https://www.kaggle.com/code/ada/" + "long-" * 20
    finished(find_project(coord.root), "base", 1, [0.5], has_oof=False, target="kaggle", url=url)
    assert url not in coord.here("status").stdout
    assert f"base kaggle-v1  {url}\n" in coord("status", "--url").stdout
    with on_a_terminal(coord, "status", "--url") as terminal:
        assert terminal.end() == 0
        assert url in "".join(terminal.left_behind)
