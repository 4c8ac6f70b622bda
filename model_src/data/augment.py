"""Random transformations of a training image together with its masks."""

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
    """A transformed copy of an image (size, size) and its masks (n, size, size); a mask may become empty."""
    if preset == "none":
        return picture, masks
    if rng.random() < 0.5:
        picture, masks = picture[:, ::-1], masks[:, :, ::-1]
    if preset == "more":
        picture, masks = _moved(picture, masks, rng)
        picture = _relit(picture, rng)
    return picture, masks


def _moved(picture: Picture, masks: Masks, rng: np.random.Generator) -> tuple[Picture, Masks]:
    """Rotate by up to 7 degrees, scale by up to 10 % about the centre, and shift by up to 5 % of the edge."""
    size = len(picture)
    angle, scale = math.radians(rng.uniform(-7, 7)), rng.uniform(0.9, 1.1)
    shift_x, shift_y = rng.uniform(-0.05, 0.05, 2) * size
    # Pillow needs the inverse transformation: from a pixel of the result to its position in the original.
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
    """Change the contrast by up to 20 % about the mean, and the brightness by up to 10 % of the range."""
    real, mean = picture.astype(np.float32), float(picture.mean())
    relit = (real - mean) * rng.uniform(0.8, 1.2) + mean + rng.uniform(-25, 25)
    clipped: Picture = np.clip(np.rint(relit), 0, 255).astype(np.uint8)
    return clipped
