"""From the detector's instances to one mask per image."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from ..data.dataset import Batch
from ..data.transfer import images_on_device
from .fold_maps import Crop
from .thresholds import Rule

T = TypeVar("T")
Tta = Literal["none", "hflip"]
VIEWS: dict[Tta, int] = {"none": 1, "hflip": 2}
"""Predictions of each model per image."""


@dataclass(frozen=True)
class Prediction:
    """The instances that one or several models predict for an image and, with flips, for its mirror image."""

    index: int
    """The position of the image."""
    views: tuple[tuple[Tensor, Tensor], ...]
    """For each model and each flip: masks float (n, size, size), mirrored back, and scores float (n)."""

    @property
    def top_score(self) -> float:
        """The highest score of an instance as the mean over the views; 0 for a view without instances."""
        top = [scores.max().item() if len(scores) else 0.0 for _, scores in self.views]
        return sum(top) / len(top)

    def mean(self, score_threshold: float) -> Tensor:
        """The probability map float (size, size) of the instances with at least this score, the mean over the views."""
        return torch.stack([united(masks, scores, score_threshold) for masks, scores in self.views]).mean(0)

    def probability(self, shape: tuple[int, int], score_threshold: float) -> npt.NDArray[np.float32]:
        """The same map, scaled to the original (height, width) of the image."""
        return in_shape(self.mean(score_threshold), shape)

    def probabilities(self, shape: tuple[int, int], score_thresholds: Sequence[float]) -> list[npt.NDArray[np.float32]]:
        """`probability` at each of the ascending thresholds; the same object if no instance is between two of them."""
        return self._at_each(score_thresholds, lambda threshold: self.probability(shape, threshold))

    def crops(self, score_thresholds: Sequence[float]) -> list[Crop]:
        """`mean` at each of the ascending thresholds, in the same way."""
        return self._at_each(score_thresholds, lambda threshold: Crop.of(self.mean(threshold).cpu().numpy()))

    def _at_each(self, score_thresholds: Sequence[float], of: Callable[[float], T]) -> list[T]:
        found: list[T] = []
        below = -math.inf
        for threshold in score_thresholds:
            is_other = any(((below <= scores) & (scores < threshold)).any() for _, scores in self.views)
            found.append(of(threshold) if is_other or not found else found[-1])
            below = threshold
        return found

    def mask(self, shape: tuple[int, int], rule: Rule) -> npt.NDArray[np.bool_]:
        """The mask in the original (height, width) of the image."""
        return rule.mask(self.probability(shape, rule.score))

    def part(self, views: slice) -> Prediction:
        """The prediction of some of the views."""
        return Prediction(self.index, self.views[views])


def predict(
    models: Sequence[nn.Module], loader: Iterable[Batch], *, tta: Tta, device: torch.device
) -> Iterator[Prediction]:
    """The predictions of all models for every image of the loader; with "hflip" also of the mirrored images."""
    for model in models:
        model.eval()
    with torch.inference_mode():
        for pictures, targets in loader:
            batch = images_on_device(pictures, device)
            outputs = [(model(batch), False) for model in models]
            if tta == "hflip":
                outputs += [(model([image.flip(-1) for image in batch]), True) for model in models]
            for place, target in enumerate(targets):
                views = []
                for output, mirrored in outputs:
                    masks = output[place]["masks"][:, 0]
                    views.append((masks.flip(-1) if mirrored else masks, output[place]["scores"]))
                yield Prediction(int(target["image_id"]), tuple(views))


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
