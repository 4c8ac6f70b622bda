"""The predictions of the models of some folds for images that no fold was trained on, in a file.

For each image it has the instances of each view in the size of the model's input. The mean of all folds, and with it
the mask under any rule, is computed when the folds are merged. Masks are stored in 65536 steps: a pixel of the merged
mask may differ from that of a single run where its probability is within 0.00001 of the threshold.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ..files import replacing
from . import fusion
from .fusion import Instance, Map, View

TEST_MAPS = "test_maps.npz"
STEPS = 65535

Values = npt.NDArray[np.uint16]


@dataclass(frozen=True)
class ImageMaps:
    """The predictions for one image."""

    image_id: str
    shape: tuple[int, int]
    """(height, width) of the original image."""
    views: tuple[View, ...]
    truth: str = ""
    """The encoded true mask of a labelled image."""


@dataclass(frozen=True)
class FoldMaps:
    """The predictions of a run of one fold or several."""

    size: int
    """Edge of the image that the models saw, in pixels."""
    value: float
    """The best value of the monitored metric of these models."""
    skipped: tuple[str, ...]
    """ImageIds of unreadable files."""
    seen: tuple[ImageMaps, ...]


def write_maps(path: Path, maps: FoldMaps) -> None:
    """Write the predictions to a file of NumPy arrays (.npz)."""
    every = [
        (image, view, instance)
        for image, each in enumerate(maps.seen)
        for view, instances in enumerate(each.views)
        for instance in instances
    ]
    boxes = [(image, view, each.top, each.left, *each.values.shape) for image, view, each in every]
    values = [_second_differences(np.rint(each.values * np.float32(STEPS)).astype(np.uint16)) for *_, each in every]
    with replacing(path) as file:
        np.savez_compressed(
            file,
            part=np.array([maps.size, len(maps.seen[0].views) if maps.seen else 0, maps.value], np.float64),
            skipped=np.array(maps.skipped, np.str_),
            ids=np.array([each.image_id for each in maps.seen], np.str_),
            shapes=np.array([each.shape for each in maps.seen], np.int64).reshape(-1, 2),
            truth=np.array([each.truth for each in maps.seen], np.str_),
            scores=np.array([each.score for *_, each in every], np.float64),
            boxes=np.array(boxes, np.int64).reshape(-1, 6),
            values=np.concatenate([np.zeros(0, np.uint16), *(each.ravel() for each in values)]),
        )


def read_maps(path: Path) -> FoldMaps:
    """The predictions in a file of `write_maps`."""
    with np.load(path, allow_pickle=False) as file:
        kept = dict(file)
    size, count, value = kept["part"].tolist()
    views: list[list[list[Instance]]] = [[[] for _ in range(int(count))] for _ in kept["ids"]]
    ends = np.cumsum(kept["boxes"][:, 4] * kept["boxes"][:, 5]).tolist()
    for score, (image, view, top, left, height, width), (begin, end) in zip(
        kept["scores"].tolist(), kept["boxes"].tolist(), itertools.pairwise([0, *ends]), strict=True
    ):
        steps = _cumulative_sums(kept["values"][begin:end].reshape(height, width))
        views[image][view].append(Instance(score, top, left, steps / np.float32(STEPS)))
    seen = [
        ImageMaps(str(image_id), (int(shape[0]), int(shape[1])), tuple(map(tuple, each)), str(truth))
        for image_id, shape, each, truth in zip(kept["ids"], kept["shapes"], views, kept["truth"], strict=True)
    ]
    return FoldMaps(int(size), value, tuple(map(str, kept["skipped"])), tuple(seen))


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


def fused(parts: Sequence[FoldMaps], place: int) -> tuple[Instance, ...]:
    """The instances of the models of all parts together, of the image at this position."""
    return fusion.fuse([view for part in parts for view in part.seen[place].views])


def mean_map(parts: Sequence[FoldMaps], place: int, score: float) -> Map:
    """The map float32 of the models of all parts, of the image at this position, in its original size."""
    shape = parts[0].seen[place].shape
    return scaled(fusion.united(fused(parts, place), score, parts[0].size), shape)


def top_score(parts: Sequence[FoldMaps], place: int) -> float:
    """The highest score in the image at this position, by the models of all parts."""
    return fusion.top_score(fused(parts, place))


def check_same_images(parts: Sequence[FoldMaps]) -> None:
    """Raise ValueError when the parts do not have the same images in the same order."""
    of = [(each.size, each.skipped, [(s.image_id, s.shape) for s in each.seen]) for each in parts]
    if any(each != of[0] for each in of):
        raise ValueError("the runs of the folds predicted different images, or with another size")


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
