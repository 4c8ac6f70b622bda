"""What settings of the prediction are worth: which are compared, and the rows of the comparison."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..config import Config
from ..prediction.thresholds import RuleChoice

if TYPE_CHECKING:  # they bring torch, which the merge of folds does without
    from ..prediction.predict import Tta
    from ..training import Weights


@dataclass(frozen=True)
class Variant:
    """One way to predict with what a fold has left."""

    weights: Weights
    tta: Tta

    @property
    def name(self) -> str:
        """As files have it."""
        return f"{self.weights}-{self.tta}"


def configured(config: Config) -> Variant:
    """The one that the run predicts with."""
    return Variant(config.predict.weights, config.predict.tta)


def compare(config: Config) -> list[tuple[str, str, Variant]]:
    """(setting, value, what predicts then) for each setting that out-of-fold pictures can say something about.

    None without evaluate.ablation.
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
    """Everything that is compared, each once, what the run predicts with first."""
    return list(dict.fromkeys([configured(config), *(variant for *_, variant in compare(config))]))


def ablation_row(name: str, value: str, dice: npt.NDArray[np.float64], choice: RuleChoice) -> dict[str, Any]:
    """One row of the comparison: the dice under the config's thresholds, and under rules chosen anew."""
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
    """holdout/dice as the summary holds it, and the rows "folds" of the comparison.

    `values` (pictures, folds + 1, 2) is the dice by each fold's model and by their mean, under the config's thresholds
    and under the chosen rule; `best` is the place of the best fold. See `holdout.measure_holdout`.
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
