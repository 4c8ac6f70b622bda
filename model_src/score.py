"""The competition's metric, picture by picture, and what follows from it."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class Scored:
    """One picture that was predicted by a model that had not seen it."""

    image_id: str
    fold: int
    dice: float
    truth_area: int
    """Pixels of the united true masks, in the picture's original size."""
    predicted_area: int
    """Pixels of the predicted mask."""
    top_score: float
    """Score of the surest instance."""
    encoded: str
    """The predicted mask, run-length encoded."""


def dice(predicted: npt.NDArray[np.bool_], truth: npt.NDArray[np.bool_]) -> float:
    """2 |X and Y| / (|X| + |Y|) of two masks of one shape; 1 where both are empty. No smoothing."""
    total = int(predicted.sum()) + int(truth.sum())
    return 2 * int((predicted & truth).sum()) / total if total else 1.0


def mean_dice(scored: Sequence[Scored]) -> float:
    """Mean over the pictures; NaN of none."""
    return statistics.fmean(each.dice for each in scored) if scored else math.nan


def all_empty(scored: Sequence[Scored]) -> float:
    """What an empty mask for every picture would score: the share of pictures without a true mask."""
    return statistics.fmean(each.truth_area == 0 for each in scored)


def with_presence(each: Scored, threshold: float) -> float:
    """The picture's dice if its mask is blanked when the top score is below the threshold."""
    return each.dice if each.top_score >= threshold else float(each.truth_area == 0)


def choose_presence(scored: Sequence[Scored]) -> tuple[float, float]:
    """The least top score that a picture needs to keep its mask, and the mean dice with it.

    Tries every top score there is, in one sweep. The figure is chosen on the pictures that it is computed on, so it
    is a little too good.
    """
    order = sorted(scored, key=lambda each: each.top_score)
    best_threshold, best_total = 0.0, sum(each.dice for each in order)
    total = best_total
    for blanked, following in zip(order, [*order[1:], None], strict=True):
        total += float(blanked.truth_area == 0) - blanked.dice
        # Pictures of one score are blanked together, and nothing is gained by a threshold above them all.
        if following is not None and following.top_score > blanked.top_score and total > best_total:
            best_threshold, best_total = following.top_score, total
    return best_threshold, best_total / len(order)
