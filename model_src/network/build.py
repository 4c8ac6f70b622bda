"""Builds Mask R-CNN on a ResNet feature pyramid, for two classes: background and pneumothorax."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import cast

import torch
from torch import nn
from torchvision.models import resnet
from torchvision.models.detection import MaskRCNN
from torchvision.models.detection.backbone_utils import BackboneWithFPN
from torchvision.models.detection.faster_rcnn import TwoMLPHead
from torchvision.models.detection.mask_rcnn import MaskRCNNHeads
from torchvision.ops import FrozenBatchNorm2d
from torchvision.ops.feature_pyramid_network import LastLevelMaxPool

from ..config import ModelConfig, ProposalsConfig
from .float32 import FloatAnchors, FloatBoxPredictor, FloatMaskPredictor, FloatRPNHead
from .roi_heads import MaskLossRoIHeads
from .weights import load_weights

CLASSES = 2
STAGES = ("layer4", "layer3", "layer2", "layer1", "conv1")
"""The stages of the backbone from the top, in the order of `trainable_layers`."""
LEAST_SCORE = 0.05
"""The detector drops instances with a lower score, as in torchvision, before any other threshold."""


def build_model(
    config: ModelConfig,
    proposals: ProposalsConfig,
    *,
    image_size: int,
    weights: Path | None,
    say: Callable[[str], None] = print,
) -> nn.Module:
    """The detector, on the CPU, for images of `image_size` pixels.

    With `weights` (the file of a state dict) the batch norms and the lower stages of the backbone are frozen. The model
    is `maskrcnn_resnet50_fpn` with both predictors replaced, so its published weights fit. `say` is called with one
    line about the weights. Raises BadWeights when they do not fit the model.
    """
    # Without weights the norms have to be trained: frozen at their initial statistics, the backbone could not learn.
    norm = nn.BatchNorm2d if weights is None else FrozenBatchNorm2d
    body = getattr(resnet, config.backbone)(weights=None, norm_layer=norm)
    trained = STAGES if weights is None else STAGES[: config.trainable_layers]
    if len(trained) == len(STAGES):
        trained = (*trained, "bn1")
    for name, parameter in body.named_parameters():
        parameter.requires_grad_(name.startswith(trained))
    width = body.inplanes // 8
    backbone = BackboneWithFPN(
        body,
        return_layers={f"layer{level}": str(level - 1) for level in (1, 2, 3, 4)},
        in_channels_list=[width, width * 2, width * 4, width * 8],
        out_channels=config.channels,
        extra_blocks=LastLevelMaxPool(),
    )
    anchors = FloatAnchors(sizes=tuple((size,) for size in config.anchor_sizes), aspect_ratios=((0.5, 1.0, 2.0),) * 5)
    model = MaskRCNN(
        backbone,
        min_size=image_size,
        max_size=image_size,
        rpn_anchor_generator=anchors,
        rpn_pre_nms_top_n_train=proposals.pre_nms_train,
        rpn_pre_nms_top_n_test=proposals.pre_nms_test,
        rpn_post_nms_top_n_train=proposals.post_nms_train,
        rpn_post_nms_top_n_test=proposals.post_nms_test,
        rpn_batch_size_per_image=proposals.rpn_batch,
        rpn_positive_fraction=proposals.rpn_positive_fraction,
        box_head=TwoMLPHead(config.channels * 7 * 7, config.box_features),
        box_predictor=FloatBoxPredictor(config.box_features, CLASSES),
        box_batch_size_per_image=proposals.roi_batch,
        box_positive_fraction=proposals.roi_positive_fraction,
        box_score_thresh=LEAST_SCORE,
        box_detections_per_img=config.max_detections,
        mask_head=MaskRCNNHeads(config.channels, (config.channels,) * 4, 1),
        mask_predictor=FloatMaskPredictor(config.channels, config.channels, CLASSES),
        # The last one, as in torchvision: the order of the modules decides about their random initial weights.
        rpn_head=FloatRPNHead(config.channels, anchors.num_anchors_per_location()[0]),
    )
    model.roi_heads = MaskLossRoIHeads(model.roi_heads, config.mask_loss)
    if weights is not None:
        load_weights(model, weights, say)
    # Convolutions on CPU and GPU are fastest in this memory format.
    layout = torch.channels_last if config.channels_last else torch.contiguous_format
    return cast(nn.Module, model.to(memory_format=layout))
