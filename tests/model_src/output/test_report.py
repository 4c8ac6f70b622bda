"""The report of a run, also of one that fails."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any, Literal

import pytest

from model_src.output.report import Report, is_better, metric


def new(directory: Path) -> Report:
    """A report of an example run."""
    return Report(directory, experiment="e", run_id="r", digest="sha256:1")


def summary(directory: Path) -> dict[str, Any]:
    """metrics.json as strict JSON."""
    text = (directory / "metrics.json").read_text()
    return dict(json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} in metrics.json")))


def test_events_are_in_the_file_and_in_the_log(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each event is one line of metrics.jsonl and one `COORD` line of the log, without NaN; a repeat's has its seed."""
    with new(tmp_path) as report:
        report.epoch(fold=0, epoch=1, epochs=2, step=5, metrics={"val/dice": math.nan, "train/loss": 0.5})
        report.epoch(fold=0, epoch=1, epochs=2, step=5, metrics={"val/dice": math.nan, "train/loss": 0.5}, seed=7)
        report.message("hello")
    events = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert [event["event"] for event in events] == ["start", "epoch", "epoch", "message", "end"]
    assert "seed" not in events[1]
    assert events[2] == {**events[1], "time": events[2]["time"], "seed": 7}
    assert events[1]["metrics"] == {"val/dice": None, "train/loss": 0.5}
    logged = [line for line in capsys.readouterr().out.splitlines() if line.startswith("COORD ")]
    assert [json.loads(line.removeprefix("COORD ")) for line in logged] == events


def test_summary_is_there_while_the_run_goes_on(tmp_path: Path) -> None:
    """From the start the file has the status running and the metrics so far."""
    with new(tmp_path) as report:
        assert summary(tmp_path)["status"] == "running"
        report.update(primary={"name": "cv/dice", "mode": "max", "value": 0.5})
        assert summary(tmp_path)["primary"]["value"] == 0.5
    assert summary(tmp_path)["status"] == "complete"
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["metrics.json", "metrics.jsonl"]


def test_crash_is_recorded_and_goes_on(tmp_path: Path) -> None:
    """The error is recorded with its type, message and traceback and raised again; earlier parts stay."""

    def crash() -> None:
        with new(tmp_path) as report:
            report.update(counts={"images": 4})
            raise ZeroDivisionError("division by zero")

    with pytest.raises(ZeroDivisionError):
        crash()
    left = summary(tmp_path)
    assert (left["status"], left["counts"]) == ("error", {"images": 4})
    assert (left["error"]["type"], left["error"]["message"]) == ("ZeroDivisionError", "division by zero")
    assert "test_report.py" in left["error"]["traceback"]
    last = json.loads((tmp_path / "metrics.jsonl").read_text().splitlines()[-1])
    assert (last["event"], last["status"]) == ("end", "error")


def test_stages_add_up(tmp_path: Path) -> None:
    """A stage that is entered twice has one value."""
    with new(tmp_path) as report:
        for _ in range(2):
            with report.stage("train"):
                pass
    assert list(summary(tmp_path)["stages"]) == ["train"]


def test_unknown_parts_are_refused(tmp_path: Path) -> None:
    """A misspelt name is an error."""
    with pytest.raises(KeyError, match="metrisc"), new(tmp_path) as report:
        report.update(metrisc=[])


def test_metric_over_folds() -> None:
    """The mean and the sample standard deviation over folds; a single fold has no deviation."""
    both = metric("cv/dice", "max", [(0, 0.5, 10), (1, 0.7, 11)])
    assert (both["mean"], both["sd"], both["n"]) == (pytest.approx(0.6), pytest.approx(math.sqrt(0.02)), 21)
    assert both["folds"][1] == {"fold": 1, "value": 0.7, "n": 11}
    assert metric("cv/dice", "max", [(0, 0.5, 10)])["sd"] is None
    assert metric("cv/dice", "max", [(0, math.nan, 0)])["mean"] is None


@pytest.mark.parametrize(
    ("value", "best", "mode", "expected"),
    [
        (0.5, None, "max", True),
        (math.nan, None, "min", True),
        (0.5, math.nan, "max", True),
        (math.nan, 0.5, "max", False),
        (math.nan, 0.5, "min", False),
        (0.6, 0.5, "max", True),
        (0.6, 0.5, "min", False),
        (0.4, 0.5, "min", True),
        (0.5, 0.5, "max", False),
    ],
)
def test_better(value: float, best: float | None, mode: Literal["max", "min"], expected: bool) -> None:
    """By the direction of the metric; equal is not better, and NaN is worse than any number."""
    assert is_better(value, best, mode) == expected
