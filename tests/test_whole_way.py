"""The model of this repository from real labels to the cross-validation table and to a score, as a new project has it.

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

from model_src.data.labels import read_labels
from model_src.score import competition_score
from runner_test.samples import SampleData, write_sample_data
from tests.coordinator.command import Coord
from tests.coordinator.new_project import made as made, submitted
from tests.model_src.session_root import make_narrow
from tests.own_project import SETTINGS, SMALL, project as project, write_samples

IMAGES = 20

ONLY_TRAINED = ("evaluate.oracle=false", "evaluate.ablation=false", "evaluate.worst=0")
# Trains as the demo does, on pictures of half the size, with a smaller head. The steps after the
# training are tested with the real labels. Of five evaluations two come after the rate has become lower.
QUICKER = (
    *SMALL,
    *("folds.run=[0]", "model.channels=32", "model.box_features=64"),
    *("proposals.rpn_batch=32", "proposals.roi_batch=16"),
    *("train.epochs=10", "schedule.step_size=7"),
    *ONLY_TRAINED,
)


@pytest.fixture
def labels() -> Path:
    # Is not imported: the package's dependencies are not installed, and not needed for its data file.
    package = importlib.util.find_spec("torchxrayvision")
    if package is None or not package.submodule_search_locations:
        pytest.skip("needs the label file of the torchxrayvision wheel: pip install --no-deps torchxrayvision")
    return Path(package.submodule_search_locations[0]) / "data" / "siim-pneumothorax-train-rle.csv.gz"


def _sets(*settings: str) -> list[str]:
    return [word for setting in settings for word in ("--set", setting)]


@pytest.mark.slow
@pytest.mark.release
def test_smoke_learns_the_sample_data(project: Path, tmp_path: Path) -> None:
    """The experiment of the demo, with one of its two folds: its dice is at least 0.10 above the all-empty score.

    Half of the pictures are positive, more than in the demo, so it learns in fewer epochs; with a quarter of the
    channels it learns as much in half the time.
    """
    make_narrow(project, 4)
    write_samples(tmp_path / "data", "--test-images", "4", "--positive", "0.5", "--size", "128")
    coord = Coord(project, os.environ | {"COORD_TARGET": "local"})
    coord.here("local", "add-dataset", "local/siim-sample", str(tmp_path / "data"))
    coord("push", "--exp", "smoke", *_sets(*QUICKER), "--wait")
    table = coord("fetch-results").stdout
    summary = json.loads((coord.root / "results" / "smoke" / "local-v1" / "metrics.json").read_text())
    (baseline,) = summary["baselines"]
    assert summary["primary"]["value"] >= baseline["value"] + 0.10
    for value in (summary["primary"]["value"], baseline["value"]):
        assert f"{value:.4f}" in table


@pytest.mark.slow
def test_real_labels_go_all_the_way(made: Coord, labels: Path) -> None:
    """A new project with this model, narrow, and 20 images of the real label file; all that comes of it is consistent.

    Dry run, a push that is stopped after its first step, continue, status, fetch-results, submission, score.
    """
    made.here("init", ".", "--template", "mask-rcnn", "--owner", "ada")
    make_narrow(made.root)
    data, smoke = made.root / ".coord" / "sample-data", ("--exp", "smoke")
    write_sample_data(data, SampleData(images=IMAGES, test_images=4, labels=labels))
    made("dry-run", *smoke, *_sets(*SETTINGS, *ONLY_TRAINED))
    solution = data.with_name(f"{data.name}-solution.csv")
    made.here("local", "add-dataset", "local/siim-sample", str(data))
    made.here("local", "add-competition", "siim", str(data), "--solution", str(solution))
    made.here("push", *smoke, *_sets(*SETTINGS, "train.stop_after_steps=1"), "--wait")
    made.here("continue", *smoke, *_sets("train.stop_after_steps=null"), "--wait")
    run, _ = made.json("status")
    assert run["state"] == "complete"
    assert run["last_event"]["metrics"]["cv/dice"] is not None

    first = json.loads((made.session_root("my-project-smoke", 1) / "working" / "metrics.json").read_text())
    assert (first["status"], first["stopped"]["step"]) == ("incomplete", 1)
    table = made("fetch-results", *smoke).stdout
    for expected in ("smoke local-v2, cross-validation", "cv/dice", "mean", "sd", "baseline all-empty", "seconds"):
        assert expected in table

    results = made.root / "results" / "smoke" / "local-v2"
    summary = json.loads((results / "metrics.json").read_text())
    manifest = json.loads((made.root / "build" / "smoke" / "manifest.json").read_text())
    assert summary["digest"] == run["digest"] == manifest["digest"]
    assert summary["config"]["data"]["image_size"] == 64
    assert (summary["status"], summary["resumed"]["from"]) == ("complete", "ada/my-project-smoke")

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

    public, private = submitted(made, "siim", "my-project-smoke", version=2)
    # One of the four is in the public part.
    whole = competition_score(results / "submission.csv", solution, read_labels(solution).keys())
    assert (public + 3 * private) / 4 == pytest.approx(whole, abs=1e-4)
