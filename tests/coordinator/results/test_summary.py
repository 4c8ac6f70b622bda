"""What a kernel reports, read with distrust: its log comes from somebody else's machine."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st
from rich.console import Console

from coordinator.cli.tables import results as results_table
from coordinator.errors import TargetError
from coordinator.results import summary as metrics
from coordinator.results.events import describe, event, lines
from coordinator.results.summary import (
    MetricTable,
    baselines,
    clean,
    metric_tables,
    primary_name,
    primary_value,
    read_summary,
)
from coordinator.target.protocol import LogRecord


def _records(*pieces: tuple[str, str]) -> list[LogRecord]:
    return [LogRecord(stream, float(number), data) for number, (stream, data) in enumerate(pieces)]


def test_records_are_not_lines() -> None:
    """A line may come in pieces, a piece may hold many lines, and two streams don't mix within a line."""
    records = _records(
        ("stdout", "one\ntw"), ("stderr", "warn"), ("stdout", "o\n\nthr"), ("stderr", "ing\n"), ("stdout", "ee")
    )
    assert list(lines(records)) == ["one", "two", "", "warning", "three"]
    assert list(lines([])) == []


@settings(max_examples=60)
@given(st.lists(st.text("ab \n", max_size=6), max_size=8))
def test_where_a_log_is_cut_does_not_matter(pieces: list[str]) -> None:
    """Any cut of a text into records gives the lines of the text."""
    text = "".join(pieces)
    assert (
        list(lines(_records(*(("stdout", piece) for piece in pieces))))
        == text.removesuffix("\n").split("\n")[: None if text else 0]
    )


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("plain\ttext ü😀", "plain\ttext ü😀"),
        ("\x1b[31;1mred\x1b[0m", "red"),
        ("\x9b31mred", "red"),
        ("\x1b[2J\x1b[1;1Hgone", "gone"),
        ("\x1b[?25lhidden", "hidden"),
        ("\x1b]0;a title\x07text", "text"),
        ("\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x1bcreset", "creset"),
        ("a\x00b\x07c\x08d\x7fe\x85f", "abcdef"),
        ("10%\r50%\r100%", "100%"),
        ("100%\r", "100%"),
        ("\ud83d broken", " broken"),
    ],
)
def test_nothing_that_steers_a_terminal_gets_through(text: str, cleaned: str) -> None:
    """Colours, cursor movements, titles, control characters and halves of characters are taken out."""
    assert clean(text) == cleaned
    cleaned.encode("utf-8")


@given(st.text("\x1b\x9b[]0;mH\x07\\a\r\ud800", max_size=12))
def test_cleaning_leaves_no_control_character(text: str) -> None:
    """Sequences inside sequences leave no new one behind: what is left can be printed."""
    cleaned = clean(text)
    assert not set(cleaned) & set("\x1b\x9b\x07\r\ud800")
    assert clean(cleaned) == cleaned


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
    """Whatever a kernel prints, it is text unless it is an event through and through."""
    assert event(line) is None


def test_events() -> None:
    """An event is the object behind the prefix; NaN, which JSON does not have, is null."""
    assert event('COORD {"event": "epoch", "fold": 0}') == {"event": "epoch", "fold": 0}
    assert event('COORD {"event": "epoch", "metrics": {"val/loss": NaN, "x": -Infinity}}') == {
        "event": "epoch",
        "metrics": {"val/loss": None, "x": None},
    }


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
    """What there is of fold, epoch, metrics and text; parts of a wrong type are passed over."""
    assert describe(found) == words


def test_a_summary_is_read(tmp_path: Path) -> None:
    """None if there is none; an error with the file's name if it is not a JSON object."""
    file = tmp_path / "metrics.json"
    assert read_summary(file) is None
    file.write_text('{"status": "complete", "value": NaN}')
    assert read_summary(file) == {"status": "complete", "value": None}
    for text in ("", "{", "[1]", "5", "[" * 50_000, '{"a": "\\udc00"}'):
        file.write_text(text)
        with pytest.raises(TargetError, match=r"metrics\.json"):
            read_summary(file)
    file.write_bytes(b"\xff")
    with pytest.raises(TargetError, match=r"metrics\.json cannot be read as JSON"):
        read_summary(file)


