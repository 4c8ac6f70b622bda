"""Compares settings of the prediction by their dice: the variants, and the rows of the table."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..config import Config
from ..prediction.thresholds import RuleChoice

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


def ablation_row(name: str, value: str, dice: npt.NDArray[np.float64], choice: RuleChoice) -> dict[str, Any]:
    """One row of the table: mean dice under the thresholds of the config, and under rules chosen for the variant."""
    return {
        "name": name,
        "value": value,
        "metric": "cv/dice",
        "images": len(dice),
        "dice": statistics.fmean(dice.tolist()),
        "dice_chosen": float(choice.chosen_dice.mean()),
        "dice_nested": None if choice.nested_dice is None else float(choice.nested_dice.mean()),
    }


def holdout_figures(
    config: Config, values: npt.NDArray[np.float64], best: int
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The metric holdout/dice for the summary, and the rows "folds" of the table.

    `values` (images, folds + 1, 2) are dice: by the model of each fold and by the mean of all, under the thresholds of
    the config and under the chosen rule. `best` is the index of the best fold. See `holdout.measure_holdout`.
    """
    means = values.mean(0)
    of_folds: Sequence[tuple[str, npt.NDArray[np.float64]]] = (
        ("one", means[:-1].mean(0)),
        ("best", means[best]),
        ("mean", means[-1]),
    )
    rows = [
        {
            "name": "folds",
            "value": value,
            "metric": "holdout/dice",
            "images": len(values),
            "dice": float(plain),
            "dice_chosen": float(under_chosen),
            "dice_nested": None,
        }
        for value, (plain, under_chosen) in of_folds
    ]
    figure = float(dict(of_folds)[config.predict.folds][0])
    row = {"name": "holdout/dice", "mode": "max", "folds": [], "mean": figure, "sd": None, "n": len(values)}
    return row, rows if config.evaluate.ablation else []
