"""A live log is followed to its end: streams that are cut or hostile, and the table of figures on a terminal."""

from __future__ import annotations

import dataclasses
import json
import os
import pty
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from coordinator.cli.tables.board import Figure, FoldMetrics
from coordinator.clock import Clock
from coordinator.errors import NoAnswer
from coordinator.ledger.ledger import Ledger, Run
from coordinator.project.project import Project
from coordinator.results.events import Event, event_of
from coordinator.runs.follow import follow_run
from coordinator.target.protocol import LogRecord, RunState, SessionState
from coordinator.workspace import Workspace
from tests import forked
from tests.coordinator.command import COORD
from tests.coordinator.depot import Depot, running_depot
from tests.coordinator.sample_runs import ON_KAGGLE
from tests.coordinator.targets import MemoryTarget
from tests.coordinator.terminals import read_to_the_end

RUNNING = dataclasses.replace(ON_KAGGLE, state=RunState.RUNNING)
LINES = ["start\n", "fold 0 ep", "och 1\n", "ünï\n", "end\n"]
HOSTILE = "\x1b]0;title\x07\x1b[2J\x9b31mred\x1b[0m \x1bPq\x1b\\ \x1b]8;;http://evil\x1b\\link\x08\x7f"


def _record(data: str) -> dict[str, Any]:
    return {"stream_name": "stdout", "time": 0.0, "data": data}


def _stream(*lines: str, end: bytes = b"") -> bytes:
    return b"".join(b"data: %s\n\n" % json.dumps(_record(line)).encode() for line in lines) + end


def _epoch(fold: int, epoch: int, dice: float, **others: float) -> str:
    metrics = {"val/dice": dice, **others}
    return "COORD " + json.dumps({"event": "epoch", "fold": fold, "epoch": epoch, "epochs": 3, "metrics": metrics})


@pytest.fixture
def depot() -> Iterator[Depot]:
    with running_depot() as depot:
        depot.state = "RUNNING"
        depot.log = [_record(line) for line in LINES]
        yield depot
        assert depot.streams == [], "a planned stream was never asked for"


def _followed(tiny: Project, depot: Depot) -> tuple[list[str], list[str]]:
    """(states, data of the records)"""
    with Ledger(tiny.ledger) as ledger:
        ledger.add(RUNNING)
        kaggle = depot.kaggle()
        items = list(follow_run(Workspace(tiny, ledger, kaggle, clock=Clock(sleep=lambda _: None)), RUNNING))
        kaggle.close()
    records = [item.data for item in items if isinstance(item, LogRecord)]
    return [str(item.state) for item in items if not isinstance(item, LogRecord)], records


@pytest.mark.parametrize(
    "cuts",
    [
        [_stream(*LINES[:2]), _stream(*LINES[:1]), _stream(*LINES)],
        [_stream(*LINES[:3])[:-1], _stream(*LINES)],  # after the line, before the event's end
        [_stream(*LINES[:3])[:-20], _stream(*LINES)],  # in the middle of a record
        [_stream(*LINES[:4])[:-18], b"", _stream(*LINES, end=b"data: END_OF_LOG\n\n")],
        [_stream(*LINES[:1], end=b"dat"), _stream(*LINES[:4])],  # the rest is in the log of the ended session
        [b""],
    ],
    ids=["between", "after a line", "in a record", "thrice", "in a word", "nothing"],
)
def test_a_stream_that_is_cut_loses_and_repeats_nothing(tiny: Project, depot: Depot, cuts: list[bytes]) -> None:
    """Wherever it is cut: each stream begins at the log's start, and every record comes once."""
    depot.streams = cuts
    states, records = _followed(tiny, depot)
    assert records == LINES
    assert states[0] == "running"


def _silent(questions: int) -> MemoryTarget:
    """Gives no answer to that many questions about a run that is complete."""
    failures = {"state": [NoAnswer("no connection")] * questions}
    return MemoryTarget(name="kaggle", session=SessionState(RunState.COMPLETE), failures=failures)


def test_an_outage_of_some_minutes_is_waited_for(tiny: Project) -> None:
    """After ten minutes without an answer it is an error; the run continues, and can be followed again."""
    with Ledger(tiny.ledger) as ledger:
        ledger.add(RUNNING)
        waits: list[float] = []
        *_, end = follow_run(Workspace(tiny, ledger, _silent(30), clock=Clock(sleep=waits.append)), RUNNING)
        assert isinstance(end, Run)
        assert end.state is RunState.COMPLETE
        assert 120 < sum(waits) < 600
        ledger.update(RUNNING.id, state=RunState.RUNNING)
        waits.clear()
        with pytest.raises(NoAnswer):
            list(follow_run(Workspace(tiny, ledger, _silent(1000), clock=Clock(sleep=waits.append)), RUNNING))
        assert 600 <= sum(waits) < 700