SUMMARY = {
    "primary": {"name": "cv/dice", "mode": "max", "value": 0.75},
    "metrics": [
        {"name": "val/loss", "mode": "min", "folds": [], "mean": 0.4, "sd": None, "n": 8},
        {
            "name": "cv/dice",
            "mode": "max",
            "folds": [{"fold": 0, "value": 0.7, "n": 4}, {"fold": 1, "value": 0.8, "n": 4}],
            "mean": 0.75,
            "sd": 0.0707,
            "n": 8,
        },
    ],
    "baselines": [
        {"name": "all-empty", "metric": "cv/dice", "value": 0.5},
        {"name": "constant", "metric": "val/loss", "value": 1},
    ],
}


def test_tables_begin_with_the_primary_metric() -> None:
    """Each metric keeps its own direction; baselines belong to their metric."""
    first, second = metric_tables(SUMMARY)
    assert first == MetricTable("cv/dice", "max", (("0", 0.7, 4), ("1", 0.8, 4)), 0.75, 0.0707, 8)
    assert second == MetricTable("val/loss", "min", (), 0.4, None, 8)
    assert (primary_name(SUMMARY), primary_value(SUMMARY)) == ("cv/dice", 0.75)
    assert baselines(SUMMARY, "cv/dice") == [("all-empty", 0.5)]
    assert baselines(SUMMARY, "val/loss") == [("constant", 1.0)]


@pytest.mark.parametrize(
    "summary",
    [
        {},
        {"primary": None, "metrics": None, "baselines": None},
        {"primary": [], "metrics": {"a": 1}, "baselines": "x"},
        {"primary": {}, "metrics": [5, None], "baselines": [5]},
    ],
)
def test_a_summary_without_its_parts(summary: dict[str, Any]) -> None:
    """A run that died early has left less: no tables, no value, no exception."""
    assert metric_tables(summary) == []
    assert (primary_name(summary), primary_value(summary)) == (None, None)
    assert baselines(summary, "cv/dice") == []


def test_a_metric_without_its_parts() -> None:
    """What is missing or of another type is None, what could steer a terminal is cleaned."""
    metric = {"name": "a\x1b[31mb", "folds": [{}, {"fold": 1, "value": "x", "n": True}], "mean": True, "n": 1.5}
    (table,) = metric_tables({"metrics": [metric]})
    assert table == MetricTable("ab", "None", (("None", None, None), ("1", None, None)), None, None, None)


def test_reading_is_not_changed_by_writing(tmp_path: Path) -> None:
    """A summary that was read can be written as strict JSON, as the ledger and `--json` do."""
    file = tmp_path / "metrics.json"
    file.write_text(json.dumps({**SUMMARY, "lost": float("nan")}))
    again = read_summary(file)
    assert json.loads(json.dumps(again, allow_nan=False)) == {**SUMMARY, "lost": None}


def test_bottlenecks_are_read_and_shown() -> None:
    """The oracle analysis of a summary becomes rows; parts that are missing or hostile are blank or cleaned."""
    summary: dict[str, Any] = {
        "oracle": {
            "metric": "cv/dice",
            "baseline": 0.9,
            "alone": [{"name": "rpn", "value": 0.92, "gain": 0.02}, {"name": "cls\x1b[2J", "value": None}],
            "ladder": [{"name": "rpn", "value": 0.92}],
            "split": {"false_positive": {"loss": 0.04, "images": 3}, "missed": "nonsense"},
        }
    }
    found = metrics.bottlenecks(summary)
    assert found is not None
    assert found.alone == (("rpn", 0.92, 0.02), ("cls", None, None))
    assert found.ladder == (("rpn", 0.92),)
    assert found.losses == (("false_positive", 0.04, 3),)
    console = Console(width=80, record=True, file=io.StringIO())
    console.print(results_table.results("try", summary))
    shown = console.export_text()
    assert "bottlenecks: cv/dice is 0.9000" in shown
    assert "+0.0200" in shown
    assert "false positive" in shown
    assert metrics.bottlenecks({}) is None
    assert metrics.bottlenecks({"oracle": "no"}) is None


