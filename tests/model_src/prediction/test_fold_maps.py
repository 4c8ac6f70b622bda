"""Probability maps in a file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from model_src.prediction import fold_maps
from model_src.prediction.predict import in_shape


def test_maps_are_kept_in_65536_steps(tmp_path: Path) -> None:
    """Any map, also an empty one, is restored within a step; an equal map for two thresholds is stored once."""
    values = np.zeros((3, 32, 32), np.float32)
    values[0, 5:20, 7:31] = np.random.default_rng(0).random((15, 24), np.float32)
    values[1] = 1.0
    crops = [fold_maps.Crop.of(each) for each in values]
    places = ((0, 1), (1, 2), (2, 2))
    seen = tuple(
        fold_maps.ImageMaps(name, (40, 30), 0.5, tuple(crops[place] for place in each), "1 2")
        for name, each in zip("abc", places, strict=True)
    )
    maps = fold_maps.FoldMaps((0.1, 0.5), 32, 2, 0.25, ("d",), seen)
    fold_maps.write_maps(tmp_path / "maps.npz", maps)
    found = fold_maps.read_maps(tmp_path / "maps.npz")
    assert replace(found, seen=()) == replace(maps, seen=())
    for one, other in zip(found.seen, maps.seen, strict=True):
        assert replace(one, crops=()) == replace(other, crops=())
    for picture, each in zip(found.seen, places, strict=True):
        for crop, place in zip(picture.crops, each, strict=True):
            assert np.abs(crop.full(32) - values[place]).max() <= 0.51 / fold_maps.STEPS
    assert found.seen[2].crops[0] is found.seen[2].crops[1]


@pytest.mark.parametrize("shape", [(64, 64), (100, 70), (50, 130), (1, 1)])
def test_maps_are_scaled_as_the_predictions_are(shape: tuple[int, int]) -> None:
    """To any size, with the same result as torch."""
    values = np.random.default_rng(0).random((64, 64), np.float32)
    expected = in_shape(torch.from_numpy(values), shape)
    assert np.allclose(fold_maps.scaled(values, shape), expected, rtol=0, atol=1e-5)
