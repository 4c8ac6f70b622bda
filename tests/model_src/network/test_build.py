"""The network."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import torch
from torch import nn
from torchvision.models.detection import maskrcnn_resnet50_fpn

from model_src.config import ModelConfig, ProposalsConfig
from model_src.network.build import build_model

SMALL = ModelConfig(backbone="resnet18", channels=16, box_features=32, trainable_layers=2)


def build(config: ModelConfig, weights: Path | None = None) -> nn.Module:
    """A model for images of 64 pixels."""
    return build_model(config, ProposalsConfig(), image_size=64, weights=weights)


def test_default_is_torchvisions_mask_rcnn() -> None:
    """Layer for layer `maskrcnn_resnet50_fpn` for two classes, so its published weights fit."""
    theirs = maskrcnn_resnet50_fpn(weights=None, weights_backbone=None, num_classes=2).state_dict()
    ours = build(ModelConfig()).state_dict()
    shapes = {name: value.shape for name, value in ours.items() if not name.endswith("num_batches_tracked")}
    assert shapes == {name: value.shape for name, value in theirs.items() if not name.endswith("num_batches_tracked")}


def test_from_scratch_everything_is_trained() -> None:
    """No parameter stays frozen at its random initial value, nor do statistics of batch norms."""
    model = build(SMALL)
    assert all(parameter.requires_grad for parameter in model.parameters())
    assert any(isinstance(module, nn.BatchNorm2d) for module in model.modules())


def test_weights_are_taken_over_and_the_lower_stages_frozen(tmp_path: Path) -> None:
    """Heads of another size stay random, other weights are those of the file, only the top stages are trained."""
    source = build(dataclasses.replace(SMALL, box_features=48))
    torch.save(source.state_dict(), tmp_path / "weights.pth")
    model = build(SMALL, tmp_path / "weights.pth")
    name = "backbone.body.layer2.0.conv1.weight"
    assert torch.equal(model.state_dict()[name], source.state_dict()[name])
    assert not any(isinstance(module, nn.BatchNorm2d) for module in model.modules())
    trained = {name.split(".")[2] for name, each in model.named_parameters() if each.requires_grad and ".body." in name}
    assert trained == {"layer3", "layer4"}
