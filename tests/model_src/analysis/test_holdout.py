"""The mean of weights and the mean of folds in a real run, each measured on images that were not trained on."""

from __future__ import annotations

import csv
import json
import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Literal, cast

import numpy as np
import pytest

from model_src import config as settings
from model_src.analysis.ablation import paired, rule_for_test
from model_src.analysis.holdout import measure_holdout
from model_src.data.dataset import ChestXrays
from model_src.data.rle import NO_MASK, encode, union
from model_src.merge import merge_holdout, merge_submission
from model_src.output.report import Report
from model_src.prediction.predict import predict
from model_src.prediction.thresholds import Rule, RuleChoice
from model_src.score import dice, mean_dice
from model_src.train import predict_test, prepare
from model_src.training import validation
from model_src.training.best_epochs import Weights
from model_src.training.checkpoint import load_checkpoint
from model_src.training.run import Run
from model_src.training.stopping import Stop
from tests.model_src.session_root import TINY, attach, changed, train

pytestmark = pytest.mark.usefixtures("narrow_here")

CONFIG = changed(
    TINY,
    seed=5,
    folds={"holdout": 0.25},
    train={"average_best": 2, "batch_size": 1},
    predict={"weights": "average", "folds": "best", "tta": "hflip", "mask_threshold": 0.1},
    evaluate={"worst": 0},
)
"""Thresholds are so low that an almost untrained model finds instances, which differ between models."""


