"""From the detector's instances to one mask a picture."""

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
"""How often each model looks at a picture."""


@dataclass(frozen=True)
class Prediction:
    """What one or several models say about one picture, and about its mirror image where they were asked."""

    index: int
    """The picture's position."""
    views: tuple[tuple[Tensor, Tensor], ...]
    """For each model, and for each flip of it: masks float (n, size, size) as the picture lies, and scores (n)."""

    @property
    def top_score(self) -> float:
        """Score of the surest instance, whether it counts or not, as the mean of the views; 0 without any."""
        top = [scores.max().item() if len(scores) else 0.0 for _, scores in self.views]
        return sum(top) / len(top)

    def mean(self, score_threshold: float) -> Tensor:
        """(size, size), as the model saw it: how likely a pixel belongs to any instance that counts, over the views."""
        return torch.stack([united(masks, scores, score_threshold) for masks, scores in self.views]).mean(0)

    def probability(self, shape: tuple[int, int], score_threshold: float) -> npt.NDArray[np.float32]:
        """The same as (height, width) in the picture's original size."""
        return in_shape(self.mean(score_threshold), shape)

    def probabilities(self, shape: tuple[int, int], score_thresholds: Sequence[float]) -> list[npt.NDArray[np.float32]]:
        """`probability` at each of the rising thresholds; where the same instances count it is the same object."""
        return self._at_each(score_thresholds, lambda threshold: self.probability(shape, threshold))

    def crops(self, score_thresholds: Sequence[float]) -> list[Crop]:
        """`mean` at each of the rising thresholds, likewise."""
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
        """The mask (height, width) in the picture's original size."""
        return rule.mask(self.probability(shape, rule.score))

    def part(self, views: slice) -> Prediction:
        """The same picture with some of the views only."""
        return Prediction(self.index, self.views[views])


def predict(
    models: Sequence[nn.Module], loader: Iterable[Batch], *, tta: Tta, device: torch.device
) -> Iterator[Prediction]:
    """Predictions of every picture by every model; with "hflip" each model also sees it mirrored."""
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
    """float (height, width): at each pixel the largest probability of the instances that score enough; 0 of none."""
    counted = masks[scores >= score_threshold]
    return counted.amax(0) if len(counted) else masks.new_zeros(masks.shape[1:])


def in_shape(probability: Tensor, shape: tuple[int, int]) -> npt.NDArray[np.float32]:
    """A map (size, size) scaled to the picture's original (height, width), on the CPU."""
    here = probability.cpu()
    if here.shape != shape:
        here = nn.functional.interpolate(here[None, None], size=shape, mode="bilinear", align_corners=False)[0, 0]
    values: npt.NDArray[np.float32] = here.numpy()
    return values
