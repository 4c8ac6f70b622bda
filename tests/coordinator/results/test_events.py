"""What a program reports while it runs. Its log comes from another machine, so nothing in it is trusted."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from coordinator.results.events import Event, event_in, event_of, log_lines, read_events
from coordinator.target.protocol import LogRecord
from tests.coordinator.results.json_values import JSON, objects


def _records(*pieces: tuple[str, str]) -> list[LogRecord]:
    return [LogRecord(stream, float(number), data) for number, (stream, data) in enumerate(pieces)]


def test_records_are_not_lines() -> None:
    """A line may come in several records, a record may hold several lines, and two streams do not mix within a line."""
    records = _records(
        ("stdout", "one\ntw"), ("stderr", "warn"), ("stdout", "o\n\nthr"), ("stderr", "ing\n"), ("stdout", "ee")
    )
    assert list(log_lines(records)) == ["one", "two", "", "warning", "three"]
    assert list(log_lines([])) == []


@settings(max_examples=60)
@given(st.lists(st.text("ab \n", max_size=6), max_size=8))
def test_where_a_log_is_cut_does_not_matter(pieces: list[str]) -> None:
    """However a text is cut into records, they give the lines of the text."""
    text = "".join(pieces)
    assert (
        list(log_lines(_records(*(("stdout", piece) for piece in pieces))))
        == text.removesuffix("\n").split("\n")[: None if text else 0]
    )


@pytest.mark.parametrize(
    "line",
    [
        "hello",
        "",
        "COORD",
        "COORD {",
        "COORD []",
        'COORD "epoch"',
        "COORD {}",
        'COORD {"event": 5}',
        ' COORD {"event": "epoch"}',
        'coord {"event": "epoch"}',
        'COORD {"event": "epoch", "x": "\\ud800"}',
        'COORD {"event": "epoch", "x": 1e999}',
        "COORD " + '{"event":' * 5000,
        "COORD " + "[" * 50_000,
        'COORD {"event": "epoch", "x": ' + "9" * 5000 + "}",
    ],
)
def test_lines_that_are_no_events(line: str) -> None:
    """A line that is not an event in every respect is text."""
    assert event_of(line) is None


def test_events() -> None:
    """An event is the object after the prefix, or a whole line of metrics.jsonl; NaN, no JSON, becomes null."""
    found = event_of('COORD {"event": "epoch", "fold": 0, "lr": 0.1}')
    assert found is not None
    assert (found.kind, found.fold, found.epoch) == ("epoch", 0, None)
    assert found.to_json() == {"event": "epoch", "fold": 0, "lr": 0.1}
    assert found == event_in('{"lr": 0.1, "fold": 0, "event": "epoch"}')
    assert found != event_in('{"event": "epoch", "fold": 0, "lr": 0.2}')
    found = event_of('COORD {"event": "epoch", "metrics": {"val/loss": NaN, "x": -Infinity}}')
    assert found is not None
    assert found.to_json() == {"event": "epoch", "metrics": {"val/loss": None, "x": None}}
    assert found.figures == {}


def test_all_that_an_event_has() -> None:
    """Each part has its field; a part of another type counts as missing, and the others are read."""
    parts = {"time": 81.5, "seed": 1, "fold": 0, "folds": 5, "epoch": 3, "epochs": 8, "step": 120, "status": "complete"}
    found = Event.parse({"event": "epoch", "text": "well", "metrics": {"val/dice": 0.5}, **parts})
    assert {name: getattr(found, name) for name in parts} == parts
    assert (found.kind, found.text, found.metrics) == ("epoch", "well", {"val/dice": 0.5})
    assert not found.is_partial
    odd = Event.parse({"event": "epoch", "metrics": [1], **{name: [{}] for name in parts}})
    assert {getattr(odd, name) for name in parts} == {None, ""}
    assert Event.parse({"event": "end", "status": "incomplete"}).is_partial


def test_parts_of_epochs() -> None:
    """A program may report more often than once an epoch; a whole number stays one."""
    assert Event.parse({"event": "epoch", "epoch": 0.5, "epochs": 3}).place == "epoch 0.5/3"
    assert isinstance(Event.parse({"event": "epoch", "epoch": 2}).epoch, int)


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (
            {"event": "epoch", "fold": 0, "folds": 2, "epoch": 3, "epochs": 8, "metrics": {"val/dice": 0.71234}},
            "fold 0, epoch 3/8: val/dice 0.7123",
        ),
        ({"event": "epoch", "epoch": 3}, "epoch 3"),
        ({"event": "fold", "seed": 4, "fold": 0, "metrics": {"cv/dice": 0.5}}, "seed 4, fold 0: cv/dice 0.5000"),
        ({"event": "end", "metrics": {"cv/dice": None, "x": True, "y": "a"}}, "end"),
        ({"event": "message", "text": "4 \x1b[31mpictures\x1b[0m skipped"}, "4 pictures skipped"),
        ({"event": "\x1b[31mx"}, "x"),
        ({"event": "epoch", "metrics": [1], "text": 5, "fold": "a"}, "epoch"),
        ({"event": "epoch", "metrics": {"big": 10**400, "a\x1b[1mb": 1}}, "ab 1.0000"),
    ],
)
def test_events_in_words(found: dict[str, Any], words: str) -> None:
    """Fold, epoch, metrics and text, as far as there are any; parts of another type are left out."""
    assert str(Event.parse(found)) == words


def test_figures_come_in_the_order_of_interest() -> None:
    """First those of unseen data, then the sum of the losses, then its parts; only finite ones."""
    metrics = {"train/box": 1, "train/loss": 3, "val/dice": 0.5, "val/bad": None, "val/loss": 2}
    found = Event.parse({"event": "epoch", "metrics": metrics})
    assert list(found.figures) == ["val/dice", "val/loss", "train/loss", "train/box"]
    assert math.isnan(found.metrics["val/bad"])


def test_a_file_of_events(tmp_path: Path) -> None:
    """A line that is no object gives None, a number may be infinite, and a missing file has no events."""
    file = tmp_path / "metrics.jsonl"
    assert list(read_events(file)) == []
    file.write_text('{"event": "epoch", "metrics": {"loss": Infinity}}\n[1]\n{"event": "fold", "fold": 1}\n{"eve')
    first, second, third, last = read_events(file)
    assert (second, last) == (None, None)
    assert first is not None
    assert first.metrics == {"loss": math.inf}
    assert third is not None
    assert third.place == "fold 1"


@given(JSON | objects("event", "epoch", "metrics", "text", "time"))
def test_any_json_is_an_event(data: Any) -> None:
    """Any value can be parsed and printed, and gives the same JSON back."""
    found = Event.parse(data)
    assert found.to_json() == data
    str(found).encode("utf-8")
    assert found == Event.parse(data)
