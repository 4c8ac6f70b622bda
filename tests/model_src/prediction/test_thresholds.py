"""Rules, and their choice on out-of-fold predictions."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings, strategies as st

from model_src.config import EvaluateConfig
from model_src.prediction.thresholds import FULL_AREA, Counts, Rule, choose, count, grid
from model_src.score import dice

Map = npt.NDArray[np.float32]

SETTING = EvaluateConfig(score_thresholds=(0.3,), mask_thresholds=(0.2, 0.5, 0.8), min_areas=(FULL_AREA // 20,))
PLAIN = Rule(0.5, 0.5, 0, 0.5)


def counted(pictures: list[tuple[list[Map], npt.NDArray[np.bool_]]], folds: list[int]) -> Counts:
    """The counts of images, from their maps at the score thresholds and their true masks."""
    scores, thresholds, _ = grid(SETTING, PLAIN)
    tables = [count(maps, truth, thresholds) for maps, truth in pictures]
    return Counts(
        scores=scores,
        thresholds=thresholds,
        folds=np.array(folds),
        pixels=np.array([truth.size for _, truth in pictures]),
        truth=np.array([truth.sum() for _, truth in pictures]),
        area=np.stack([area for area, _ in tables]),
        overlap=np.stack([overlap for _, overlap in tables]),
    )


@st.composite
def maps_and_truth(draw: st.DrawFn) -> tuple[list[Map], npt.NDArray[np.bool_]]:
    """Maps at two score thresholds and a true mask; some pixels equal a threshold."""
    shape = (draw(st.integers(1, 6)), draw(st.integers(1, 6)))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    levels = np.array([0, 0, 0.1, 0.2, 0.3, 0.5, 0.7, 0.8, 1], np.float32)
    low: Map = rng.choice(levels, shape)
    high: Map = np.where(rng.random(shape) < 0.5, low, np.float32(0))
    return [low, high if draw(st.booleans()) else low], rng.random(shape) < draw(st.sampled_from([0, 0.3, 0.9]))


@settings(deadline=None)
@given(st.lists(maps_and_truth(), min_size=1, max_size=3))
def test_counts_give_the_dice_of_the_masks(pictures: list[tuple[list[Map], npt.NDArray[np.bool_]]]) -> None:
    """For every rule of the grid the dice from the counts equals that of the mask, bit for bit."""
    counts = counted(pictures, [0] * len(pictures))
    for rule in grid(SETTING, PLAIN)[2]:
        drawn = [dice(rule.mask(maps[counts.scores.index(rule.score)]), truth) for maps, truth in pictures]
        assert counts.dice(rule).tolist() == drawn


def test_triplet_decides_presence_by_the_sure_area() -> None:
    """2000 pixels above the high threshold give a mask by the low threshold, 1999 an empty mask."""
    rule = Rule(0.5, 0.75, 2000, 0.3)
    probability = np.zeros((1024, 1024), np.float32)
    probability[:100, :100] = 0.4
    probability[:20, :100] = 0.8
    assert rule.mask(probability).sum() == 10_000
    probability[0, 0] = 0.4
    assert rule.mask(probability).sum() == 0


def test_least_area_scales_with_the_picture() -> None:
    """A quarter of the edge is 1/16 of the area."""
    rule = Rule(0.5, 0.5, 1600, 0.5)
    probability = np.zeros((256, 256), np.float32)
    probability[0, :100] = 1
    assert rule.mask(probability).sum() == 100
    probability[0, 0] = 0
    assert rule.mask(probability).sum() == 0


def random_counts(seed: int, folds: int) -> Counts:
    """Images of 8 x 8 with maps that are correlated with the truth; half of the images are empty."""
    rng = np.random.default_rng(seed)
    pictures = []
    for index in range(12):
        truth = np.zeros((8, 8), bool)
        truth[2:5, 1:6] = index % 2
        map_: Map = np.clip(rng.random((8, 8)) * 0.6 + truth * 0.4 * rng.random(), 0, 1).astype(np.float32)
        pictures.append(([map_, np.where(map_ > 0.4, map_, np.float32(0))], truth))
    return counted(pictures, [index % folds for index in range(12)])


@pytest.mark.parametrize("seed", range(3))
def test_choice_is_the_best_of_the_curve(seed: int) -> None:
    """No rule of the grid is better on these images; the curve has every rule once."""
    counts, rules = random_counts(seed, 3), grid(SETTING, PLAIN)[2]
    choice = choose(counts, rules)
    means = [row["dice"] for row in choice.curve]
    assert means == [pytest.approx(counts.dice(rule).mean()) for rule in rules]
    assert choice.chosen_dice.mean() == pytest.approx(max(means))
    assert len(set(rules)) == len(rules) == len(choice.curve)
    assert choice.nested_dice is not None
    assert choice.nested_dice.mean() <= choice.chosen_dice.mean() + 1e-12


@pytest.mark.parametrize("seed", range(3))
def test_nested_rule_never_looks_at_its_own_fold(seed: int) -> None:
    """The rule for a fold does not depend on its images; it is the choice on the other folds."""
    counts, rules = random_counts(seed, 3), grid(SETTING, PLAIN)[2]
    nested = choose(counts, rules).nested
    for fold in range(3):
        own, others = counts.folds == fold, counts.folds != fold
        changed = Counts(
            counts.scores,
            counts.thresholds,
            counts.folds,
            counts.pixels,
            np.where(own, 64, counts.truth),
            np.where(own[:, None, None], 0, counts.area),
            np.where(own[:, None, None], 0, counts.overlap),
        )
        assert choose(changed, rules).nested[fold] == nested[fold]
        alone = Counts(
            counts.scores,
            counts.thresholds,
            counts.folds[others],
            counts.pixels[others],
            counts.truth[others],
            counts.area[others],
            counts.overlap[others],
        )
        assert choose(alone, rules).rule == nested[fold]


def test_configured_rule_wins_a_tie_and_one_fold_has_no_nested() -> None:
    """Without predictions every rule scores the same, and the configured one is chosen."""
    blank = [np.zeros((4, 4), np.float32)] * 2
    counts = counted([(blank, np.zeros((4, 4), bool)), (blank, np.ones((4, 4), bool))], [0, 0])
    choice = choose(counts, grid(SETTING, PLAIN)[2])
    assert choice.rule == PLAIN
    assert choice.nested == {}
    assert choice.nested_dice is None
    assert choice.chosen_dice.tolist() == [1.0, 0.0]


def test_blank_predictions_of_the_real_labels(real_codes: Mapping[str, tuple[str, ...]]) -> None:
    """12 047 real images without predicted pixels score the share of empty ones, under every rule."""
    scores, thresholds, rules = grid(SETTING, PLAIN)
    areas = [sum(int(length) for code in codes for length in code.split()[1::2]) for codes in real_codes.values()]
    zeros = np.zeros((len(real_codes), len(scores), len(thresholds)), np.int64)
    folds = np.arange(len(real_codes)) % 5
    pixels = np.full(len(real_codes), FULL_AREA)
    counts = Counts(scores, thresholds, folds, pixels, np.array(areas), zeros, zeros)
    choice = choose(counts, rules)
    assert choice.chosen_dice.mean() == pytest.approx((12_047 - 2_669) / 12_047)
    assert choice.nested_dice is not None
    assert choice.nested_dice.mean() == pytest.approx(choice.chosen_dice.mean())
