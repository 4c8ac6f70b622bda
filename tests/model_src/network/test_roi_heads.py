"""The detector's heads with a configurable mask loss."""

from __future__ import annotations

import functools
from typing import cast

import pytest
import torch
from torchvision.models.detection.roi_heads import RoIHeads

from model_src.config import MaskLossConfig, ModelConfig, ProposalsConfig
from model_src.network.build import build_model


def losses_of(loss: MaskLossConfig, *, of_torchvision: bool = False) -> dict[str, float]:
    """The five losses of a small untrained model on one image with two masks, and on one without."""
    config = ModelConfig(backbone="resnet18", channels=16, box_features=32, mask_loss=loss)
    torch.manual_seed(0)
    model = build_model(config, ProposalsConfig(), image_size=64, weights=None).train()
    heads = cast(RoIHeads, model.roi_heads)
    if of_torchvision:
        heads.forward = functools.partial(RoIHeads.forward, heads)
    found = torch.zeros(2, 64, 64, dtype=torch.uint8)
    found[0, 8:40, 8:24] = found[1, 10:50, 30:60] = 1
    boxes = torch.tensor([[8.0, 8, 24, 40], [30, 10, 60, 50]])
    target = {"boxes": boxes, "labels": torch.ones(2, dtype=torch.int64), "masks": found}
    nothing = {"boxes": boxes[:0], "labels": torch.ones(0, dtype=torch.int64), "masks": found[:0]}
    torch.manual_seed(1)
    values = model([torch.rand(3, 64, 64), torch.rand(3, 64, 64)], [target, nothing])
    return {name: value.item() for name, value in values.items()}


def test_heads_compute_what_torchvisions_compute() -> None:
    """With cross-entropy, all five losses are torchvision's; other losses change that of the mask head only."""
    plain, theirs = losses_of(MaskLossConfig()), losses_of(MaskLossConfig(), of_torchvision=True)
    assert theirs.pop("loss_mask") == pytest.approx(plain["loss_mask"])
    assert theirs == {name: value for name, value in plain.items() if name != "loss_mask"}
    other = losses_of(MaskLossConfig(bce=0, dice=1, lovasz=1))
    assert {name for name in plain if plain[name] != other[name]} == {"loss_mask"}
