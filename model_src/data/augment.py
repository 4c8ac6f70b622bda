"""Random changes of a training picture and its masks together."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
import numpy.typing as npt
from PIL import Image

Preset = Literal["none", "little", "more"]
Picture = npt.NDArray[np.uint8]
Masks = npt.NDArray[np.bool_]


def augment(picture: Picture, masks: Masks, preset: Preset, rng: np.random.Generator) -> tuple[Picture, Masks]:
    """A changed copy of a picture (size, size) and its masks (n, size, size); a mask may end up empty."""
    if preset == "none":
        return picture, masks
    if rng.random() < 0.5:
        picture, masks = picture[:, ::-1], masks[:, :, ::-1]
    if preset == "more":
        picture, masks = _moved(picture, masks, rng)
        picture = _relit(picture, rng)
    return picture, masks


def _moved(picture: Picture, masks: Masks, rng: np.random.Generator) -> tuple[Picture, Masks]:
    """Turned by up to 7 degrees, scaled by up to 10 % and shifted by up to 5 %, about the centre."""
    size = len(picture)
    angle, scale = math.radians(rng.uniform(-7, 7)), rng.uniform(0.9, 1.1)
    shift_x, shift_y = rng.uniform(-0.05, 0.05, 2) * size
    # Pillow wants the way back: from a pixel of the result to the place in the original that it shows.
    cos, sin, centre = math.cos(angle) / scale, math.sin(angle) / scale, size / 2
    back = (
        cos,
        sin,
        centre - cos * (centre + shift_x) - sin * (centre + shift_y),
        -sin,
        cos,
        centre + sin * (centre + shift_x) - cos * (centre + shift_y),
    )

    def warp(plane: Picture, resample: Image.Resampling) -> Picture:
        moved = Image.fromarray(plane).transform((size, size), Image.Transform.AFFINE, back, resample)
        return np.asarray(moved)

    moved_masks = [warp(mask.astype(np.uint8), Image.Resampling.NEAREST).astype(bool) for mask in masks]
    return warp(picture, Image.Resampling.BILINEAR), np.stack(moved_masks) if moved_masks else masks


def _relit(picture: Picture, rng: np.random.Generator) -> Picture:
    """Contrast by up to 20 % about the mean, brightness by up to 10 % of the range."""
    real, mean = picture.astype(np.float32), float(picture.mean())
    relit = (real - mean) * rng.uniform(0.8, 1.2) + mean + rng.uniform(-25, 25)
    clipped: Picture = np.clip(np.rint(relit), 0, 255).astype(np.uint8)
    return clipped
