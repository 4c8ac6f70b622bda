"""What a run has found, on a terminal."""

from __future__ import annotations

import io
from typing import Any

from rich.console import Console

from coordinator.cli.tables import results as results_table
from coordinator.results.summary import Summary
from tests.coordinator.results.sample_summary import SUMMARY


def _shown(summary: dict[str, Any], width: int = 80) -> str:
    console = Console(width=width, record=True, file=io.StringIO())
    console.print(results_table.results("try", Summary.parse(summary), "images"))
    return console.export_text()


def _rows(summary: dict[str, Any]) -> list[list[str]]:
    return [line.split() for line in _shown(summary).splitlines()]


def test_the_folds_of_each_metric() -> None:
    """A row a fold, mean and sd below, and what a trivial prediction scores; the time with its stages."""
    rows = _rows({**SUMMARY, "seconds": 61.2, "stages": {"train": 50.4, "idle": 0.1}})
    for row in (["0", "4", "0.7000"], ["mean", "8", "0.7500"], ["sd", "0.0707"], ["all", "images", "8", "0.7500"]):
        assert row in rows
    assert ["baseline", "all-empty", "0.5000"] in rows
    assert ["61", "seconds", "(train", "50)"] in rows


def test_what_the_chosen_scores_are_is_said_below_them() -> None:
    """The run's own note, with its control characters removed; nothing without one."""
    choice = {"rule": {"score": 0.5}, "note": "by the epochs\x1b[31m that were chosen on these images"}
    assert "by the epochs that were chosen on these images" in _shown({**SUMMARY, "choice": choice})
    assert "epochs" not in _shown({**SUMMARY, "choice": {**choice, "note": 5}})


def test_how_a_run_ended_is_told_below_its_figures() -> None:
    """A status other than complete, or none; what went wrong, whether it came as an object or as a text."""
    assert "figures so far" not in _shown({"status": "complete"})
    assert "the run reports that it is incomplete: these are its figures so far" in _shown({"status": "incomplete"})
    assert "the run reports no status: these are its figures so far" in _shown({})
    failed = {"status": "error", "error": {"type": "ValueError", "message": "no \x1b[31mimages"}}
    assert "ValueError: no images" in _shown(failed)
    assert "no images" in _shown({"status": "error", "error": "no images"})


def test_bottlenecks() -> None:
    """What perfect stages would bring, one by one and one after the other, and what each kind of error takes."""
    oracle = {
        "metric": "cv/dice",
        "baseline": 0.9,
        "alone": [{"name": "rpn", "value": 0.92, "gain": 0.02}, {"name": "cls\x1b[2J", "value": None}],
        "ladder": [{"name": "+rpn", "value": 0.92}, {"name": "+cls", "value": 0.95}],
        "split": {"false_positive": {"loss": 0.04, "images": 3}},
    }
    shown = _shown({"oracle": oracle})
    assert "bottlenecks: cv/dice is 0.9000" in shown
    assert "+0.0200" in shown
    assert "one after the other: +rpn 0.9200 -> +cls 0.9500" in shown
    assert "false positive" in shown


def test_repeats_are_one_line_beside_the_folds() -> None:
    """Their spread is shown, their values are no rows of the table."""
    values = [{"seed": 3, "value": 0.908}, {"seed": 4, "value": 0.9162}, {"seed": 5, "value": 0.9118}, {}]
    repeats = {"metric": "cv/dice", "values": values, "mean": 0.912, "sd": 0.0041}
    line = "cv/dice over 3 seeds: mean 0.9120, sd 0.0041, min 0.9080, max 0.9162\n"
    shown = _shown({**SUMMARY, "repeats": repeats})
    assert line in shown
    assert shown.replace(line, "") == _shown(SUMMARY)


def test_settings_that_were_compared() -> None:
    """A row a value, what the run predicts with is marked, and all of it fits a terminal."""
    figures = {"dice": 0.812345, "dice_chosen": 0.82, "dice_nested": 0.81, "images": 10675}
    compared: list[Any] = [
        {
            "name": "weights",
            "value": "best",
            "metric": "cv/dice",
            **figures,
            "difference": -0.02194,
            "difference_error": 0.01,
        },
        {"name": "weights", "value": "average", "metric": "cv/dice", **figures},
        {"name": "folds", "value": "mean", "metric": "holdout/dice", **figures, "dice_nested": None},
    ]
    found = {"ablation": compared, "config": {"predict": {"weights": "average", "folds": "best"}}}
    rows = _rows(found)
    assert ["weights", "best", "cv/dice", "10675", "0.8123", "0.8200", "0.8100"] in rows
    assert ["average", "*", "cv/dice", "10675", "0.8123", "0.8200", "0.8100"] in rows
    assert ["folds", "mean", "holdout/dice", "10675", "0.8123", "0.8200", "-"] in rows
    # A difference to what the run predicts with has its noise beside it; an older run has not measured it.
    (told,) = [line for line in _shown(found).splitlines() if "against" in line]
    assert told.strip() == "best against *, as set: -0.0219 ± 0.0100 (paired; standard error over images)"


def test_a_metric_apart_from_the_folds_has_its_own_images() -> None:
    """It stands in a table of its own, with its own number of images."""
    folds = [{"fold": 0, "value": 0.5, "n": 30}]
    apart = {"name": "holdout/dice", "mode": "max", "folds": [], "mean": 0.7, "sd": None, "n": 6}
    rows = _rows({"metrics": [{"name": "cv/dice", "mode": "max", "folds": folds, "mean": 0.5, "n": 30}, apart]})
    assert ["mean", "30", "0.5000"] in rows
    assert ["mean", "6", "0.7000"] in rows


def test_many_metrics_stay_within_a_terminal() -> None:
    """More metrics than fit side by side go into tables below each other."""
    folds = [{"fold": 0, "value": 0.5, "n": 3}]
    names = [f"cv/a_rather_long_name_{number}" for number in range(7)]
    metrics = [{"name": name, "mode": "max", "folds": folds, "mean": 0.5, "n": 3} for name in names]
    shown = _shown({"metrics": metrics}, width=200)
    assert all(name in shown for name in names)
    assert max(len(line.rstrip()) for line in shown.splitlines()) <= 110
