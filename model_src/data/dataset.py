"""Samples for the detector: an image in bytes, and its target with all instances."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset

from .augment import Preset, augment
from .pictures import Pictures
from .rle import draw, parse, span

Sample = tuple[Tensor, dict[str, Tensor]]
"""A grey image uint8 (1, size, size), which becomes a float image on the device, and its `target`."""


Batch = tuple[list[Tensor], list[dict[str, Tensor]]]
"""Images uint8 (1, height, width) and their targets, as `collate` returns them."""


class ChestXrays(Dataset[Sample]):
    """The images at the positions `order`, with their targets.

    The random transformation of an item depends on `seeds` and its place in the order only, so the number of worker
    processes does not change it.
    """

    def __init__(
        self,
        pictures: Pictures,
        labels: Mapping[str, tuple[str, ...]],
        order: Sequence[int],
        *,
        preset: Preset = "none",
        seeds: Sequence[int] = (),
    ) -> None:
        self.pictures = pictures
        self.labels = labels
        self.order = order
        self.preset = preset
        self.seeds = tuple(seeds)

    def __len__(self) -> int:
        return len(self.order)

    def __getitem__(self, place: int) -> Sample:
        index = self.order[place]
        pixels = self.pictures.pixels(index)
        masks = scaled_masks(self.labels.get(self.pictures.ids[index], ()), self.pictures.shapes[index], len(pixels))
        pixels, masks = augment(pixels, masks, self.preset, np.random.default_rng([*self.seeds, place]))
        # torch needs writable, contiguous memory: a memory-mapped image is both, so it is not copied.
        return torch.from_numpy(np.require(pixels, requirements=["C", "W"]))[None], target(masks, index)


def scaled_masks(encoded: Sequence[str], shape: tuple[int, int], size: int) -> npt.NDArray[np.bool_]:
    """Masks (n, size, size) from codes for the original `shape` (height, width).

    A scaled pixel belongs to the mask when at least half of its area is covered.
    """
    scaled = np.zeros((len(encoded), size, size), bool)
    # Most of an image is empty, so only a part around the mask is drawn and scaled. It ends at borders that pixels of
    # both sizes have in common; without a common border inside the image, the part is the whole image.
    down, across = (edge // math.gcd(edge, size) for edge in shape)
    for mask, code in zip(scaled, encoded, strict=True):
        runs = parse(code, shape[0] * shape[1])
        rows, columns = map(_outwards, span(runs, shape[0]), (down, across))
        there = tuple(
            slice(each.start * size // edge, each.stop * size // edge)
            for each, edge in zip((rows, columns), shape, strict=True)
        )
        part, small = draw(runs, shape[0], rows, columns), mask[there]
        if part.shape == small.shape:
            small[:] = part
        else:
            grey = Image.fromarray(part.astype(np.uint8) * 255)
            small[:] = np.asarray(grey.resize(small.shape[::-1], Image.Resampling.BOX)) >= 128
    return scaled


def target(masks: npt.NDArray[np.bool_], index: int) -> dict[str, Tensor]:
    """The detector's target for masks (n, height, width); empty masks are left out.

    Keys: `boxes` float (n, 4) as x1, y1, x2, y2 in pixels around the mask, `labels` int64 (n) with the value 1, `masks`
    uint8 (n, height, width), `image_id` int64 with the position of the image. Without instances n is 0.
    """
    covered = np.asarray(masks.any(2))
    is_left = covered.any(1)
    kept = np.ascontiguousarray(masks if is_left.all() else masks[is_left])
    boxes = [_box(mask, np.flatnonzero(rows)) for mask, rows in zip(kept, covered[is_left], strict=True)]
    return {
        "boxes": torch.tensor(np.array(boxes, np.float32).reshape(-1, 4)),
        "labels": torch.ones(len(kept), dtype=torch.int64),
        "masks": torch.from_numpy(kept.view(np.uint8)),
        "image_id": torch.tensor(index),
    }


def _box(mask: npt.NDArray[np.bool_], rows: npt.NDArray[np.intp]) -> tuple[int, int, int, int]:
    """x1, y1, x2, y2 around a mask; `rows` are the rows with covered pixels."""
    top, bottom = rows[0], rows[-1] + 1
    columns = np.flatnonzero(mask[top:bottom].any(0))
    return columns[0], top, columns[-1] + 1, bottom


def _outwards(part: slice, step: int) -> slice:
    """The slice extended at both ends to multiples of `step`."""
    return slice(part.start // step * step, -(-part.stop // step) * step)


def collate(samples: Sequence[Sample]) -> tuple[list[Tensor], list[dict[str, Any]]]:
    """Images and targets as two lists, as the detector takes them."""
    return [picture for picture, _ in samples], [each for _, each in samples]