def test_a_line_that_does_not_end_is_refused(tiny: Project, depot: Depot, monkeypatch: pytest.MonkeyPatch) -> None:
    """The memory it takes is bounded, and the end of the run is still noticed."""
    monkeypatch.setattr("coordinator.target.kaggle.parsing._LINE", 10_000)
    depot.streams = [b"data: " + b"x" * 20_000]
    assert _followed(tiny, depot)[1] == LINES


def test_the_board_has_the_figures_of_one_fold() -> None:
    """Last, lowest and highest value with their epochs; a new fold starts without figures; only epoch events count."""
    board = FoldMetrics()
    assert not board.feed(Event.parse({"event": "message", "text": "hello"}))
    for epoch, dice in enumerate([0.5, 0.7, 0.6], start=1):
        event = event_of(_epoch(0, epoch, dice, **{"train/loss": 1 / epoch}))
        assert event is not None
        assert board.feed(event)
    assert board.place == "fold 0, epoch 3/3"
    assert list(board.figures) == ["val/dice", "train/loss"]
    assert board.figures["val/dice"] == Figure(0.6, 0.5, 1, 0.7, 2)
    odd = {"event": "epoch", "fold": 1, "epoch": "first", "metrics": {"val/dice": 0.1, "bad": "x", "nan": None}}
    board.feed(Event.parse(odd))
    assert board.place == "fold 1"
    assert board.figures == {"val/dice": Figure(0.1, 0.1, None, 0.1, None)}


def _on_a_terminal(tiny: Project, depot: Depot, *arguments: str) -> tuple[int, str]:
    """(exit code, all that was written to a terminal of 80 columns) of `coord logs`."""
    with Ledger(tiny.ledger) as ledger:
        ledger.add(RUNNING)
    variables = {"COORD_KAGGLE_ENDPOINT": depot.url, "KAGGLE_USERNAME": "ada", "KAGGLE_KEY": "0" * 32}
    ours, theirs = pty.openpty()
    process = forked.start(
        [*COORD, "logs", *arguments],
        cwd=tiny.root,
        env={**os.environ, **variables, "TERM": "xterm", "COLUMNS": "80"},
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    shown = read_to_the_end(ours)
    return process.wait(timeout=60), shown


def test_on_a_terminal_the_figures_stand_below_the_log(tiny: Project, depot: Depot) -> None:
    """The table shows the newest epoch in 80 columns, each log line is printed once, and the exit code is the run's."""
    lines = ["hello\n", *(f"{_epoch(fold, epoch, 0.5 + epoch / 10)}\n" for fold in (0, 1) for epoch in (1, 2)), "bye\n"]
    depot.log = [_record(line) for line in lines]
    depot.streams = [_stream(*lines)]
    depot.ends_as = "ERROR"
    code, shown = _on_a_terminal(tiny, depot, "--follow")
    assert code == 1
    for expected in ("base kaggle-v3: fold 0, epoch 1/3", "base kaggle-v3: fold 1, epoch 2/3", "lowest", "0.7000"):
        assert expected in shown
    assert shown.count("bye") == 1
    assert shown.count("» fold 1, epoch 2/3: val/dice 0.7000") == 1
    assert "base kaggle-v3 has failed" in shown


@pytest.mark.parametrize("arguments", [["--follow"], ["--follow", "--raw"], ["--follow", "--json"]])
def test_escape_sequences_of_a_log_never_reach_the_terminal(tiny: Project, depot: Depot, arguments: list[str]) -> None:
    """Titles, colours, links, cursor movements, in lines and in events: only coord's own sequences are written."""
    lines = [HOSTILE + "\n", _epoch(0, 1, 0.5, **{HOSTILE: 1.0}) + "\n", f"COORD {HOSTILE}\n"]
    depot.log = [_record(line) for line in lines]
    depot.streams = [_stream(*lines)]
    _, shown = _on_a_terminal(tiny, depot, *arguments)
    for sequence in ("\x1b]0", "\x1b[2J", "\x9b", "\x1bP", "\x07", "\x08", "\x7f", "http://evil\x1b"):
        assert sequence not in shown
    assert "red" in shown


def test_what_a_hostile_target_says_of_itself_is_clean(tiny: Project, depot: Depot, tmp_path: Path) -> None:
    """Error messages, which come from the server, have no escape sequences either."""
    depot.files = {HOSTILE: b"x"}
    depot.state = "COMPLETE"
    with Ledger(tiny.ledger) as ledger:
        ledger.add(ON_KAGGLE)
    variables = {"COORD_KAGGLE_ENDPOINT": depot.url, "KAGGLE_USERNAME": "ada", "KAGGLE_KEY": "0" * 32}
    done = forked.run(
        [*COORD, "fetch-results"], cwd=tiny.root, env={**os.environ, **variables}, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr  # the file is left out, with a warning
    assert not set(b"\x1b\x9b\x07\x08\x7f") & set(done.stderr + done.stdout)
