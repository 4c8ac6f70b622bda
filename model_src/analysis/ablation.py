"""Compares settings of the prediction by their dice: the variants, and the rows of the table."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..config import Config
from ..prediction.thresholds import Counts, Rule, RuleChoice, choose

if TYPE_CHECKING:  # they import torch, which the merge of folds must not need
    from ..prediction.predict import Tta
    from ..training import Weights


@dataclass(frozen=True)
class Variant:
    """A variant of the prediction with the trained models: which weights, and which test-time augmentation."""

    weights: Weights
    tta: Tta

    @property
    def name(self) -> str:
        """The name in files."""
        return f"{self.weights}-{self.tta}"


def configured(config: Config) -> Variant:
    """The variant of the config."""
    return Variant(config.predict.weights, config.predict.tta)


def compare(config: Config) -> list[tuple[str, str, Variant]]:
    """(setting, value, variant) for each setting that is compared on out-of-fold images.

    Empty without evaluate.ablation.
    """
    if not config.evaluate.ablation:
        return []
    ttas: tuple[Tta, ...] = ("none", "hflip")
    kept: tuple[Weights, ...] = ("best", "average") if config.train.average_best > 1 else ()
    return [
        *(("tta", tta, replace(configured(config), tta=tta)) for tta in ttas),
        *(("weights", weights, replace(configured(config), weights=weights)) for weights in kept),
    ]


def variants(config: Config) -> list[Variant]:
    """All different variants of the comparison; the variant of the config is the first."""
    return list(dict.fromkeys([configured(config), *(variant for *_, variant in compare(config))]))


Dice = npt.NDArray[np.float64]
"""Of each image, in the same order for all variants."""


def paired(dice: Dice, used: Dice) -> dict[str, float | None]:
    """The mean difference of the images to what the run predicts with, and its standard error; None for one image."""
    difference = dice - used
    error = float(difference.std(ddof=1)) / math.sqrt(len(difference)) if len(difference) > 1 else None
    return {"difference": float(difference.mean()), "difference_error": error}


def ablation_row(name: str, value: str, dice: Dice, used: Dice, choice: RuleChoice) -> dict[str, Any]:
    """One row of the table: mean dice under the thresholds of the config, and under rules chosen for the variant.

    `used` is the dice of the variant of the config.
    """
    return {
        "name": name,
        "value": value,
        "metric": "cv/dice",
        "images": len(dice),
        **paired(dice, used),
        "dice": statistics.fmean(dice.tolist()),
        "dice_chosen": float(choice.chosen_dice.mean()),
        "dice_nested": None if choice.nested_dice is None else float(choice.nested_dice.mean()),
    }


HeldRow = tuple[int, int, npt.NDArray[np.int64], npt.NDArray[np.int64]]
"""Of an image of the holdout: its pixels, its true pixels, and area and overlap as `thresholds.count` returns them."""


def choose_held(
    rows: Sequence[HeldRow], scores: tuple[float, ...], thresholds: tuple[float, ...], rules: Sequence[Rule]
) -> Rule:
    """The best rule for the predictions of all folds together on the images of the holdout."""
    pixels, truth, area, overlap = zip(*rows, strict=True)
    counts = Counts(
        scores=scores,
        thresholds=thresholds,
        folds=np.zeros(len(rows), np.int64),
        pixels=np.array(pixels, np.int64),
        truth=np.array(truth, np.int64),
        area=np.stack(area),
        overlap=np.stack(overlap),
    )
    return choose(counts, rules).rule


@dataclass(frozen=True)
class ChosenRule:
    """The rule for the test images."""

    rule: Rule
    chosen_on: str
    """"the settings", "out-of-fold images" or "the holdout"."""
    warning: str = ""
    """What is wrong with the choice; empty if nothing is."""


def rule_for_test(config: Config, models: int, chosen: Rule, held: Rule | None) -> ChosenRule:
    """The rule for the test images, which `models` folds predict together.

    `chosen` is the best on out-of-fold images, each predicted by one fold; `held` that for all folds together on the
    holdout, None without one.
    """
    if not config.predict.choose:
        return ChosenRule(Rule.of(config.predict), "the settings")
    if models == 1:
        return ChosenRule(chosen, "out-of-fold images")
    if held is not None:
        return ChosenRule(held, "the holdout")
    return ChosenRule(
        chosen,
        "out-of-fold images",
        f"predict.choose: {models} folds predict the test images together, but the rule is chosen on predictions of "
        "single folds, because there is no holdout; set folds.holdout, such as 0.1, to choose it on predictions of "
        "the same kind",
    )


def holdout_figures(config: Config, values: Dice, best: int) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The metric holdout/dice for the summary, and the rows "folds" of the table.

    `values` (images, folds + 1, 2) are dice: by the model of each fold and by the mean of all, under the thresholds of
    the config and under the chosen rule. `best` is the index of the best fold. See `holdout.measure_holdout`.
    """
    of_folds = {"one": values[:, :-1].mean(1), "best": values[:, best], "mean": values[:, -1]}
    used = of_folds[config.predict.folds]
    rows = [
        {
            "name": "folds",
            "value": value,
            "metric": "holdout/dice",
            "images": len(values),
            **paired(each[:, 0], used[:, 0]),
            "dice": float(each[:, 0].mean()),
            "dice_chosen": float(each[:, 1].mean()),
            "dice_nested": None,
        }
        for value, each in of_folds.items()
    ]
    figure = float(used[:, 0].mean())
    row = {"name": "holdout/dice", "mode": "max", "folds": [], "mean": figure, "sd": None, "n": len(values)}
    return row, rows if config.evaluate.ablation else []
