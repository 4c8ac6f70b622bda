"""From a probability map to a mask by a rule, and the choice of that rule out of fold.

A rule has four numbers (the leaders of the competition called three of them a triplet): instances below `score` don't
count; the picture counts as positive when at least `min_area` pixels reach `top`; then every pixel that reaches
`bottom` belongs to the mask. With `min_area` 0 that is a plain threshold, with `top` = `bottom` a least area.

What every rule scores follows from how many pixels reach a threshold, and how many of these are true. So a picture is
counted once and its map forgotten: the choice looks at a few numbers a picture, in its original size, without loss.
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
"""Pixels of the competition's pictures, in which `min_area` is written."""


@dataclass(frozen=True)
class Rule:
    """How a picture's probability map becomes its mask; see the module."""

    score: float
    top: float
    min_area: int
    """Pixels of a picture of 1024 x 1024; scaled with the area of other pictures."""
    bottom: float

    @classmethod
    def of(cls, config: PredictConfig) -> Self:
        """The rule that the config names: two plain thresholds."""
        return cls(config.score_threshold, config.mask_threshold, 0, config.mask_threshold)

    def mask(self, probability: Map) -> Mask:
        """The mask (height, width) of a map of that size, whose instances were united at `score`."""
        covered: Mask = probability >= np.float32(self.bottom)
        if self.min_area and np.count_nonzero(probability >= np.float32(self.top)) < self.least(probability.size):
            return np.zeros_like(covered)
        return covered

    def least(self, pixels: int) -> float:
        """`min_area` in a picture of so many pixels."""
        return self.min_area * pixels / FULL_AREA

    def to_dict(self) -> dict[str, float]:
        """The four numbers by name."""
        return asdict(self)


@dataclass(frozen=True)
class Counts:
    """Of n pictures, what every rule on the grid needs to know; S score thresholds, M mask thresholds, rising."""

    scores: tuple[float, ...]
    thresholds: tuple[float, ...]
    folds: npt.NDArray[np.int64]
    """(n): the fold that predicted each."""
    pixels: npt.NDArray[np.int64]
    """(n): size of each."""
    truth: npt.NDArray[np.int64]
    """(n): true pixels."""
    area: npt.NDArray[np.int64]
    """(n, S, M): pixels that reach the mask threshold when the instances of the score threshold are united."""
    overlap: npt.NDArray[np.int64]
    """(n, S, M): those of them that are true."""

    def predicted(self, rule: Rule) -> npt.NDArray[np.bool_]:
        """(n): whether the rule lets the picture have a mask; it may still be empty."""
        top = self.area[:, self.scores.index(rule.score), self.thresholds.index(rule.top)]
        return np.asarray(top >= rule.min_area * self.pixels / FULL_AREA)

    def dice(self, rule: Rule) -> npt.NDArray[np.float64]:
        """(n): the competition's dice of each picture under a rule of the grid."""
        place = (slice(None), self.scores.index(rule.score), self.thresholds.index(rule.bottom))
        present = self.predicted(rule)
        total = np.where(present, self.area[place], 0) + self.truth
        overlap = np.where(present, self.overlap[place], 0)
        return np.where(total == 0, 1.0, 2 * overlap / np.maximum(total, 1))


@dataclass(frozen=True)
class RuleChoice:
    """The best rule of a grid, and what the choice is worth."""

    rule: Rule
    """Best on all pictures."""
    nested: dict[int, Rule]
    """For each fold the rule that is best on the other folds; empty when there is one fold only."""
    chosen_dice: npt.NDArray[np.float64]
    """(n) under `rule`. Chosen on the same pictures, so its mean is a little too good."""
    nested_dice: npt.NDArray[np.float64] | None
    """(n) each picture under the rule chosen without its fold: an honest estimate of choosing."""
    curve: list[dict[str, float]]
    """Every rule of the grid with its mean dice over all pictures, over those with and those without a true mask."""


def count(
    maps: Sequence[Map], truth: Mask, thresholds: Sequence[float]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Area and overlap (S, M) of one picture's maps, one for each score threshold, at rising mask thresholds.

    A map that is the same object as the one before it isn't counted again.
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
    """Score thresholds, mask thresholds and the rules to try, the configured one first, so that it wins a tie."""
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
    """The rule with the best mean dice, on all pictures and for each fold on the others; the first one of equals."""
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
    """Place of the largest; of those that differ by rounding only, the first."""
    return int(np.flatnonzero(totals >= totals.max() - 1e-9)[0])


def summary(choice: RuleChoice) -> dict[str, Any]:
    """What metrics.json says about the choice."""
    return {
        "rule": choice.rule.to_dict(),
        "dice_chosen": float(choice.chosen_dice.mean()),
        "note": "chosen and reported on the same pictures; dice_nested chooses on the other folds",
        "dice_nested": None if choice.nested_dice is None else float(choice.nested_dice.mean()),
        "nested_rules": [{"fold": fold, **rule.to_dict()} for fold, rule in choice.nested.items()],
    }
