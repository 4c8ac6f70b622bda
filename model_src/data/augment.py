"""Random transformations of a training image together with its masks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from PIL import Image

Preset = Literal["none", "little", "more", "strong"]
Picture = npt.NDArray[np.uint8]
Masks = npt.NDArray[np.bool_]


def augment(picture: Picture, masks: Masks, preset: Preset, rng: np.random.Generator) -> tuple[Picture, Masks]:
    """A transformed copy of an image (size, size) and its masks (n, size, size); a mask may become empty."""
    if preset == "none":
        return picture, masks
    if rng.random() < 0.5:
        picture, masks = picture[:, ::-1], masks[:, :, ::-1]
    if preset in ("more", "strong"):
        picture, masks = _moved(picture, masks, MORE if preset == "more" else STRONG, rng)
        picture = _relit(picture, rng)
    if preset == "strong":
        gamma = math.exp(rng.uniform(-0.4, 0.4))
        picture = np.rint(255 * (np.arange(256) / 255) ** gamma).astype(np.uint8)[picture]
    return picture, masks


@dataclass(frozen=True)
class Motion:
    """How far an image is moved at most."""

    degrees: float
    """Of the rotation, in both directions."""
    scale: tuple[float, float]
    """About the centre."""
    bend: float = 0.0
    """Share of the edge by which each corner of a grid is moved on its own, in both directions."""


MORE, STRONG = Motion(7, (0.9, 1.1)), Motion(45, (0.75, 1.33), bend=0.015)
CELLS = 8
"""Cells of the bent grid along an edge."""


def _moved(picture: Picture, masks: Masks, motion: Motion, rng: np.random.Generator) -> tuple[Picture, Masks]:
    """Rotate, scale about the centre, shift by up to 5 % of the edge, and bend."""
    size = len(picture)
    angle, scale = math.radians(rng.uniform(-motion.degrees, motion.degrees)), rng.uniform(*motion.scale)
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
    how: tuple[Image.Transform, Any] = (Image.Transform.AFFINE, back)
    if motion.bend:
        how = (Image.Transform.MESH, _mesh(back, size, motion.bend * size, rng))

    def warp(plane: Picture, resample: Image.Resampling) -> Picture:
        moved = Image.fromarray(plane).transform((size, size), *how, resample)
        return np.asarray(moved)

    moved_masks = [warp(mask.astype(np.uint8), Image.Resampling.NEAREST).astype(bool) for mask in masks]
    return warp(picture, Image.Resampling.BILINEAR), np.stack(moved_masks) if moved_masks else masks


def _mesh(back: Sequence[float], size: int, most: float, rng: np.random.Generator) -> list[tuple[Any, Any]]:
    """Each cell of a grid with the corners of its original, which are moved by up to `most` pixels.

    This is a grid distortion, and with its bilinear cells a coarse elastic one.
    """
    edges = [round(each) for each in np.linspace(0, size, CELLS + 1).tolist()]
    x, y = np.meshgrid(edges, edges)
    move_x, move_y = rng.uniform(-most, most, (2, *x.shape))
    from_x = back[0] * x + back[1] * y + back[2] + move_x
    from_y = back[3] * x + back[4] * y + back[5] + move_y
    return [
        (
            (edges[column], edges[row], edges[column + 1], edges[row + 1]),
            # Pillow's order: upper left, lower left, lower right, upper right.
            tuple(
                float(each[row + down, column + right])
                for down, right in ((0, 0), (1, 0), (1, 1), (0, 1))
                for each in (from_x, from_y)
            ),
        )
        for row in range(CELLS)
        for column in range(CELLS)
    ]


def _relit(picture: Picture, rng: np.random.Generator) -> Picture:
    """Change the contrast by up to 20 % about the mean, and the brightness by up to 10 % of the range."""
    real, mean = picture.astype(np.float32), float(picture.mean())
    relit = (real - mean) * rng.uniform(0.8, 1.2) + mean + rng.uniform(-25, 25)
    clipped: Picture = np.clip(np.rint(relit), 0, 255).astype(np.uint8)
    return clipped
