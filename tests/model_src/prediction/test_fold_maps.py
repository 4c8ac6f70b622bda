"""Probability maps in a file."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from model_src.prediction import fold_maps
from model_src.prediction.fusion import Instance, View
from model_src.prediction.predict import Prediction, in_shape


def test_masks_are_kept_in_65536_steps(tmp_path: Path) -> None:
    """Any instance, also an empty one, is restored within a step, at its place and with its score; so is the rest."""
    rng = np.random.default_rng(0)
    one = Instance(0.75, 5, 7, rng.random((15, 24), np.float32))
    full, empty = (
        Instance(1 / 3, 0, 0, np.ones((32, 32), np.float32)),
        Instance(0.1, 0, 0, np.zeros((0, 0), np.float32)),
    )
    views: tuple[tuple[View, ...], ...] = (((one, empty), ()), ((), ()), ((full,), (one, full)))
    seen = tuple(fold_maps.ImageMaps(name, (40, 30), each, "1 2") for name, each in zip("abc", views, strict=True))
    maps = fold_maps.FoldMaps(32, 0.25, ("d",), seen)
    fold_maps.write_maps(tmp_path / "maps.npz", maps)
    found = fold_maps.read_maps(tmp_path / "maps.npz")
    assert replace(found, seen=()) == replace(maps, seen=())
    for mine, yours in zip(found.seen, maps.seen, strict=True):
        assert replace(mine, views=()) == replace(yours, views=())
        assert [len(view) for view in mine.views] == [len(view) for view in yours.views]
        for left, right in zip(*(itertools.chain(*each.views) for each in (mine, yours)), strict=True):
            assert (left.score, left.top, left.left) == (right.score, right.top, right.left)
            assert left.values == pytest.approx(right.values, abs=0.51 / fold_maps.STEPS)


def test_parts_together_are_as_one(tmp_path: Path) -> None:
    """The map and the top score of two parts are those of all of their views."""
    one, two = (
        fold_maps.FoldMaps(16, 0.0, (), (fold_maps.ImageMaps("a", (32, 24), ((Instance(score, 2, at, values),),)),))
        for score, at, values in (
            (0.9, 3, np.full((8, 8), 1.0, np.float32)),
            (0.4, 4, np.full((8, 8), 0.5, np.float32)),
        )
    )
    both = Prediction(0, 16, (*one.seen[0].views, *two.seen[0].views))
    assert fold_maps.top_score([one, two], 0) == both.top_score == pytest.approx(((0.9**4 + 0.4**4) / 2) ** 0.25)
    for threshold in (0.6, 0.7):
        found = fold_maps.mean_map([one, two], 0, threshold)
        assert np.allclose(found, both.probability((32, 24), threshold), atol=1e-5)
        assert found.any() == (threshold < both.top_score)


@pytest.mark.parametrize("shape", [(64, 64), (100, 70), (50, 130), (1, 1)])
def test_maps_are_scaled_as_the_predictions_are(shape: tuple[int, int]) -> None:
    """To any size, with the same result as torch."""
    values = np.random.default_rng(0).random((64, 64), np.float32)
    expected = in_shape(torch.from_numpy(values), shape)
    assert np.allclose(fold_maps.scaled(values, shape), expected, rtol=0, atol=1e-5)
