"""The analysis after the training, in a real run."""

from __future__ import annotations

import csv
import json
import statistics
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from model_src.data.rle import decode
from model_src.prediction.thresholds import FULL_AREA
from tests.model_src.session_root import TINY, attach, changed, train


def rows(root: Path, name: str) -> list[dict[str, str]]:
    """A CSV file of the run's output."""
    with (root / "working" / name).open(newline="") as file:
        return list(csv.DictReader(file))


def summary(root: Path) -> dict[str, Any]:
    """The run's metrics.json."""
    return dict(json.loads((root / "working" / "metrics.json").read_text()))


@pytest.fixture(scope="module")
def finished(sample_data: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The root of a finished tiny run of two folds that submits under the chosen rule, and its standard output."""
    root = tmp_path_factory.mktemp("analysed")
    attach(root, sample_data)
    done = train(root, changed(TINY, predict={"choose": True}, evaluate={"worst": 3}, train={"epochs": 1}))
    assert done.returncode == 0, done.stderr
    return root, done.stdout


def test_the_bottlenecks_are_measured(finished: tuple[Path, str]) -> None:
    """The baseline is the score, bit for bit; the ladder ends at 1; the losses sum up to 1 - dice; table and log."""
    root, output = finished
    left = summary(root)
    oracle = left["oracle"]
    assert oracle["metric"] == "cv/dice"
    assert oracle["baseline"] == left["primary"]["value"]
    assert oracle["ladder"][-1]["value"] == 1.0
    assert sum(each["loss"] for each in oracle["split"].values()) == pytest.approx(1 - oracle["baseline"])
    table = rows(root, "oracle.csv")
    assert [row["part"] for row in table] == ["baseline", *["alone"] * 5, *["ladder"] * 5, *["split"] * 4]
    assert [float(row["dice"]) for row in table[1:6]] == pytest.approx(
        [each["value"] for each in oracle["alone"]], abs=1e-6
    )
    assert output.count("bottleneck: ") == 3


def test_the_choice_is_reported_with_its_unbiased_estimate(finished: tuple[Path, str]) -> None:
    """The chosen rule is the best of thresholds.csv; oof.csv has the dice under it and under the nested rules."""
    root, _ = finished
    left = summary(root)
    means = {each["name"]: each["mean"] for each in left["metrics"]}
    curve, oof = rows(root, "thresholds.csv"), rows(root, "oof.csv")
    rule = left["choice"]["rule"]
    best = max(float(row["dice"]) for row in curve)
    assert left["choice"]["dice_chosen"] == pytest.approx(best, abs=1e-5)
    assert best >= float(curve[0]["dice"]) == pytest.approx(means["cv/dice"], abs=1e-5)
    (chosen,) = [row for row in curve if all(float(row[name]) == rule[name] for name in rule)]
    assert float(chosen["dice"]) == best
    for name in ("chosen", "nested"):
        mean = statistics.fmean(float(row[f"dice_{name}"]) for row in oof)
        assert mean == pytest.approx(left["choice"][f"dice_{name}"], abs=1e-5)
        assert mean == pytest.approx(means[f"cv/dice_{name}"], abs=1e-5)
    assert means["cv/dice_chosen"] >= means["cv/dice_nested"] - 1e-9
    assert [each["fold"] for each in left["choice"]["nested_rules"]] == [0, 1]


def test_the_submission_follows_the_chosen_rule(finished: tuple[Path, str]) -> None:
    """`thresholds` has the values of the rule, and no submitted mask is smaller than its least area."""
    root, _ = finished
    left = summary(root)
    rule = left["choice"]["rule"]
    assert left["thresholds"] == {
        "score": rule["score"],
        "mask": rule["bottom"],
        "top": rule["top"],
        "min_area": rule["min_area"],
    }
    for row in rows(root, "submission.csv"):
        area = int(decode(row["EncodedPixels"], 64, 64).sum())
        assert area == 0 or area >= rule["min_area"] * 64 * 64 / FULL_AREA


def test_the_worst_are_drawn(finished: tuple[Path, str]) -> None:
    """As many as configured, the lowest dice first: a file for each, and one sheet with all of them."""
    root, _ = finished
    drawn = sorted(path.name for path in (root / "working" / "worst").iterdir())
    assert len(drawn) == 3
    dice = {row["ImageId"]: float(row["dice"]) for row in rows(root, "oof.csv")}
    named = [dice[name.split("-", 1)[1].removesuffix(".png")] for name in drawn]
    assert named == sorted(dice.values())[:3]
    with Image.open(root / "working" / "worst.png") as page:
        assert len(np.unique(np.asarray(page))) > 10


def test_the_mirrored_picture_is_measured(finished: tuple[Path, str]) -> None:
    """Without the mirrored image, the row has the dice of the run; with it, another one."""
    left = summary(finished[0])
    plain, mirrored = left["ablation"]
    assert (plain["name"], plain["value"], mirrored["value"]) == ("tta", "none", "hflip")
    assert plain["dice"] == pytest.approx(left["primary"]["value"], abs=1e-12)
    assert plain["dice_chosen"] == pytest.approx(left["choice"]["dice_chosen"])
    assert mirrored["dice_chosen"] >= mirrored["dice"] - 1e-9
    assert (plain["difference"], plain["difference_error"]) == (0, 0)
    assert mirrored["difference"] == pytest.approx(mirrored["dice"] - plain["dice"], abs=1e-12)


def test_the_loop_is_profiled(finished: tuple[Path, str]) -> None:
    """Seconds of every part, not more than those of the stage, and a line in the log that names the slowest part."""
    root, output = finished
    left = summary(root)
    profile = left["profile"]
    assert profile["limit"] in ("data", "transfer", "forward", "backward", "step")
    assert profile["steps"] > profile["measured_steps"] > 0
    assert 0 < profile["evaluation"] <= left["stages"]["evaluate"] + 0.01
    assert "the limit is" in profile["text"]
    assert profile["text"] in output


def test_one_fold_mirrored_and_nothing_else(sample_data: Path, tmp_path: Path) -> None:
    """Without the analysis its files are missing; a single fold has no nested estimate; hflip gives the score."""
    attach(tmp_path, sample_data)
    config = changed(
        TINY,
        folds={"run": [0]},
        train={"epochs": 1},
        predict={"tta": "hflip"},
        evaluate={"oracle": False, "ablation": False, "worst": 0},
    )
    done = train(tmp_path, config)
    assert done.returncode == 0, done.stderr
    left = summary(tmp_path)
    assert (left["oracle"], left["ablation"], left["choice"]["dice_nested"]) == (None, [], None)
    assert float(rows(tmp_path, "thresholds.csv")[0]["dice"]) == pytest.approx(left["primary"]["value"], abs=1e-5)
    assert {row["dice_nested"] for row in rows(tmp_path, "oof.csv")} == {""}
    assert not {"oracle.csv", "worst", "worst.png"} & {path.name for path in (tmp_path / "working").iterdir()}
