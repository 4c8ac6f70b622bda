"""A run's summary. It was written on another machine, so nothing in it is trusted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, strategies as st

from coordinator.errors import TargetError
from coordinator.results.analysis import Ablated, ErrorShare, FoldRule, Stage
from coordinator.results.course import Interruption, ReportedError
from coordinator.results.metrics import Baseline, FoldValue, Metric, Primary, SeedValue
from coordinator.results.summary import Summary, read_summary
from tests.coordinator.results.json_values import JSON, objects
from tests.coordinator.results.sample_summary import SUMMARY

WHOLE: dict[str, Any] = {
    "schema": 1,
    "status": "incomplete",
    "error": {"type": "ValueError", "message": "no images", "traceback": "Traceback (most recent call last): ..."},
    "experiment": "base",
    "run_id": "0123456789abcdef",
    "digest": "sha256:0",
    "started": "2026-11-01T00:00:10+00:00",
    "seconds": 60.5,
    **SUMMARY,
    "repeats": {
        "metric": "cv/dice",
        "mode": "max",
        "values": [{"seed": 3, "value": 0.75}, {"seed": 4, "value": 0.77}],
        "mean": 0.76,
        "sd": 0.014,
        "n": 2,
    },
    "thresholds": {"score": 0.5, "mask": 0.25},
    "choice": {
        "rule": {"score": 0.6, "min_area": 400},
        "dice_chosen": 0.78,
        "note": "chosen and reported on the same pictures",
        "dice_nested": 0.76,
        "nested_rules": [{"fold": 0, "score": 0.55}],
    },
    "ablation": [
        {
            "name": "weights",
            "value": "best",
            "metric": "cv/dice",
            "images": 8,
            "dice": 0.75,
            "dice_chosen": 0.76,
            "dice_nested": None,
            "difference": 0.01,
            "difference_error": None,
        }
    ],
    "oracle": {
        "metric": "cv/dice",
        "baseline": 0.75,
        "alone": [{"name": "rpn", "value": 0.8, "gain": 0.05}],
        "ladder": [{"name": "+rpn", "value": 0.8, "gain": 0.05}],
        "split": {"missed": {"loss": 0.25, "images": 2}},
    },
    "profile": {"data": 1.5, "evaluation": 2.5, "steps": 40, "measured_steps": 4, "limit": "data", "text": "slow"},
    "stages": {"train": 50.25},
    "versions": {"python": "3.12.1", "image": None},
    "devices": ["Tesla T4", "Tesla T4"],
    "counts": {"positive": 3},
    "config": {"predict": {"weights": "best"}},
    "resumed": {"from": "ada/base", "fold": 0, "epoch": 2, "step": 7},
    "stopped": {"reason": "the time is over", "seed": 4, "fold": 1, "epoch": 3, "step": 9},
}


def _values(metric: Metric) -> tuple[Any, ...]:
    return metric.name, metric.mode, metric.folds, metric.mean, metric.sd, metric.images


def test_a_summary_is_read(tmp_path: Path) -> None:
    """None if there is no file; an error with its name if it is no JSON object. NaN becomes null."""
    file = tmp_path / "metrics.json"
    assert read_summary(file) is None
    file.write_text('{"status": "complete", "value": NaN}')
    assert read_summary(file) == Summary.parse({"status": "complete", "value": None})
    for text in ("", "{", "[1]", "5", "[" * 50_000, '{"a": "\\udc00"}'):
        file.write_text(text)
        with pytest.raises(TargetError, match=r"metrics\.json"):
            read_summary(file)
    file.write_bytes(b"\xff")
    with pytest.raises(TargetError, match=r"metrics\.json cannot be read as JSON"):
        read_summary(file)


def test_reading_is_not_changed_by_writing(tmp_path: Path) -> None:
    """It can be written as strict JSON, as the ledger and `--json` do, including the parts that coord does not know."""
    file = tmp_path / "metrics.json"
    file.write_text(json.dumps({**WHOLE, "lost": float("nan"), "of another program": [1]}))
    again = read_summary(file)
    assert again is not None
    written = json.dumps(again.to_json(), allow_nan=False)
    assert written == json.dumps({**WHOLE, "lost": None, "of another program": [1]})


def test_all_that_the_model_source_reports() -> None:
    """Each part of metrics.json has a typed value."""
    found = Summary.parse(WHOLE)
    assert (found.schema, found.status, found.is_partial) == (1, "incomplete", True)
    assert found.error == ReportedError("ValueError", "no images", "Traceback (most recent call last): ...")
    assert (found.experiment, found.run_id, found.digest) == ("base", "0123456789abcdef", "sha256:0")
    assert (found.started, found.seconds) == ("2026-11-01T00:00:10+00:00", 60.5)
    assert found.primary == Primary("cv/dice", "max", 0.75)
    assert found.repeats is not None
    assert found.repeats.values == (SeedValue(3, 0.75), SeedValue(4, 0.77))
    assert (found.repeats.metric, found.repeats.mean, found.repeats.sd) == ("cv/dice", 0.76, 0.014)
    assert found.thresholds == {"score": 0.5, "mask": 0.25}
    assert found.choice is not None
    assert (found.choice.thresholds, found.choice.chosen) == ({"score": 0.6, "min_area": 400}, 0.78)
    assert (found.choice.nested, found.choice.nested_rules) == (0.76, (FoldRule(0, {"score": 0.55}),))
    assert found.ablation == (Ablated("weights", "best", True, "cv/dice", 8, 0.75, 0.76, None, 0.01, None),)
    assert found.bottlenecks is not None
    assert (found.bottlenecks.metric, found.bottlenecks.baseline) == ("cv/dice", 0.75)
    assert (found.bottlenecks.alone, found.bottlenecks.ladder) == (
        (Stage("rpn", 0.8, 0.05),),
        (Stage("+rpn", 0.8, 0.05),),
    )
    assert found.bottlenecks.losses == (ErrorShare("missed", 0.25, 2),)
    assert found.profile is not None
    assert found.profile.seconds == {"data": 1.5, "evaluation": 2.5}
    assert (found.profile.steps, found.profile.measured_steps, found.profile.limit) == (40, 4, "data")
    assert (found.stages, found.versions) == ({"train": 50.25}, {"python": "3.12.1", "image": None})
    assert (found.devices, found.counts) == (("Tesla T4", "Tesla T4"), {"positive": "3"})
    assert found.config == {"predict": {"weights": "best"}}
    assert found.resumed == Interruption(None, 0, 2, 7, "ada/base", "")
    assert found.stopped == Interruption(4, 1, 3, 9, "", "the time is over")


def test_tables_begin_with_the_primary_metric() -> None:
    """Each metric keeps its own direction; baselines belong to their metric."""
    found = Summary.parse(SUMMARY)
    loss, dice = found.metrics
    assert found.primary_first == [dice, loss]
    assert _values(dice) == ("cv/dice", "max", (FoldValue("0", 0.7, 4), FoldValue("1", 0.8, 4)), 0.75, 0.0707, 8)
    assert _values(loss) == ("val/loss", "min", (), 0.4, None, 8)
    assert (found.primary_name, found.primary_value) == ("cv/dice", 0.75)
    assert found.baselines_in("cv/dice") == (Baseline("all-empty", "cv/dice", 0.5),)
    assert found.baselines_in("val/loss") == (Baseline("constant", "val/loss", 1.0),)


def test_the_value_of_a_metric() -> None:
    """The value over all images for the primary one, otherwise the mean over the folds; None if there is neither."""
    found = Summary.parse({**SUMMARY, "primary": {"name": "cv/dice", "mode": "max", "value": 0.76}})
    assert (found.value_of("cv/dice"), found.value_of("val/loss"), found.value_of("val/auc")) == (0.76, 0.4, None)
    assert Summary.parse({**SUMMARY, "primary": {"name": "cv/dice", "value": "x"}}).value_of("cv/dice") == 0.75


@pytest.mark.parametrize(
    "data",
    [
        {},
        None,
        [],
        {"primary": None, "metrics": None, "baselines": None, "config": None},
        {"primary": [], "metrics": {"a": 1}, "baselines": "x", "devices": {}},
        {"primary": {}, "metrics": [5, None], "baselines": [5], "repeats": {"values": 3}, "oracle": "no"},
    ],
)
def test_a_summary_without_its_parts(data: Any) -> None:
    """A run that died early has left less: no tables, no value, no exception."""
    found = Summary.parse(data)
    assert (found.metrics, found.baselines, found.ablation, found.devices, found.merged) == ((), (), (), (), ())
    assert (found.primary, found.primary_name, found.primary_value) == (None, None, None)
    assert (found.repeats, found.bottlenecks, found.error, found.seconds, found.config) == (None, None, None, None, {})
    assert (found.status, found.run_id, found.is_partial) == ("", "", False)


def test_parts_of_another_kind() -> None:
    """What is missing or of another type is None or empty, and control characters are removed."""
    metric = {"name": "a\x1b[31mb", "folds": [{}, {"fold": 1, "value": "x", "n": True}], "mean": True, "n": 1.5}
    (found,) = Summary.parse({"metrics": [metric]}).metrics
    assert _values(found) == ("ab", "", (FoldValue("", None, None), FoldValue("1", None, None)), None, None, None)
    oracle = {"alone": [{"name": "cls\x1b[2J", "value": None}], "split": {"missed": "nonsense", "far": {}}}
    bottlenecks = Summary.parse({"oracle": oracle}).bottlenecks
    assert bottlenecks is not None
    assert bottlenecks.alone == (Stage("cls", None, None),)
    assert bottlenecks.losses == (ErrorShare("far", None, None),)
    rows: list[Any] = [{"value": "a\x1b[2Jb", "dice": "nonsense"}, "nonsense"]
    (ablated,) = Summary.parse({"ablation": rows, "config": {"predict": {"weights": "best"}}}).ablation
    assert ablated == Ablated("", "ab", False, "", None, None, None, None)


def test_fewer_than_two_values_are_no_repeats() -> None:
    """They have no standard deviation; a value that is no number does not count."""
    values = [{"seed": 3, "value": 0.9}, {"seed": 4, "value": None}]
    assert Summary.parse({"repeats": {"values": values}}).repeats is None
    assert Summary.parse({"repeats": {"values": [*values, {"value": 0.8}]}}).repeats is not None


@pytest.mark.parametrize(
    ("error", "line"),
    [
        ({"type": "ValueError", "message": "no images"}, "ValueError: no images"),
        ({"message": "no images"}, "no images"),
        ("no images", "no images"),
        ({"type": "KeyError"}, "KeyError"),
    ],
)
def test_an_error_in_a_line(error: Any, line: str) -> None:
    """The program may write an object or a text."""
    found = Summary.parse({"error": error}).error
    assert found is not None
    assert found.line == line
    assert Summary.parse({"error": {}}).error is None


def test_a_summary_is_a_value() -> None:
    """Two are equal if their whole JSON is, including the parts that coord does not know; neither can be changed."""
    assert Summary.parse(WHOLE) == Summary.parse(json.loads(json.dumps(WHOLE)))
    assert Summary.parse(WHOLE) != Summary.parse({**WHOLE, "of another program": 1})
    with pytest.raises(AttributeError):
        Summary.parse(WHOLE).status = "complete"  # type: ignore[misc]
    assert repr(Summary.parse(WHOLE)) == "Summary()"


@given(st.one_of(JSON, objects(*WHOLE), objects("metrics", "folds", "values", "error", "split", "nested_rules")))
def test_any_json_is_a_summary(data: Any) -> None:
    """Every part of any value can be read without an error, and it gives the same JSON back."""
    found = Summary.parse(data)
    for name in (name for name in dir(Summary) if not name.startswith("_")):
        getattr(found, name)
    assert found.to_json() == data
