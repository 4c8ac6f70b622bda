"""The training program as a process, in a session root, with generated data in the real format."""

from __future__ import annotations

import csv
import json
import os
import re
import signal
from pathlib import Path
from typing import Any

import pytest
import torch

from model_src.data.labels import read_labels
from model_src.data.rle import decode
from tests.model_src.session_root import LOADED, PROJECT, TINY, attach, changed, started, train
from tests.warm import run_warm

BRIEF = changed(TINY, evaluate={"oracle": False, "ablation": False, "worst": 0})
"""Without the analysis after the training, for tests that do not look at it."""


def read(root: Path, name: str) -> dict[str, Any]:
    """A JSON file of the run's output."""
    return dict(json.loads((root / "working" / name).read_text()))


def rows(root: Path, name: str) -> list[dict[str, str]]:
    """A CSV file of the run's output."""
    with (root / "working" / name).open(newline="") as file:
        return list(csv.DictReader(file))


def test_summary_keeps_the_contract(finished_run: tuple[Path, str]) -> None:
    """metrics.json has the identity of the run, its status, the metrics per fold and over all, and the baseline."""
    left = read(finished_run[0], "metrics.json")
    assert (left["schema"], left["status"], left["error"]) == (1, "complete", None)
    assert (left["experiment"], left["run_id"], left["digest"]) == ("tiny", "run-1", "sha256:0123")
    metrics = {each["name"]: each for each in left["metrics"]}
    dice = metrics["cv/dice"]
    assert [(each["fold"], each["n"]) for each in dice["folds"]] == [(0, 8), (1, 8)]
    assert dice["mean"] == pytest.approx(sum(each["value"] for each in dice["folds"]) / 2)
    assert dice["sd"] == pytest.approx(abs(dice["folds"][0]["value"] - dice["folds"][1]["value"]) / 2**0.5)
    assert left["primary"] == {"name": "cv/dice", "mode": "max", "value": pytest.approx(dice["mean"])}
    assert left["baselines"] == [{"name": "all-empty", "metric": "cv/dice", "value": 0.5}]
    assert (left["counts"]["images"], left["counts"]["positive"], left["counts"]["skipped"]) == (16, 8, 0)
    assert left["stages"].keys() == {"data", "train", "evaluate", "choose", "predict", "explain"}
    assert left["versions"].keys() == {"python", "torch", "torchvision", "numpy", "image"}
    assert left["thresholds"].keys() == {"score", "mask", "presence"}
    assert left["config"]["train"]["epochs"] == 2
    assert metrics["cv/dice_chosen_presence"]["mean"] >= dice["mean"] - 1e-9
    assert 0 < sum(left["stages"].values()) <= left["seconds"]


def test_events_keep_the_contract(finished_run: tuple[Path, str]) -> None:
    """Epochs counted from 1, folds from 0, steps and time rising; the log shows the same lines."""
    root, output = finished_run
    lines = (root / "working" / "metrics.jsonl").read_text().splitlines()
    events = [json.loads(line) for line in lines if '"message"' not in line]
    assert [event["event"] for event in events] == ["start", *["epoch", "epoch", "fold"] * 2, "end"]
    epochs = [event for event in events if event["event"] == "epoch"]
    assert [(event["fold"], event["epoch"], event["epochs"]) for event in epochs] == [
        (0, 1, 2),
        (0, 2, 2),
        (1, 1, 2),
        (1, 2, 2),
    ]
    assert epochs[1]["step"] == 2 * epochs[0]["step"] > 0
    assert {"train/loss", "train/lr", "val/dice"} <= epochs[0]["metrics"].keys()
    assert sorted(event["time"] for event in events) == [event["time"] for event in events]
    assert [line.removeprefix("COORD ") for line in output.splitlines() if line.startswith("COORD ")] == lines


def test_oof_has_each_picture_once_by_the_fold_that_did_not_see_it(
    finished_run: tuple[Path, str], sample_data: Path
) -> None:
    """One row per image; the mean dice is the reported value; areas are those of the masks."""
    root, _ = finished_run
    labels = read_labels(sample_data / "train-rle.csv")
    oof = rows(root, "oof.csv")
    assert sorted(row["ImageId"] for row in oof) == sorted(labels)
    mean = sum(float(row["dice"]) for row in oof) / len(oof)
    assert mean == pytest.approx(read(root, "metrics.json")["primary"]["value"], abs=1e-5)
    for row in oof:
        assert (int(row["truth_area"]) > 0) == bool(labels[row["ImageId"]])
        assert decode(row["EncodedPixels"], 64, 64).sum() == int(row["predicted_area"])


