"""From the detector's instances to one mask per image."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from ..data.dataset import Batch
from ..data.transfer import images_on_device
from . import fusion
from .fusion import Instance, View
from .thresholds import Rule

Tta = Literal["none", "hflip"]
VIEWS: dict[Tta, int] = {"none": 1, "hflip": 2}
"""Predictions of each model per image."""
Autocast = Callable[[], AbstractContextManager[None]]
"""Makes the context of a forward pass, which sets its precision."""


@dataclass(frozen=True)
class Prediction:
    """The instances that one or several models predict for an image and, with flips, for its mirror image."""

    index: int
    """The position of the image."""
    size: int
    """Edge of the square image that the models saw, in pixels."""
    views: tuple[View, ...]
    """For each model and each flip its instances, mirrored back."""

    @functools.cached_property
    def instances(self) -> tuple[Instance, ...]:
        """The instances of all views together."""
        return fusion.fuse(self.views)

    @property
    def top_score(self) -> float:
        """The highest score of an instance, as all views vote; 0 without instances."""
        return fusion.top_score(self.instances)

    def mean(self, score_threshold: float) -> npt.NDArray[np.float32]:
        """The probability map float32 (size, size) of the instances with at least this score."""
        return fusion.united(self.instances, score_threshold, self.size)

    def probability(self, shape: tuple[int, int], score_threshold: float) -> npt.NDArray[np.float32]:
        """The same map, scaled to the original (height, width) of the image."""
        return in_shape(torch.from_numpy(self.mean(score_threshold)), shape)

    def probabilities(self, shape: tuple[int, int], score_thresholds: Sequence[float]) -> list[npt.NDArray[np.float32]]:
        """`probability` at each of the ascending thresholds; the same object if no instance is between two of them."""
        found: list[npt.NDArray[np.float32]] = []
        below = -math.inf
        for threshold in score_thresholds:
            is_other = any(below <= each.score < threshold for each in self.instances)
            found.append(self.probability(shape, threshold) if is_other or not found else found[-1])
            below = threshold
        return found

    def mask(self, shape: tuple[int, int], rule: Rule) -> npt.NDArray[np.bool_]:
        """The mask in the original (height, width) of the image."""
        return rule.mask(self.probability(shape, rule.score))

    def part(self, views: slice) -> Prediction:
        """The prediction of some of the views."""
        return Prediction(self.index, self.size, self.views[views])


def predict(
    models: Sequence[nn.Module],
    loader: Iterable[Batch],
    *,
    tta: Tta,
    device: torch.device,
    autocast: Autocast = nullcontext,
) -> Iterator[Prediction]:
    """The predictions of all models for every image of the loader; with "hflip" also of the mirrored images."""
    for model in models:
        model.eval()
    with torch.inference_mode():
        for pictures, targets in loader:
            batch = images_on_device(pictures, device)
            views: list[list[View]] = []
            for mirrored in (False, True)[: VIEWS[tta]]:
                inputs = [image.flip(-1) for image in batch] if mirrored else batch
                for model in models:
                    # The masks of one view at a time, without a name that would keep them during the next forward pass:
                    # each of an instance is as large as the image.
                    with autocast():
                        views.append([seen(output, mirrored=mirrored) for output in model(inputs)])
            for place, target in enumerate(targets):
                size = int(pictures[place].shape[-1])
                yield Prediction(int(target["image_id"]), size, tuple(view[place] for view in views))


def seen(output: dict[str, Tensor], *, mirrored: bool) -> View:
    """The instances in a detector's output for an image, on the CPU, those with the highest scores first."""
    masks = output["masks"][:, 0]
    if mirrored:
        masks = masks.flip(-1)
    if not len(masks):
        return ()
    rows, columns = ((masks > 0).any(axis).cpu().numpy() for axis in (2, 1))
    found = []
    for mask, score, row, column in zip(masks, output["scores"].tolist(), rows, columns, strict=True):
        (down,), (along,) = np.nonzero(row), np.nonzero(column)
        top, left = (int(each[0]) if len(each) else 0 for each in (down, along))
        part = mask[top : int(down[-1]) + 1, left : int(along[-1]) + 1] if len(down) else mask[:0, :0]
        found.append(Instance(score, top, left, part.float().cpu().numpy().copy()))
    return tuple(found)


def united(masks: Tensor, scores: Tensor, score_threshold: float) -> Tensor:
    """float (height, width): the largest probability over the instances with at least this score; 0 without any."""
    counted = masks[scores >= score_threshold]
    return counted.amax(0) if len(counted) else masks.new_zeros(masks.shape[1:])


def in_shape(probability: Tensor, shape: tuple[int, int]) -> npt.NDArray[np.float32]:
    """A map (size, size) scaled to the original (height, width) of the image, on the CPU."""
    here = probability.cpu()
    if here.shape != shape:
        here = nn.functional.interpolate(here[None, None], size=shape, mode="bilinear", align_corners=False)[0, 0]
    values: npt.NDArray[np.float32] = here.numpy()
    return values
