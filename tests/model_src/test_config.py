"""The config: defaults, reading, and what it refuses."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from model_src import config
from model_src.config import (
    Config,
    MaskLossConfig,
    TrainConfig,
    load,
    to_dict,
)
from tests.model_src.session_root import PROJECT


def test_defaults_are_the_best_known_run() -> None:
    """An experiment without settings is the run with the best known score."""
    chosen = config.load(None)
    assert (chosen.optim.lr, chosen.optim.momentum, chosen.optim.weight_decay) == (0.001, 0.9, 0.0005)
    assert (chosen.schedule.step_size, chosen.schedule.gamma, chosen.train.epochs) == (4, 0.1, 10)
    assert (chosen.model.backbone, chosen.data.image_size) == ("resnet50", 1024)


def test_reads_back_what_it_writes(tmp_path: Path) -> None:
    """A config is unchanged by writing and reading JSON: tuples, None, and whole numbers as floats."""
    path = tmp_path / "config.json"
    path.write_text('{"seed": 7, "optim": {"lr": 1}, "folds": {"n": 4, "run": [0, 3]}, "data": {"limit": 5}}')
    chosen = config.load(path)
    assert (chosen.optim.lr, chosen.folds.run, chosen.data.limit) == (1.0, (0, 3), 5)
    path.write_text(json.dumps(config.to_dict(chosen)))
    assert config.load(path) == chosen


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"optm": {}}, "unknown key optm"),
        ({"optim": {"learning_rate": 1, "lrr": 1}}, "unknown key optim.learning_rate, optim.lrr"),
        ({"optim": 1}, "optim must be a mapping, is 1"),
        ({"optim": {"lr": -1}}, "optim: lr must be > 0, is -1.0"),
        ({"optim": {"lr": "0.1"}}, "optim.lr must be a number, is '0.1'"),
        ({"optim": {"lr": True}}, "optim.lr must be a number, is True"),
        ({"train": {"epochs": 1.5}}, "train.epochs must be a whole number, is 1.5"),
        ({"train": {"epochs": 0, "batch_size": 0}}, "epochs must be >= 1, is 0\nbatch_size must be >= 1, is 0"),
        ({"folds": {"n": 3, "run": [0, 3]}}, r"run must hold folds from 0 to 2, holds \[3\]"),
        ({"folds": {"run": ["a"]}}, r"folds.run\[0\] must be a whole number, is 'a'"),
        ({"model": {"backbone": "vgg"}}, "model.backbone must be one of resnet18, resnet34, resnet50, is 'vgg'"),
        (
            {"model": {"backbone": "resnet18", "weights": "COCO_V1"}},
            "model: weights must be IMAGENET1K_V1 for resnet18, or name a file, is 'COCO_V1'",
        ),
        (
            {"model": {"weights": "coco_v1"}},
            "weights must be COCO_V1 or IMAGENET1K_V1 or IMAGENET1K_V2 for resnet50, or name a file, is 'coco_v1'",
        ),
        ({"model": {"weights": ""}}, "weights must name a file or be null, is empty"),
        ({"data": {"image_size": 100}}, "image_size must be a multiple of 32, is 100"),
        ({"data": {"limit": 0}}, "limit must be >= 1 or null, is 0"),
        ({"predict": {"choose_presence": 1}}, "predict.choose_presence must be true or false, is 1"),
        ({"folds": {"holdout": 1.0}}, "folds: holdout must be at least 0 and below 1, is 1.0"),
        ({"folds": {"holdout": -0.1}}, "folds: holdout must be at least 0 and below 1, is -0.1"),
        ({"folds": {"seed": -1}}, "folds: seed must be from 0 to 2147483647 or null, is -1"),
        ({"train": {"average_best": 0}}, "train: average_best must be >= 1, is 0"),
        ({"predict": {"weights": "average"}}, "predict.weights must be best when train.average_best is 1, is average"),
        ({"seed": -1}, "seed must be from 0 to 2147483647, is -1"),
        ({"repeat": 0}, "config: repeat must be >= 1, is 0$"),
        ({"seed": 2**31 - 2, "repeat": 3}, r"seed \+ repeat - 1 must be at most 2147483647, is 2147483648"),
    ],
)
def test_refuses(tmp_path: Path, values: dict[str, Any], message: str) -> None:
    """Unknown keys, wrong types and values out of range are errors with the path of the key."""
    path = tmp_path / "config.json"
    path.write_text(json.dumps(values))
    with pytest.raises(ValueError, match=message):
        config.load(path)


def test_not_a_number_is_out_of_every_range() -> None:
    """Comparisons with NaN are false, so each range has to be written so that NaN fails."""
    nan = float("nan")
    with pytest.raises(ValueError, match=r"(?s)lr must.*momentum must.*weight_decay must.*clip_norm must"):
        config.OptimConfig(lr=nan, momentum=nan, weight_decay=nan, clip_norm=nan)
    with pytest.raises(ValueError, match=r"(?s)score_threshold must.*mask_threshold must"):
        config.PredictConfig(score_threshold=nan, mask_threshold=nan)


def test_needs_nothing_but_the_standard_library() -> None:
    """coord reads the config without torch."""
    code = "import sys, model_src.config; print(sorted({'torch', 'numpy', 'pydicom'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_direction_has_to_fit_the_metric() -> None:
    """Maximising a loss and minimising a dice are errors."""
    with pytest.raises(ValueError, match="monitor_mode must be min for val/loss"):
        TrainConfig(monitor="val/loss")
    with pytest.raises(ValueError, match="monitor_mode must be max for val/dice"):
        TrainConfig(monitor_mode="min")
    assert TrainConfig(monitor="val/loss_positive", monitor_mode="min").patience == 3


def test_impossible_divisions_are_refused() -> None:
    """More parts than images, more processes than parts, no process."""
    with pytest.raises(ValueError, match="micro_batches must be at most batch_size, 4, is 5"):
        TrainConfig(micro_batches=5)
    with pytest.raises(ValueError, match="processes must be at most micro_batches, else batch_size, 2, is 3"):
        TrainConfig(micro_batches=2, processes=3)
    with pytest.raises(ValueError, match="processes must be >= 1 or null, is 0"):
        TrainConfig(processes=0)


@pytest.mark.parametrize("weights", [(0.0, 0.0, 0.0), (-1.0, 1.0, 0.0), (float("nan"), 1.0, 0.0)])
def test_weights_that_make_no_loss_are_refused(weights: tuple[float, float, float]) -> None:
    """All zero, negative, and NaN."""
    with pytest.raises(ValueError, match=r"bce must be >= 0|one of them must be above 0"):
        MaskLossConfig(*weights)


@pytest.mark.parametrize(
    ("section", "values", "message"),
    [
        ("predict", {"choose": True, "choose_presence": True}, "choose and choose_presence exclude each other"),
        ("predict", {"tta": "vflip"}, "predict.tta must be one of none, hflip"),
        ("evaluate", {"worst": -1}, "worst must be >= 0, is -1"),
        ("evaluate", {"score_thresholds": [1.5]}, r"score_thresholds must hold values from 0 to 1, holds \[1.5\]"),
        (
            "evaluate",
            {"mask_thresholds": [0.0]},
            r"mask_thresholds must hold values above 0 and at most 1, holds \[0.0\]",
        ),
        ("evaluate", {"min_areas": [0]}, r"min_areas must hold values >= 1, holds \[0\]"),
    ],
)
def test_settings_out_of_range(tmp_path: Path, section: str, values: dict[str, Any], message: str) -> None:
    """The message names the field and the allowed values."""
    path = tmp_path / "config.json"
    path.write_text(json.dumps({**to_dict(Config()), section: values}))
    with pytest.raises(ValueError, match=message):
        load(path)
