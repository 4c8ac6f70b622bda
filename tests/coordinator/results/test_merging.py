"""The summaries of single folds, merged into one of all folds."""

from __future__ import annotations

from typing import Any

import pytest

from coordinator.results.merging import merge_summaries
from coordinator.results.metrics import Baseline, FoldValue
from coordinator.results.summary import Summary


def _fold(fold: int, value: float | None, images: int, **changes: Any) -> Summary:
    folds = [{"fold": fold, "value": value, "n": images}]
    metric = {"mode": "max", "folds": folds, "mean": value, "sd": None, "n": images, "unit": "share"}
    return Summary.parse(
        {
            "schema": 1,
            "status": "complete",
            "started": f"2026-11-01T00:00:0{9 - fold}+00:00",
            "seconds": 10.5,
            "primary": {"name": "cv/dice", "mode": "max", "value": value},
            "metrics": [{"name": "cv/dice", **metric}, {"name": "cv/dice_chosen", **metric}],
            "baselines": [
                {"name": "all-empty", "metric": "cv/dice", "value": fold / 10},
                {"name": "constant", "metric": "cv/loss", "value": 1},
            ],
            "stages": {"train": 8.25, f"only {fold}": 1},
            "versions": {"python": "3.12.1"},
            "devices": [f"card {fold}"],
            "oracle": {"metric": "cv/dice"},
            **changes,
        }
    )


def test_folds_are_weighted_by_their_images() -> None:
    """The primary metric and its baselines are means over the images; mean and sd are over the sorted folds."""
    found = merge_summaries([_fold(1, 0.5, 30), _fold(0, 0.9, 10)], frozenset({"cv/dice_chosen"}))
    assert found.primary_value == pytest.approx(0.6)
    (metric,) = found.metrics
    assert metric.folds == (FoldValue("0", 0.9, 10), FoldValue("1", 0.5, 30))
    assert (metric.name, metric.mean, metric.images) == ("cv/dice", 0.7, 40)
    assert metric.sd == pytest.approx(0.2828427)
    (baseline,) = found.baselines
    assert (baseline.name, baseline.metric) == ("all-empty", "cv/dice")
    assert baseline.value == pytest.approx(0.075)


def test_what_is_of_all_folds_together() -> None:
    """The earliest start, the sum of the times, what is equal in all folds; no analysis that is about one fold only."""
    found = merge_summaries([_fold(0, 0.5, 1), _fold(1, 0.5, 1)], frozenset(), run_id="merged")
    assert (found.status, found.started, found.seconds) == ("complete", "2026-11-01T00:00:08+00:00", 21.0)
    assert found.stages == {"train": 16.5, "only 0": 1.0, "only 1": 1.0}
    assert (found.schema, found.versions, found.devices) == (1, {"python": "3.12.1"}, ())
    assert (found.bottlenecks, found.run_id) == (None, "merged")


def test_what_coord_does_not_know_of_a_metric_is_kept() -> None:
    """Another model source may report more about it."""
    found = merge_summaries([_fold(0, 0.5, 1), _fold(1, 0.5, 1)], frozenset()).to_json()
    assert [metric["unit"] for metric in found["metrics"]] == ["share", "share"]


def test_a_metric_that_one_fold_lacks_is_left_out() -> None:
    """A metric that is not over folds is left out, too."""
    apart = {"name": "holdout/dice", "mode": "max", "folds": [], "mean": 0.5}
    first, second = _fold(0, 0.5, 1), _fold(1, 0.5, 1)
    second = Summary.parse({**second.to_json(), "metrics": [second.to_json()["metrics"][0], apart]})
    first = Summary.parse({**first.to_json(), "metrics": [*first.to_json()["metrics"], apart]})
    found = merge_summaries([first, second], frozenset())
    assert [metric.name for metric in found.metrics] == ["cv/dice"]


def test_parts_that_are_missing_count_for_nothing() -> None:
    """Without numbers of images all runs have the same weight; a baseline that one run lacks has no value."""
    first = _fold(0, 0.5, 30, metrics=None, baselines=[{"name": "all-empty", "metric": "cv/dice", "value": 0.1}])
    second = _fold(1, 0.7, 10, metrics=None, baselines=None, seconds=None, stages="none", started=None)
    found = merge_summaries([first, second], frozenset())
    assert found.primary_value == pytest.approx(0.6)
    assert found.baselines == (Baseline("all-empty", "cv/dice", None),)
    assert (found.seconds, found.stages, found.started) == (
        10.5,
        {"train": 8.25, "only 0": 1.0},
        "2026-11-01T00:00:09+00:00",
    )
