"""Rules that turn a probability map into a mask, and the choice of a rule on out-of-fold predictions.

A rule has four numbers (the winners of the competition call three of them a triplet). Instances with a score below
`score` are ignored. The mask is empty unless at least `min_area` pixels have a probability of at least `top`; otherwise
every pixel with a probability of at least `bottom` is in the mask. With `min_area` 0 this is one threshold, with equal
`top` and `bottom` a threshold with a least area.

The dice of every rule follows from the number of pixels that reach each threshold, and the number of true pixels among
them. So these are counted once per image, in its original size, and the map itself is not kept.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from ..config import EvaluateConfig, PredictConfig

Map = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]

FULL_AREA = 1024 * 1024
"""Pixels of the competition's images; `min_area` refers to this size."""


@dataclass(frozen=True)
class Rule:
    """A rule; see the module."""

    score: float
    top: float
    min_area: int
    """In pixels of an image of 1024 x 1024; scaled by area for other sizes."""
    bottom: float

    @classmethod
    def of(cls, config: PredictConfig) -> Self:
        """The rule of the config: a score threshold and a mask threshold."""
        return cls(config.score_threshold, config.mask_threshold, 0, config.mask_threshold)

    def mask(self, probability: Map) -> Mask:
        """The mask (height, width) of a probability map of this shape, made of the instances with at least `score`."""
        covered: Mask = probability >= np.float32(self.bottom)
        if self.min_area and np.count_nonzero(probability >= np.float32(self.top)) < self.least(probability.size):
            return np.zeros_like(covered)
        return covered

    def least(self, pixels: int) -> float:
        """`min_area` for an image with this number of pixels."""
        return self.min_area * pixels / FULL_AREA

    def to_dict(self) -> dict[str, float]:
        """The four numbers by name."""
        return asdict(self)


@dataclass(frozen=True)
class Counts:
    """The pixel counts of n images at S score thresholds and M mask thresholds, both ascending."""

    scores: tuple[float, ...]
    thresholds: tuple[float, ...]
    folds: npt.NDArray[np.int64]
    """(n): the fold whose model predicted the image."""
    pixels: npt.NDArray[np.int64]
    """(n): pixels of the image."""
    truth: npt.NDArray[np.int64]
    """(n): pixels of the true mask."""
    area: npt.NDArray[np.int64]
    """(n, S, M): pixels that reach the mask threshold in the union of the instances above the score threshold."""
    overlap: npt.NDArray[np.int64]
    """(n, S, M): pixels of the true mask among them."""

    def predicted(self, rule: Rule) -> npt.NDArray[np.bool_]:
        """(n): whether enough pixels reach `top`; the mask may still be empty."""
        top = self.area[:, self.scores.index(rule.score), self.thresholds.index(rule.top)]
        return np.asarray(top >= rule.min_area * self.pixels / FULL_AREA)

    def dice(self, rule: Rule) -> npt.NDArray[np.float64]:
        """(n): the dice of each image under a rule of the grid."""
        place = (slice(None), self.scores.index(rule.score), self.thresholds.index(rule.bottom))
        present = self.predicted(rule)
        total = np.where(present, self.area[place], 0) + self.truth
        overlap = np.where(present, self.overlap[place], 0)
        return np.where(total == 0, 1.0, 2 * overlap / np.maximum(total, 1))


@dataclass(frozen=True)
class RuleChoice:
    """The best rule of a grid, and the dice that it gives."""

    rule: Rule
    """The best rule on all images."""
    nested: dict[int, Rule]
    """For each fold the best rule on the other folds; empty with a single fold."""
    chosen_dice: npt.NDArray[np.float64]
    """(n): dice under `rule`. Biased upwards, because the rule is chosen on the same images."""
    nested_dice: npt.NDArray[np.float64] | None
    """(n): dice of each image under the rule chosen on the other folds, which does not bias it; None with one fold."""
    curve: list[dict[str, float]]
    """Every rule of the grid with its mean dice over all images, over those with a true mask, and over the others."""


