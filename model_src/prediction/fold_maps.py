"""The predictions of the models of some folds for images that no fold was trained on, in a file.

For each image it has the probability map in the size of the model's input, as the mean over its views. The mean of all
folds, and with it the mask under any rule, is computed when the folds are merged. Only the part around the instances is
stored, in 65536 steps: a pixel of the merged mask may differ from that of a single run where its probability is within
0.00001 of the threshold.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ..files import replacing
from .thresholds import Map

TEST_MAPS = "test_maps.npz"
STEPS = 65535

Values = npt.NDArray[np.uint16]


@dataclass(frozen=True)
class Crop:
    """The smallest part of a map with all values that are not 0."""

    top: int
    left: int
    values: Values
    """uint16 (height, width) of the part, in steps."""

    @classmethod
    def of(cls, values: Map) -> Crop:
        """The crop of a map float32 (size, size)."""
        steps = np.rint(values * np.float32(STEPS)).astype(np.uint16)
        rows, columns = np.flatnonzero(steps.any(1)), np.flatnonzero(steps.any(0))
        if not len(rows):
            return cls(0, 0, np.zeros((0, 0), np.uint16))
        return cls(int(rows[0]), int(columns[0]), steps[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].copy())

    def full(self, size: int) -> Map:
        """The map float32 (size, size)."""
        found = np.zeros((size, size), np.float32)
        height, width = self.values.shape
        found[self.top : self.top + height, self.left : self.left + width] = self.values / np.float32(STEPS)
        return found


@dataclass(frozen=True)
class ImageMaps:
    """The predictions for one image."""

    image_id: str
    shape: tuple[int, int]
    """(height, width) of the original image."""
    top_score: float
    crops: tuple[Crop, ...]
    """One per score threshold; the same object where the same instances reach two thresholds."""
    truth: str = ""
    """The encoded true mask of a labelled image."""


@dataclass(frozen=True)
class FoldMaps:
    """The predictions of a run of one fold or several."""

    scores: tuple[float, ...]
    """Score thresholds, ascending; each image has one map per threshold."""
    size: int
    """Edge of the maps, in pixels."""
    models: int
    """How many models the maps are the mean of."""
    value: float
    """The best value of the monitored metric of these models."""
    skipped: tuple[str, ...]
    """ImageIds of unreadable files."""
    seen: tuple[ImageMaps, ...]


def write_maps(path: Path, maps: FoldMaps) -> None:
    """Write the predictions to a file of NumPy arrays (.npz)."""
    crops: list[Crop] = []
    places: list[list[int]] = []
    for each in maps.seen:
        row: list[int] = []
        for number, crop in enumerate(each.crops):
            if not number or crop is not each.crops[number - 1]:
                crops.append(crop)
            row.append(len(crops) - 1)
        places.append(row)
    with replacing(path) as file:
        np.savez_compressed(
            file,
            scores=np.array(maps.scores),
            part=np.array([maps.size, maps.models, maps.value], np.float64),
            skipped=np.array(maps.skipped, np.str_),
            ids=np.array([each.image_id for each in maps.seen], np.str_),
            shapes=np.array([each.shape for each in maps.seen], np.int64).reshape(-1, 2),
            top_scores=np.array([each.top_score for each in maps.seen], np.float64),
            truth=np.array([each.truth for each in maps.seen], np.str_),
            places=np.array(places, np.int64).reshape(-1, len(maps.scores)),
            boxes=np.array([(each.top, each.left, *each.values.shape) for each in crops], np.int64).reshape(-1, 4),
            values=np.concatenate(
                [np.zeros(0, np.uint16), *(_second_differences(each.values).ravel() for each in crops)]
            ),
        )


def read_maps(path: Path) -> FoldMaps:
    """The predictions in a file of `write_maps`."""
    with np.load(path, allow_pickle=False) as file:
        kept = dict(file)
    size, models, value = kept["part"].tolist()
    ends = np.cumsum(kept["boxes"][:, 2] * kept["boxes"][:, 3]).tolist()
    crops = [
        Crop(top, left, _cumulative_sums(kept["values"][begin:end].reshape(height, width)))
        for (top, left, height, width), (begin, end) in zip(
            kept["boxes"].tolist(), itertools.pairwise([0, *ends]), strict=True
        )
    ]
    seen = [
        ImageMaps(
            str(image_id), (int(shape[0]), int(shape[1])), top, tuple(crops[place] for place in places), str(truth)
        )
        for image_id, shape, top, places, truth in zip(
            kept["ids"], kept["shapes"], kept["top_scores"].tolist(), kept["places"], kept["truth"], strict=True
        )
    ]
    scores = tuple(map(float, kept["scores"]))
    return FoldMaps(scores, int(size), int(models), value, tuple(map(str, kept["skipped"])), tuple(seen))


def _second_differences(values: Values) -> Values:
    """Second differences along both axes, modulo 65536.

    The detector scales small masks up linearly, so most of these are 0, and the file is a quarter of the size.
    """
    for axis in (0, 0, 1, 1):
        values = np.diff(values, axis=axis, prepend=np.uint16(0))
    return values


def _cumulative_sums(values: Values) -> Values:
    """The inverse of `_second_differences`."""
    for axis in (0, 0, 1, 1):
        values = np.cumsum(values, axis=axis, dtype=np.uint16)
    return values


def mean_map(parts: Sequence[FoldMaps], place: int, score: float) -> Map:
    """The mean map float32 over the models of all parts, of the image at this position, in its original size."""
    total = np.zeros((parts[0].size, parts[0].size), np.float32)
    for part in parts:
        total += part.models * part.seen[place].crops[part.scores.index(score)].full(part.size)
    return scaled(total / np.float32(sum(part.models for part in parts)), parts[0].seen[place].shape)


def top_score(parts: Sequence[FoldMaps], place: int) -> float:
    """The mean over the models of all parts of the highest score in the image at this position."""
    return sum(each.models * each.seen[place].top_score for each in parts) / sum(each.models for each in parts)


def check_same_images(parts: Sequence[FoldMaps]) -> None:
    """Raise ValueError when the parts do not have the same images in the same order."""
    of = [(each.size, each.scores, each.skipped, [(s.image_id, s.shape) for s in each.seen]) for each in parts]
    if any(each != of[0] for each in of):
        raise ValueError("the runs of the folds predicted different images, or with other sizes or score thresholds")


def scaled(values: Map, shape: tuple[int, int]) -> Map:
    """A map scaled bilinearly to another (height, width), like `predict.in_shape` but without torch."""
    if values.shape == shape:
        return values
    for axis, length in enumerate(shape):
        before = values.shape[axis]
        places = np.maximum((np.arange(length, dtype=np.float32) + np.float32(0.5)) * (before / length) - 0.5, 0)
        low = places.astype(np.int64)
        weight = (places - low).astype(np.float32).reshape((-1, 1) if axis == 0 else (1, -1))
        high = np.minimum(low + 1, before - 1)
        values = values.take(low, axis) * (1 - weight) + values.take(high, axis) * weight
    return values.astype(np.float32)