def rows(root: Path, name: str) -> list[dict[str, str]]:
    """A CSV file of the run's output."""
    with (root / "working" / name).open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def finished(sample_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The root of a finished run of two folds of two epochs, which submits the best fold's average."""
    root = tmp_path_factory.mktemp("averaged")
    attach(root, sample_data)
    done = train(root, CONFIG)
    assert done.returncode == 0, done.stderr
    return root


@pytest.fixture
def run(finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """The run, to predict again with its trained models; the report is in another folder."""
    monkeypatch.setenv("COORD_KAGGLE_ROOT", str(finished))
    report = Report(tmp_path, experiment="tiny", run_id="1", digest="2")
    found = prepare(settings.load(finished / "config.json"), report, Stop())
    return replace(found, output=finished / "working")


@pytest.fixture
def summary(finished: Path) -> dict[str, Any]:
    """metrics.json."""
    return dict(json.loads((finished / "working" / "metrics.json").read_text()))


def positions(finished: Path, run: Run, fold: str) -> list[int]:
    """The positions of the images of a fold in folds.csv."""
    named = {row["ImageId"] for row in rows(finished, "folds.csv") if row["fold"] == fold}
    return [index for index, image_id in enumerate(run.data.train.ids) if image_id in named]


def best_fold(run: Run) -> int:
    """The fold with the best value in its file."""
    values = [load_checkpoint(run.output / f"fold{fold}.pth")["value"] for fold in (0, 1)]
    return values.index(max(values))


def test_each_picture_is_validated_once_or_held_out(finished: Path) -> None:
    """A quarter is in no fold and not in oof.csv, half of it with a mask; every other image is in oof.csv once."""
    listed = rows(finished, "folds.csv")
    held = [row for row in listed if row["fold"] == "holdout"]
    assert (len(held), sum(row["positive"] == "1" for row in held)) == (4, 2)
    assert {row["fold"] for row in listed} == {"0", "1", "holdout"}
    expected = sorted(row["ImageId"] for row in listed if row["fold"] != "holdout")
    assert [row["ImageId"] for row in rows(finished, "oof.csv")] == expected


def test_weights_are_compared_out_of_fold(finished: Path, run: Run, summary: dict[str, Any]) -> None:
    """Both rows are those of the weights in the files; the score, oof.csv and the analysis are those of the mean."""
    found = {(row["name"], row["value"]): row for row in summary["ablation"]}
    every: tuple[Weights, ...] = ("best", "average")
    for weights in every:
        scored = []
        for fold in (0, 1):
            model = run.kept_model(fold, weights)
            scored += validation.evaluate(run, model, fold, positions(finished, run, str(fold)))
        assert found["weights", weights]["dice"] == pytest.approx(mean_dice(scored), abs=1e-12)
    # The last ones, of the mean of weights, are in oof.csv.
    left = {row["ImageId"]: (row["dice"], row["EncodedPixels"]) for row in rows(finished, "oof.csv")}
    assert left == {each.image_id: (f"{each.dice:.6f}", each.encoded) for each in scored}
    average = found["weights", "average"]
    assert average["dice"] != found["weights", "best"]["dice"]
    assert summary["primary"]["value"] == pytest.approx(average["dice"], abs=1e-12)
    # The bottleneck analysis does not use mirrored images.
    assert summary["oracle"]["baseline"] == pytest.approx(found["tta", "none"]["dice"], abs=1e-12)
    assert average == {**found["tta", "hflip"], "name": "weights", "value": "average"}
    assert average["dice_chosen"] == summary["choice"]["dice_chosen"]
    assert average["dice_nested"] == summary["choice"]["dice_nested"]
    assert {row["images"] for row in found.values() if row["metric"] == "cv/dice"} == {12}


def test_folds_are_compared_on_the_holdout(finished: Path, run: Run, summary: dict[str, Any], tmp_path: Path) -> None:
    """The rows are those of one fold, the best fold and the mean of both; holdout/dice is that of predict.folds."""
    held = positions(finished, run, "holdout")
    alone = [mean_dice(validation.evaluate(run, run.kept_model(fold), fold, held)) for fold in (0, 1)]
    rule, data = Rule.of(run.config.predict), run.data
    models = [run.kept_model(fold) for fold in (0, 1)]
    together = []
    for each in predict(models, run.batches(ChestXrays(data.train, data.labels, held)), tta="hflip", device=run.device):
        shape = data.train.shapes[each.index]
        together.append(dice(each.mask(shape, rule), union(data.labels[data.train.ids[each.index]], *shape)))
    expected = {"one": np.mean(alone), "best": alone[best_fold(run)], "mean": np.mean(together)}
    found = {row["value"]: row for row in summary["ablation"] if row["name"] == "folds"}
    assert {value: row["dice"] for value, row in found.items()} == pytest.approx(expected, abs=1e-12)
    assert len(set(expected.values())) == 3
    assert {(row["metric"], row["images"]) for row in found.values()} == {("holdout/dice", 4)}
    (metric,) = [each for each in summary["metrics"] if each["name"] == "holdout/dice"]
    assert (metric["mode"], metric["mean"], metric["n"]) == ("max", found["best"]["dice"], 4)
    for row in found.values():
        assert row["difference"] == pytest.approx(row["dice"] - found["best"]["dice"], abs=1e-12)

    usual = replace(run.config.predict, folds="mean")
    silent = replace(run.config, predict=usual, evaluate=settings.EvaluateConfig(ablation=False))
    measure_holdout(replace(run, config=silent), held, [0, 1], rule)
    left = json.loads((tmp_path / "metrics.json").read_text())
    assert [(each["name"], each["mean"]) for each in left["metrics"]] == [("holdout/dice", found["mean"]["dice"])]
    assert left["ablation"] == []


def test_submission_is_the_best_folds(finished: Path, run: Run) -> None:
    """The submission is predicted by the mean of weights of the fold with the best value only."""
    test, rule = run.data.test, Rule.of(run.config.predict)
    loader = run.batches(ChestXrays(test, {}, range(len(test.ids))))
    model = run.kept_model(best_fold(run), "average")
    masks = {
        test.ids[each.index]: encode(each.mask(test.shapes[each.index], rule)) or NO_MASK
        for each in predict([model], loader, tta="hflip", device=run.device)
    }
    assert {row["ImageId"]: row["EncodedPixels"] for row in rows(finished, "submission.csv")} == masks
    assert run.predicting([0, 1]) == [best_fold(run)]
    # Neither the other weights of the fold nor those of another run are taken for these, which are read once.
    assert run.kept_model(best_fold(run)) is model
    assert run.kept_model(best_fold(run), "best") is not model
    assert replace(run).kept_model(best_fold(run)) is not model
    usual = replace(run.config, predict=replace(run.config.predict, folds="mean"))
    assert replace(run, config=usual).predicting([0, 1]) == [0, 1]


@pytest.fixture
def of_folds(run: Run, tmp_path: Path) -> list[Run]:
    """The run of each single fold, in its own folder."""
    runs = []
    for fold in (0, 1):
        folder = tmp_path / str(fold)
        folder.mkdir()
        shutil.copy(run.output / f"fold{fold}.pth", folder)
        config = replace(run.config, folds=replace(run.config.folds, run=(fold,)))
        runs.append(replace(run, config=config, output=folder))
    return runs


@pytest.mark.parametrize("folds", ["mean", "best"])
def test_the_submission_is_merged_of_single_folds(
    run: Run, of_folds: list[Run], tmp_path: Path, folds: Literal["mean", "best"]
) -> None:
    """The merged predictions of single folds give the masks of the run of all folds."""
    rule = Rule.of(run.config.predict)
    for fold, each in enumerate(of_folds):
        predict_test(each, [fold], rule, 0.0)
    config = replace(run.config, predict=replace(run.config.predict, folds=folds))
    expected = predict_test(replace(run, config=config), [0, 1], rule, 0.0)
    assert any(code != NO_MASK for _, code in expected)
    summary: dict[str, Any] = {"config": settings.to_dict(config)}
    choice = cast(RuleChoice, SimpleNamespace(rule=rule, chosen_dice=np.zeros(1), nested_dice=None, nested={}))
    merge_submission(tmp_path, [each.output for each in of_folds], summary, [], choice, None)
    assert summary["choice"]["test_rule"] == {**rule.to_dict(), "chosen_on": "the settings"}
    with (tmp_path / "submission.csv").open(newline="") as file:
        assert [(row["ImageId"], row["EncodedPixels"]) for row in csv.DictReader(file)] == expected


def test_the_holdout_is_merged_of_single_folds(
    finished: Path, run: Run, of_folds: list[Run], summary: dict[str, Any]
) -> None:
    """The merged predictions of single folds give the metrics of the run of all folds."""
    held, folders = positions(finished, run, "holdout"), [each.output for each in of_folds]
    choice = cast(RuleChoice, SimpleNamespace(rule=Rule(**summary["choice"]["rule"])))
    for fold, each in enumerate(of_folds):
        measure_holdout(each, held, [fold], choice.rule)
    merged: dict[str, Any] = {"metrics": [], "ablation": []}
    together = merge_holdout(merged, folders, run.config, choice)
    assert together == measure_holdout(run, held, [0, 1], choice.rule)
    assert merged["metrics"] == [each for each in summary["metrics"] if each["name"] == "holdout/dice"]
    assert merged["ablation"] == [each for each in summary["ablation"] if each["name"] == "folds"]
    lacking: dict[str, Any] = {}
    merge_holdout(lacking, folders[:1], run.config, choice)
    assert lacking == {}


@pytest.mark.parametrize(
    ("choose", "models", "is_held", "rule", "chosen_on"),
    [
        (False, 5, True, "plain", "the settings"),
        (True, 5, True, "held", "the holdout"),
        (True, 5, False, "chosen", "out-of-fold images"),
        (True, 1, True, "chosen", "out-of-fold images"),
    ],
)
def test_rule_is_chosen_on_predictions_of_its_kind(
    choose: bool, models: int, is_held: bool, rule: str, chosen_on: str
) -> None:
    """Several folds together: on the holdout, and a warning without one; one model: on out-of-fold images."""
    config = settings.Config(predict=settings.PredictConfig(choose=choose))
    rules = {"plain": Rule.of(config.predict), "chosen": Rule(0.3, 0.7, 0, 0.7), "held": Rule(0.7, 0.3, 0, 0.3)}
    found = rule_for_test(config, models, rules["chosen"], rules["held"] if is_held else None)
    assert (found.rule, found.chosen_on) == (rules[rule], chosen_on)
    assert ("set folds.holdout" in found.warning) == (choose and models > 1 and not is_held)


def test_a_difference_of_settings_has_its_noise() -> None:
    """It is paired: what all images have in common is no noise."""
    dice, used = np.array([0.5, 0.7, 0.9]), np.array([0.4, 0.7, 0.8])
    assert paired(dice, used) == pytest.approx({"difference": 0.2 / 3, "difference_error": 0.1 / 3})
    assert paired(dice[:1], used[:1])["difference_error"] is None
