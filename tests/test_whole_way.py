"""The model of this repository from real labels to the cross-validation table: it is pushed, run and fetched.

The pictures are drawn around real masks of the competition's label file, which is in the wheel of torchxrayvision.
"""

from __future__ import annotations

import csv
import gzip
import importlib.util
import json
import math
import os
from pathlib import Path

import pytest

from tests.coordinator.command import Coord
from tests.model_src.session_root import make_narrow
from tests.own_project import SETTINGS, SMALL, project as project, write_samples

IMAGES = 36

# Trains as the demo does, on pictures of half the size, with a smaller head. The steps after the
# training are tested with the real labels.
QUICKER = (
    *SMALL,
    *("folds.run=[0]", "model.channels=32", "model.box_features=64"),
    *("proposals.rpn_batch=32", "proposals.roi_batch=16"),
    "train.epochs=7",
    "schedule.step_size=5",
    "train.evaluate_every=7",
    "evaluate.oracle=false",
    "evaluate.ablation=false",
)


@pytest.fixture
def labels() -> Path:
    # Is not imported: the package's dependencies are not installed, and not needed for its data file.
    package = importlib.util.find_spec("torchxrayvision")
    if package is None or not package.submodule_search_locations:
        pytest.skip("needs the label file of the torchxrayvision wheel: pip install --no-deps torchxrayvision")
    return Path(package.submodule_search_locations[0]) / "data" / "siim-pneumothorax-train-rle.csv.gz"


def _with_data(project: Path, data: Path, *arguments: str) -> Coord:
    """`coord` in the project, with sample data registered as the data set that `smoke` attaches."""
    write_samples(data, *arguments)
    coord = Coord(project, os.environ | {"COORD_TARGET": "local"})
    coord("local", "add-dataset", "local/siim-sample", str(data))
    return coord


@pytest.mark.slow
def test_smoke_learns_the_sample_data(project: Path, tmp_path: Path) -> None:
    """The experiment of the demo, with one of its two folds: its dice is at least 0.10 above the all-empty score.

    Half of the pictures are positive, more than in the demo: so it learns in fewer epochs.
    """
    coord = _with_data(project, tmp_path / "data", "--test-images", "4", "--positive", "0.5")
    sets = [word for setting in QUICKER for word in ("--set", setting)]
    coord("push", "--exp", "smoke", *sets, "--wait")
    table = coord("fetch-results").stdout
    summary = json.loads((coord.root / "results" / "smoke" / "local-v1" / "metrics.json").read_text())
    (baseline,) = summary["baselines"]
    assert summary["primary"]["value"] >= baseline["value"] + 0.10
    for value in (summary["primary"]["value"], baseline["value"]):
        assert f"{value:.4f}" in table


@pytest.mark.slow
def test_real_labels_go_all_the_way(project: Path, labels: Path, tmp_path: Path) -> None:
    """Push, status and fetch-results, narrow Mask R-CNN, 36 images of the real label file: all is consistent."""
    arguments = ("--labels", str(labels), "--images", str(IMAGES), "--test-images", "4")
    coord = _with_data(project, tmp_path / "data", *arguments)
    make_narrow(project)
    sets = [word for setting in SETTINGS for word in ("--set", setting)]
    coord("push", "--exp", "smoke", *sets, "--wait")
    (run,) = coord.json("status")
    assert run["state"] == "complete"
    assert run["last_event"]["metrics"]["cv/dice"] is not None

    table = coord("fetch-results", "--exp", "smoke").stdout
    for expected in ("smoke local-v1, cross-validation", "cv/dice", "mean", "sd", "baseline all-empty", "seconds"):
        assert expected in table

    results = coord.root / "results" / "smoke" / "local-v1"
    summary = json.loads((results / "metrics.json").read_text())
    manifest = json.loads((coord.root / "build" / "smoke" / "manifest.json").read_text())
    assert summary["digest"] == run["digest"] == manifest["digest"]
    assert summary["config"]["data"]["image_size"] == 64

    # The pictures and their masks are those of the real file.
    with gzip.open(labels, "rt", encoding="utf-8-sig") as file:
        rows = [[cell.strip() for cell in row] for row in csv.reader(file)][1:]
    real = {image_id: False for image_id, _ in rows} | {image_id: True for image_id, mask in rows if mask != "-1"}
    chosen = sorted(real)[:IMAGES]
    with (results / "oof.csv").open(encoding="utf-8", newline="") as file:
        oof = list(csv.DictReader(file))
    assert [row["ImageId"] for row in oof] == chosen
    assert {row["ImageId"]: int(row["truth_area"]) > 0 for row in oof} == {
        image_id: real[image_id] for image_id in chosen
    }

    # The values of the table are the means of the out-of-fold rows; the baseline is the score of empty predictions.
    dice = [float(row["dice"]) for row in oof]
    assert math.isclose(summary["primary"]["value"], sum(dice) / len(dice), abs_tol=1e-5)
    for fold in summary["metrics"][0]["folds"]:
        own = [float(row["dice"]) for row in oof if int(row["fold"]) == fold["fold"]]
        assert fold["n"] == len(own)
        assert math.isclose(fold["value"], sum(own) / len(own), abs_tol=1e-5)
    assert math.isclose(summary["baselines"][0]["value"], 1 - sum(real[image_id] for image_id in chosen) / IMAGES)

    with (results / "submission.csv").open(encoding="utf-8", newline="") as file:
        submission = list(csv.reader(file))
    assert submission[0] == ["ImageId", "EncodedPixels"]
    assert [row[0] for row in submission[1:]] == sorted(real)[IMAGES : IMAGES + 4]
