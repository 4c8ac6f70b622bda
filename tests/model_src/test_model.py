"""The network, its weights, the learning rate, and the way from instances to a mask."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torchvision.models.detection import maskrcnn_resnet50_fpn

from model_src.config import ModelConfig, OptimConfig, ProposalsConfig, ScheduleConfig
from model_src.model import build_model
from model_src.predict import Prediction, united
from model_src.schedule import learning_rate

SMALL = ModelConfig(backbone="resnet18", channels=16, box_features=32, trainable_layers=2)


def build(config: ModelConfig, weights: Path | None = None) -> nn.Module:
    """A model for pictures of 64 pixels."""
    return build_model(config, ProposalsConfig(), image_size=64, weights=weights)


def test_default_is_torchvisions_mask_rcnn() -> None:
    """Layer for layer `maskrcnn_resnet50_fpn` for two classes, so its published weights fit."""
    theirs = maskrcnn_resnet50_fpn(weights=None, weights_backbone=None, num_classes=2).state_dict()
    ours = build(ModelConfig()).state_dict()
    shapes = {name: value.shape for name, value in ours.items() if not name.endswith("num_batches_tracked")}
    assert shapes == {name: value.shape for name, value in theirs.items() if not name.endswith("num_batches_tracked")}


def test_from_scratch_everything_is_trained() -> None:
    """Nothing can stay frozen at its random start, the batch norms' statistics included."""
    model = build(SMALL)
    assert all(parameter.requires_grad for parameter in model.parameters())
    assert any(isinstance(module, nn.BatchNorm2d) for module in model.modules())


def test_weights_are_taken_over_and_the_lower_stages_frozen(tmp_path: Path) -> None:
    """Heads of another size stay random, the rest is the file's, and only the top stages are trained."""
    source = build(dataclasses.replace(SMALL, box_features=48))
    torch.save(source.state_dict(), tmp_path / "weights.pth")
    model = build(SMALL, tmp_path / "weights.pth")
    name = "backbone.body.layer2.0.conv1.weight"
    assert torch.equal(model.state_dict()[name], source.state_dict()[name])
    assert not any(isinstance(module, nn.BatchNorm2d) for module in model.modules())
    trained = {name.split(".")[2] for name, each in model.named_parameters() if each.requires_grad and ".body." in name}
    assert trained == {"layer3", "layer4"}


def test_weights_for_something_else_are_refused(tmp_path: Path) -> None:
    """A state dict without this backbone is an error, not a silent start from scratch."""
    torch.save({"fc.weight": torch.zeros(3)}, tmp_path / "weights.pth")
    with pytest.raises(ValueError, match=r"weights\.pth does not fit the model"):
        build(SMALL, tmp_path / "weights.pth")


def test_learning_rate_is_torchs_own() -> None:
    """The same figures as LinearLR within the first epoch and StepLR between epochs."""
    optim, schedule, steps = OptimConfig(lr=0.01), ScheduleConfig(warmup_steps=1000, step_size=2), 7
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=optim.lr)
    by_epoch = torch.optim.lr_scheduler.StepLR(optimizer, schedule.step_size, schedule.gamma)
    warmup = torch.optim.lr_scheduler.LinearLR(optimizer, start_factor=0.001, total_iters=steps - 1)
    for epoch in range(1, 6):
        for step in range(steps):
            ours = learning_rate(optim, schedule, epoch=epoch, step=step, steps_per_epoch=steps)
            assert ours == pytest.approx(optimizer.param_groups[0]["lr"])
            optimizer.step()
            if epoch == 1:
                warmup.step()
        by_epoch.step()


def test_learning_rate_without_warmup() -> None:
    """No warm-up by setting, and none where an epoch has but one step."""
    for schedule, steps in ((ScheduleConfig(warmup_steps=0), 10), (ScheduleConfig(), 1)):
        assert learning_rate(OptimConfig(lr=1.0), schedule, epoch=1, step=0, steps_per_epoch=steps) == 1.0


def test_instances_are_united_by_the_surest() -> None:
    """At each pixel the largest probability of the instances that score enough."""
    masks = torch.tensor([[[[0.9, 0.1]]], [[[0.2, 0.8]]], [[[1.0, 1.0]]]])
    instances = {"masks": masks, "scores": torch.tensor([0.9, 0.6, 0.4])}
    assert united(instances, 0.5).tolist() == [[pytest.approx(0.9), pytest.approx(0.8)]]
    assert united(instances, 0.95).tolist() == [[0.0, 0.0]]


def test_mask_comes_in_the_pictures_own_size() -> None:
    """A probability at the model's size becomes a mask at the original's."""
    rows = torch.zeros(32, 32)
    rows[8:24] = 1
    for probability, covered in ((rows, np.s_[16:48, :]), (rows.T, np.s_[:, 32:96])):
        expected = np.zeros((64, 128), bool)
        expected[covered] = True
        assert np.array_equal(Prediction(0, probability, 1.0).mask((64, 128), 0.5), expected)