def count(
    maps: Sequence[Map], truth: Mask, thresholds: Sequence[float]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Area and overlap (S, M) of an image: of S maps, one per score threshold, at M ascending mask thresholds.

    A map that is the same object as the one before is not counted again.
    """
    edges = np.array(thresholds, np.float32)
    area = np.zeros((len(maps), len(edges)), np.int64)
    overlap = np.zeros_like(area)
    for place, each in enumerate(maps):
        if place and each is maps[place - 1]:
            area[place], overlap[place] = area[place - 1], overlap[place - 1]
            continue
        reaching = each >= edges[0]
        for result, values in ((area, each[reaching]), (overlap, each[reaching & truth])):
            passed = np.bincount(np.searchsorted(edges, values, side="right"), minlength=len(edges) + 1)
            result[place] = passed[::-1].cumsum()[::-1][1:]
    return area, overlap


def grid(config: EvaluateConfig, configured: Rule) -> tuple[tuple[float, ...], tuple[float, ...], list[Rule]]:
    """Score thresholds, mask thresholds, and the rules to try; the configured rule is the first, so it wins a tie."""
    scores = tuple(sorted({*config.score_thresholds, configured.score}))
    thresholds = tuple(sorted({*config.mask_thresholds, configured.bottom}))
    areas = sorted({area for area in config.min_areas if area})
    rules = [configured]
    for score, bottom in itertools.product(scores, thresholds):
        rules.append(Rule(score, bottom, 0, bottom))
        tops = [top for top in thresholds if top >= bottom]
        rules += [Rule(score, top, area, bottom) for top, area in itertools.product(tops, areas)]
    return scores, thresholds, list(dict.fromkeys(rules))


def choose(counts: Counts, rules: Sequence[Rule]) -> RuleChoice:
    """The rule with the best mean dice on all images, and for each fold on the other folds; ties: the first rule."""
    folds = np.unique(counts.folds).tolist()
    inside = np.array([counts.folds == fold for fold in folds], np.float64)
    positive = counts.truth > 0
    sums = np.zeros((len(rules), len(folds)))
    curve: list[dict[str, float]] = []
    for place, rule in enumerate(rules):
        dice = counts.dice(rule)
        sums[place] = inside @ dice
        parts = {"dice": dice, "dice_positive": dice[positive], "dice_empty": dice[~positive]}
        means = {name: float(part.mean()) if len(part) else np.nan for name, part in parts.items()}
        curve.append(rule.to_dict() | means)
    best = rules[_best(sums.sum(1))]
    nested: dict[int, Rule] = {}
    nested_dice: npt.NDArray[np.float64] | None = None
    if len(folds) > 1:
        nested = {fold: rules[_best(sums.sum(1) - sums[:, place])] for place, fold in enumerate(folds)}
        nested_dice = np.zeros(len(counts.folds))
        for fold, rule in nested.items():
            of_fold = counts.folds == fold
            nested_dice[of_fold] = counts.dice(rule)[of_fold]
    return RuleChoice(best, nested, counts.dice(best), nested_dice, curve)


def _best(totals: npt.NDArray[np.float64]) -> int:
    """The index of the maximum; the first one if values differ by rounding only."""
    return int(np.flatnonzero(totals >= totals.max() - 1e-9)[0])


def summary(choice: RuleChoice, test_rule: Rule | None = None, chosen_on: str = "") -> dict[str, Any]:
    """The choice as it is in metrics.json; with the rule for the test images, and what it was chosen on."""
    return {
        "rule": choice.rule.to_dict(),
        "dice_chosen": float(choice.chosen_dice.mean()),
        "note": "dice_chosen: chosen and reported on the same images; dice_nested: chosen on the other folds; both: "
        "by the epochs that were chosen on these images, so biased upwards as cv/dice is; in a comparison of settings "
        "that favours those of the run, by which the epochs were chosen",
        "dice_nested": None if choice.nested_dice is None else float(choice.nested_dice.mean()),
        "nested_rules": [{"fold": fold, **rule.to_dict()} for fold, rule in choice.nested.items()],
        "test_rule": test_rule and {**test_rule.to_dict(), "chosen_on": chosen_on},
    }
