"""Parts of the detector whose outputs are float32 under any autocast.

Autocast computes convolutions and products in bfloat16 or float16. bfloat16 has 8 significant bits, so a coordinate
between 512 and 1024 would be rounded to a multiple of 4 pixels. torchvision takes the type of its anchors from the
features, and that of the true boxes from the proposals. With float32 anchors, logits and regressions all arithmetic of
boxes (decoding, matching, targets, suppression) is float32; so are the losses. Without autocast nothing changes.
"""

from __future__ import annotations

from typing import cast

from torch import Tensor
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.faster_rcnn import FastRCNNPredictor
from torchvision.models.detection.image_list import ImageList
from torchvision.models.detection.mask_rcnn import MaskRCNNPredictor
from torchvision.models.detection.rpn import RPNHead


class FloatAnchors(AnchorGenerator):  # type: ignore[misc]  # torchvision has no types
    """Anchors of float32, whatever the type of the features."""

    def forward(self, image_list: ImageList, feature_maps: list[Tensor]) -> list[Tensor]:
        """The anchors of each image, float32 (n, 4)."""
        # Only the shapes, the device and the type of the features matter: these take no memory.
        shapes = [each.new_empty((1, 1, 1, 1)).float().expand(each.shape) for each in feature_maps]
        return cast("list[Tensor]", super().forward(image_list, shapes))


class FloatRPNHead(RPNHead):  # type: ignore[misc]
    """The head of the proposals, with outputs of float32."""

    def forward(self, x: list[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
        """Objectness and regression of each level of the features."""
        logits, regression = super().forward(x)
        return [each.float() for each in logits], [each.float() for each in regression]


class FloatBoxPredictor(FastRCNNPredictor):  # type: ignore[misc]
    """The class and the box of each proposal, in float32."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Logits (n, classes) and regression (n, 4 x classes)."""
        logits, regression = super().forward(x)
        return logits.float(), regression.float()


class FloatMaskPredictor(MaskRCNNPredictor):  # type: ignore[misc]
    """The mask of each proposal, in float32."""

    def forward(self, x: Tensor) -> Tensor:
        """Logits (n, classes, height, width)."""
        return cast(Tensor, super().forward(x).float())
