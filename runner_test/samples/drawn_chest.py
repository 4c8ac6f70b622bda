"""Draws chest X-rays: two dark lungs, a bright mediastinum, ribs, vessels, noise, and air where a mask is set."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

Mask = npt.NDArray[np.bool_]
Plane = npt.NDArray[np.float32]

DRAWN_SIZE = 256
"""Edge in pixels at which larger pictures are drawn before they are scaled up: smaller detail is noise anyway."""


@dataclass(frozen=True)
class Ellipse:
    """An upright ellipse; centre and radii as shares of the picture's edge."""

    x: float
    y: float
    rx: float
    ry: float

    def distance(self, size: int) -> Plane:
        """(size, size): the distance from the centre, 0 there and 1 on the border."""
        row, column = np.mgrid[0:size, 0:size].astype(np.float32) / size
        distance: Plane = np.hypot((column - self.x) / self.rx, (row - self.y) / self.ry)
        return distance


def pair_of_lungs(rng: np.random.Generator) -> tuple[Ellipse, Ellipse]:
    """The lungs on the left and on the right side of the picture."""
    top, spread = 0.47 + rng.uniform(-0.04, 0.04), 0.215 + rng.uniform(-0.015, 0.015)
    left, right = (
        Ellipse(0.5 + sign * spread, top + rng.uniform(-0.02, 0.02), rng.uniform(0.165, 0.195), rng.uniform(0.31, 0.37))
        for sign in (-1, 1)
    )
    return left, right


def pneumothorax(lung: Ellipse, is_left: bool, size: int, rng: np.random.Generator) -> Mask:
    """The mask (size, size) of a pneumothorax: the crescent between the chest wall and the collapsed lung."""
    outwards = -1 if is_left else 1
    gap = rng.uniform(0.06, 0.11)
    collapsed = Ellipse(lung.x - outwards * gap, lung.y + rng.uniform(0.0, 0.08), lung.rx, lung.ry)
    reach = rng.uniform(0.15, 0.24)
    # Centred on the chest wall, so that it covers only a part of the lung's height.
    around = Ellipse(lung.x + outwards * lung.rx, lung.y + rng.uniform(-0.16, 0.10), reach, reach)
    inside: Mask = lung.distance(size) < 1
    return inside & (collapsed.distance(size) > 1) & (around.distance(size) < 1)


def draw(masks: Sequence[Mask], lungs: tuple[Ellipse, Ellipse], size: int, rng: np.random.Generator) -> Image.Image:
    """The picture: 8-bit grey, (size, size). Masks may have any size."""
    edge = min(size, DRAWN_SIZE)
    row, column = np.mgrid[0:edge, 0:edge].astype(np.float32) / edge
    body = _soft(Ellipse(0.5, 0.62, 0.47, 0.66).distance(edge), 0.04)
    lung = np.maximum(*(_soft(each.distance(edge), 0.05) for each in lungs))
    spine = np.exp(-(((column - 0.5) / 0.06) ** 2))
    heart = _soft(Ellipse(0.55, 0.62, 0.13, 0.13).distance(edge), 0.15)
    # Ribs go down from the spine on both sides; at this scale the lung consists of vessels.
    ribs = np.sin(2 * math.pi * (row * 8 + 2.2 * np.abs(column - 0.5) + rng.random())).clip(0) ** 2
    vessels = _cloud(edge, 40, rng) + _cloud(edge, 16, rng)
    air = np.zeros((edge, edge), np.float32)
    line = np.zeros((edge, edge), np.float32)
    for mask in masks:
        share = _resized(mask.astype(np.float32), edge)
        air = np.maximum(air, share)
        # The pleura: where the share of air changes, on the side of the spine.
        across = np.gradient(share, axis=1)
        towards_spine = 1 if share.sum() and (share * column).sum() / share.sum() < 0.5 else -1
        line = np.maximum(line, (-across * towards_spine).clip(0))
    grey = 20 + 135 * body - 62 * lung + 55 * spine * body + 30 * heart + 20 * ribs * body
    grey += 16 * vessels * lung
    grey += air * (58 - grey) + 60 * line
    grey = grey * rng.uniform(0.92, 1.08) + rng.uniform(-6, 6) + rng.normal(0, 4, (edge, edge))
    picture = Image.fromarray(np.clip(np.rint(grey), 0, 255).astype(np.uint8))
    return picture if edge == size else picture.resize((size, size), Image.Resampling.BICUBIC)


def _soft(distance: Plane, width: float) -> Plane:
    """1 inside the border, 0 outside, with a ramp `width` wide."""
    ramp: Plane = np.clip((1 - distance) / width + 0.5, 0, 1)
    return ramp


def _cloud(size: int, cells: int, rng: np.random.Generator) -> Plane:
    """Smooth noise (size, size), with about `cells` cells along an edge."""
    return _resized(rng.normal(0, 1, (cells, cells)).astype(np.float32), size)


def _resized(plane: Plane, size: int) -> Plane:
    return np.asarray(Image.fromarray(plane).resize((size, size), Image.Resampling.BILINEAR), np.float32)
