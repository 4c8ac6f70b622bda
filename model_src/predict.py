"""From the detector's instances to one mask a picture."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from .dataset import Sample


@dataclass(frozen=True)
class Prediction:
    """What one or several models say about one picture."""

    index: int
    """The picture's position."""
    probability: Tensor
    """float (size, size) on the CPU: how likely a pixel belongs to any instance that counts."""
    top_score: float
    """Score of the surest instance, whether it counts or not; 0 without any."""

    def mask(self, shape: tuple[int, int], threshold: float) -> npt.NDArray[np.bool_]:
        """The mask (height, width) in the picture's original size."""
        scaled = nn.functional.interpolate(
            self.probability[None, None], size=shape, mode="bilinear", align_corners=False
        )
        covered: npt.NDArray[np.bool_] = (scaled[0, 0] >= threshold).numpy()
        return covered


def predict(
    models: Sequence[nn.Module], loader: DataLoader[Sample], *, score_threshold: float, device: torch.device
) -> Iterator[Prediction]:
    """Predictions of every picture, averaged over the models."""
    for model in models:
        model.eval()
    with torch.inference_mode():
        for images, targets in loader:
            batch = [image.to(device, non_blocking=True) for image in images]
            outputs = [model(batch) for model in models]
            for place, target in enumerate(targets):
                instances = [output[place] for output in outputs]
                probability = torch.stack([united(each, score_threshold) for each in instances]).mean(0)
                top = [each["scores"].max().item() if len(each["scores"]) else 0.0 for each in instances]
                yield Prediction(int(target["image_id"]), probability.cpu(), sum(top) / len(top))


def united(instances: dict[str, Tensor], score_threshold: float) -> Tensor:
    """float (height, width): at each pixel the largest probability of the instances that score enough; 0 of none."""
    masks = instances["masks"][:, 0]
    counted = masks[instances["scores"] >= score_threshold]
    return counted.amax(0) if len(counted) else masks.new_zeros(masks.shape[1:])