def test_submission_has_one_row_a_test_picture(finished_run: tuple[Path, str], sample_data: Path) -> None:
    """The ids of the sample submission, each with one code that fits the image, or -1."""
    submission = rows(finished_run[0], "submission.csv")
    expected = read_labels(sample_data / "sample_submission.csv")
    assert sorted(row["ImageId"] for row in submission) == sorted(expected)
    for row in submission:
        decode(row["EncodedPixels"], 64, 64)
        assert row["EncodedPixels"]


def test_fold_is_the_same_alone_and_again(finished_run: tuple[Path, str], single_fold_runs: list[Path]) -> None:
    """The second fold, run once more and without the first, gives the same weights bit for bit and the same rows."""
    first, second = finished_run[0], single_fold_runs[1]
    one, other = (torch.load(root / "working" / "fold1.pth", weights_only=True) for root in (first, second))
    assert one["epoch"] == other["epoch"]
    assert all(torch.equal(one["model"][name], other["model"][name]) for name in one["model"])
    assert one["history"] == other["history"]
    # The rule is chosen on all folds of the run, and the nested rule needs two.
    one_rows, other_rows = (
        [{key: value for key, value in row.items() if key not in ("dice_chosen", "dice_nested")} for row in found]
        for found in (rows(first, "oof.csv"), rows(second, "oof.csv"))
    )
    assert other_rows == [row for row in one_rows if row["fold"] == "1"]
    assert read(second, "metrics.json")["metrics"][0]["sd"] is None


def test_starts_from_an_earlier_runs_model(finished_run: tuple[Path, str], sample_data: Path, tmp_path: Path) -> None:
    """A run starts with the weights of a fold in the attached output of a kernel; frozen weights do not change."""
    attach(tmp_path, sample_data)
    earlier = tmp_path / "input" / "notebooks" / "ann" / "earlier"
    earlier.parent.mkdir(parents=True)
    earlier.symlink_to(finished_run[0] / "working")
    config = changed(BRIEF, model={"weights": "fold1.pth"}, folds={"run": [0]}, train={"epochs": 1})
    done = train(tmp_path, config)
    assert done.returncode == 0, done.stderr
    assert len(re.findall(r"(\d+) of \1 tensors loaded from fold1\.pth", done.stdout)) == 1
    was, now = (
        torch.load(path, weights_only=True)["model"]
        for path in (earlier / "fold1.pth", tmp_path / "working" / "fold0.pth")
    )
    assert torch.equal(was["backbone.body.layer1.0.conv1.weight"], now["backbone.body.layer1.0.conv1.weight"])
    assert not torch.equal(was["backbone.body.layer4.0.conv1.weight"], now["backbone.body.layer4.0.conv1.weight"])


def test_weights_that_are_missing_end_a_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without internet the report says what to attach."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    done = train(tmp_path, changed(TINY, model={"weights": "IMAGENET1K_V1"}))
    assert done.returncode == 1
    error = read(tmp_path, "metrics.json")["error"]
    assert error["type"] == "InputMissing"
    assert error["message"].startswith("model.weights: IMAGENET1K_V1 needs resnet18-")
    assert "`enable_internet: true`" in error["message"]


def test_weights_that_do_not_fit_end_a_run_before_it_reads_pictures(tmp_path: Path) -> None:
    """Nothing else is attached, but the report names the weights."""
    torch.save({"fc.weight": torch.zeros(3)}, tmp_path / "other.pth")
    done = train(tmp_path, changed(TINY, model={"weights": str(tmp_path / "other.pth")}))
    assert done.returncode == 1
    error = read(tmp_path, "metrics.json")["error"]
    assert error["type"] == "BadWeights"
    assert "other.pth does not fit the model" in error["message"]


