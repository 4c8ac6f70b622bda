"""The box and mask heads of Mask R-CNN with a configurable mask loss."""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor
from torchvision.models.detection.roi_heads import RoIHeads, fastrcnn_loss, project_masks_on_boxes

from ..config import MaskLossConfig
from .losses import mask_loss


class MaskLossRoIHeads(RoIHeads):  # type: ignore[misc]  # torchvision has no types
    """torchvision's heads with another mask loss; prediction is unchanged.

    Takes the modules and settings of existing heads; the names in the state dict stay the same.
    """

    def __init__(self, heads: RoIHeads, loss: MaskLossConfig) -> None:
        super().__init__(
            heads.box_roi_pool,
            heads.box_head,
            heads.box_predictor,
            heads.proposal_matcher.high_threshold,
            heads.proposal_matcher.low_threshold,
            heads.fg_bg_sampler.batch_size_per_image,
            heads.fg_bg_sampler.positive_fraction,
            heads.box_coder.weights,
            heads.score_thresh,
            heads.nms_thresh,
            heads.detections_per_img,
            heads.mask_roi_pool,
            heads.mask_head,
            heads.mask_predictor,
        )
        self.loss = loss

    def forward(
        self,
        features: dict[str, Tensor],
        proposals: list[Tensor],
        image_shapes: list[tuple[int, int]],
        targets: list[dict[str, Tensor]] | None = None,
    ) -> tuple[list[dict[str, Tensor]], dict[str, Tensor]]:
        """The instances of each image in prediction, the three losses of the heads in training."""
        if not self.training:
            return cast(
                "tuple[list[dict[str, Tensor]], dict[str, Tensor]]",
                super().forward(features, proposals, image_shapes, targets),
            )
        assert targets is not None
        proposals, matched, labels, regression = self.select_training_samples(proposals, targets)
        pooled = self.box_head(self.box_roi_pool(features, proposals, image_shapes))
        classifier, box = fastrcnn_loss(*self.box_predictor(pooled), labels, regression)

        # The mask head is trained on positive proposals only.
        positive = [torch.where(each > 0)[0] for each in labels]
        boxes = [each[chosen] for each, chosen in zip(proposals, positive, strict=True)]
        truths = [each[chosen] for each, chosen in zip(matched, positive, strict=True)]
        logits = self.mask_predictor(self.mask_head(self.mask_roi_pool(features, boxes, image_shapes)))
        classes = torch.cat([each["labels"][truth] for each, truth in zip(targets, truths, strict=True)])
        wanted = torch.cat(
            [
                project_masks_on_boxes(each["masks"], box_, truth, logits.shape[-1])
                for each, box_, truth in zip(targets, boxes, truths, strict=True)
            ]
        )
        mask = mask_loss(self.loss, logits[torch.arange(len(classes), device=logits.device), classes], wanted)
        losses: dict[str, Any] = {"loss_classifier": classifier, "loss_box_reg": box, "loss_mask": mask}
        return [], losses