def test_repeats_are_one_line_beside_the_folds() -> None:
    """Their spread is shown, their values are no rows of the table; fewer than two values have no spread."""
    summary: dict[str, Any] = {
        **SUMMARY,
        "repeats": {
            "metric": "cv/dice",
            "values": [{"seed": 3, "value": 0.908}, {"seed": 4, "value": 0.9162}, {"seed": 5, "value": 0.9118}, {}],
            "mean": 0.912,
            "sd": 0.0041,
        },
    }
    console = Console(width=80, record=True, file=io.StringIO())
    console.print(results_table.results("try", summary))
    shown = console.export_text()
    assert "cv/dice over 3 seeds: mean 0.9120, sd 0.0041, min 0.9080, max 0.9162\n" in shown
    console.print(results_table.results("try", SUMMARY))
    assert shown.replace("cv/dice over 3 seeds: mean 0.9120, sd 0.0041, min 0.9080, max 0.9162\n", "") == (
        console.export_text()
    )
    none: list[Any] = [None, [], {"values": 3}, {"values": [{"seed": 3, "value": 0.9}, {"seed": 4, "value": None}]}]
    for bad in none:
        assert metrics.repeats({"repeats": bad}) is None


def test_the_ablation_is_read_and_shown() -> None:
    """A row a value, what the run predicts with is marked, and all of it fits a terminal; what is missing is blank."""
    figures = {"dice": 0.812345, "dice_chosen": 0.82, "dice_nested": 0.81, "images": 10675}
    rows: list[Any] = [
        {"name": "weights", "value": "best", "metric": "cv/dice", **figures},
        {"name": "weights", "value": "average", "metric": "cv/dice", **figures},
        {"name": "folds", "value": "mean", "metric": "holdout/dice", **figures, "dice_nested": None},
        {"value": "a\x1b[2Jb", "dice": "nonsense"},
        "nonsense",
    ]
    summary = {"ablation": rows, "config": {"predict": {"weights": "average", "folds": "best"}}}
    best, average, mean, poor = metrics.ablation(summary)
    assert (best.is_used, average.is_used, mean.is_used, poor.is_used) == (False, True, False, False)
    assert average.figures == (0.812345, 0.82, 0.81)
    assert (mean.metric, mean.images, mean.figures[2]) == ("holdout/dice", 10675, None)
    assert (poor.setting, poor.value, poor.images, poor.figures) == ("None", "ab", None, (None, None, None))
    console = Console(width=80, record=True, file=io.StringIO())
    console.print(results_table.results("try", summary))
    lines = [line.split() for line in console.export_text().splitlines()]
    assert ["weights", "best", "cv/dice", "10675", "0.8123", "0.8200", "0.8100"] in lines
    assert ["average", "*", "cv/dice", "10675", "0.8123", "0.8200", "0.8100"] in lines
    assert ["folds", "mean", "holdout/dice", "10675", "0.8123", "0.8200", "-"] in lines
    assert metrics.ablation({"ablation": None, "config": None}) == []


def test_a_metric_apart_from_the_folds_has_its_own_images() -> None:
    """It stands in a table of its own, with its own number of images."""
    folds = [{"fold": 0, "value": 0.5, "n": 30}]
    apart = {"name": "holdout/dice", "mode": "max", "folds": [], "mean": 0.7, "sd": None, "n": 6}
    summary = {"metrics": [{"name": "cv/dice", "mode": "max", "folds": folds, "mean": 0.5, "n": 30}, apart]}
    console = Console(width=80, record=True, file=io.StringIO())
    console.print(results_table.results("try", summary))
    lines = [line.split() for line in console.export_text().splitlines()]
    assert ["mean", "30", "0.5000"] in lines
    assert ["mean", "6", "0.7000"] in lines


def test_many_metrics_stay_within_a_terminal() -> None:
    """More metrics than fit side by side go into tables below each other."""
    folds = [{"fold": 0, "value": 0.5, "n": 3}]
    names = [f"cv/a_rather_long_name_{number}" for number in range(7)]
    summary = {"metrics": [{"name": name, "mode": "max", "folds": folds, "mean": 0.5, "n": 3} for name in names]}
    console = Console(width=200, record=True, file=io.StringIO())
    console.print(results_table.results("try", summary))
    shown = console.export_text()
    assert all(name in shown for name in names)
    assert max(len(line.rstrip()) for line in shown.splitlines()) <= 110