@pytest.mark.parametrize("unreadable", ["stop", "skip"])
def test_unreadable_picture(sample_data: Path, tmp_path: Path, unreadable: str) -> None:
    """By the setting, the run fails with an error that names the file, or continues without it and counts it.

    A test image is damaged, too: Kaggle needs a row for it, so it gets an empty mask.
    """
    source = tmp_path / "source"
    for path in sample_data.rglob("*"):
        if path.is_file():
            copy = source / path.relative_to(sample_data)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(path.read_bytes())
    broken = sorted((source / "dicom-images-train").rglob("*.dcm"))[0]
    broken.write_bytes(b"not an image")
    to_predict = sorted((source / "dicom-images-test").rglob("*.dcm"), key=lambda path: path.stem)
    to_predict[1].write_bytes(b"not an image")
    root = tmp_path / "root"
    attach(root, source)
    config = changed(BRIEF, data={"unreadable": unreadable}, folds={"run": [0]}, train={"epochs": 1})
    done = train(root, config)
    left = read(root, "metrics.json")
    if unreadable == "stop":
        assert done.returncode == 1
        assert (left["status"], left["error"]["type"]) == ("error", "UnreadableDicom")
        assert broken.name in left["error"]["message"]
        assert "model_src/data/pictures.py" in done.stderr
    else:
        assert done.returncode == 0, done.stderr
        counts = left["counts"]
        assert (left["status"], counts["images"], counts["test_images"]) == ("complete", 15, 2)
        assert (counts["skipped"], counts["test_skipped"]) == (2, 1)
        assert broken.name in done.stdout
        assert "test images that can't be read: 1; the submission has an empty mask (-1) for each" in done.stdout
        submission = rows(root, "submission.csv")
        assert [row["ImageId"] for row in submission] == [path.stem for path in to_predict]
        assert submission[1]["EncodedPixels"] == "-1"


def test_stops_early_on_a_part_of_the_data(sample_data: Path, tmp_path: Path) -> None:
    """A constant dice ends the fold; `limit` takes fewer images; without test images the submission is empty.

    No instance reaches the score of 1, so every epoch has the score of empty masks.
    """
    source = tmp_path / "source"
    source.mkdir()
    for name in ("train-rle.csv", "dicom-images-train"):
        (source / name).symlink_to(sample_data / name)
    attach(tmp_path, source)
    config = changed(
        BRIEF,
        data={"limit": 12},
        folds={"run": [0]},
        train={"epochs": 9, "patience": 1},
        predict={"score_threshold": 1.0},
    )
    done = train(tmp_path, config)
    assert done.returncode == 0, done.stderr
    left = read(tmp_path, "metrics.json")
    assert left["counts"]["images"] == 12
    assert left["primary"]["value"] == left["baselines"][0]["value"]
    assert done.stdout.count('"event": "epoch"') == 2
    assert "fold 0 stops after epoch 2" in done.stdout
    assert (tmp_path / "working" / "submission.csv").read_text() == "ImageId,EncodedPixels\n"


def test_missing_data_is_reported(tmp_path: Path) -> None:
    """Nothing attached: the report has the reason, the log the traceback, and the exit code is 1."""
    done = train(tmp_path, TINY)
    left = read(tmp_path, "metrics.json")
    assert done.returncode == 1
    assert (left["status"], left["error"]["type"]) == ("error", "InputMissing")
    assert "seesee/siim-train-test is not attached" in left["error"]["message"]
    assert "Traceback" in done.stderr


def test_run_that_is_stopped_leaves_what_it_had(sample_data: Path, tmp_path: Path) -> None:
    """A session that gets SIGTERM reports its epochs and an error."""
    attach(tmp_path, sample_data)
    config = changed(TINY, train={"epochs": 500, "evaluate_every": 500})
    with started(tmp_path, config) as process:
        for line in process.output:
            if '"event": "epoch"' in line:
                break
        os.kill(process.id, signal.SIGTERM)
    assert process.returncode == 128 + signal.SIGTERM
    left = read(tmp_path, "metrics.json")
    assert (left["status"], left["error"]["type"], left["counts"]["images"]) == ("error", "SystemExit", 16)
    assert '"epoch": 1,' in (tmp_path / "working" / "metrics.jsonl").read_text()


def test_without_a_bundle(tmp_path: Path) -> None:
    """Without coord's environment it has the default config and the identity "unbundled"."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COORD_")}
    environment |= {"COORD_KAGGLE_ROOT": str(tmp_path), "PYTHONPATH": str(PROJECT)}
    done = run_warm("model_src.train", cwd=tmp_path, env=environment, loaded=LOADED)
    assert done.returncode == 1
    left = json.loads((tmp_path / "metrics.json").read_text())
    assert (left["experiment"], left["digest"], left["config"]["train"]["epochs"]) == ("unbundled", "unbundled", 10)
