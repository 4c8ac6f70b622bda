"""The learning rate as a function of epoch and step."""

from __future__ import annotations

from typing import Literal

import pytest
import torch

from model_src.config import OptimConfig, ScheduleConfig
from model_src.training.schedule import learning_rate


@pytest.mark.parametrize("name", ["step", "cosine"])
@pytest.mark.parametrize("warmup", [0, 3, 1000])
def test_learning_rate_is_torchs_own(name: Literal["step", "cosine"], warmup: int) -> None:
    """Each value is that of LinearLR times StepLR (per epoch) or CosineAnnealingLR (per step)."""
    optim, steps, epochs = OptimConfig(lr=0.01), 7, 5
    schedule = ScheduleConfig(name=name, warmup_steps=warmup, step_size=2, lr_end=0.001)
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=optim.lr)
    warm = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    by_epoch = torch.optim.lr_scheduler.StepLR(optimizer, schedule.step_size, schedule.gamma)
    cosine = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs * steps, eta_min=0.001)
    first_epoch = torch.optim.lr_scheduler.LinearLR(warm, start_factor=0.001, total_iters=min(warmup, steps - 1))
    if name == "step":
        optimizer.param_groups[0]["lr"] = optim.lr
    for epoch in range(1, epochs + 1):
        for step in range(steps):
            ours = learning_rate(optim, schedule, epoch=epoch, epochs=epochs, step=step, steps_per_epoch=steps)
            factor = warm.param_groups[0]["lr"] if warmup else 1.0
            assert ours == pytest.approx(optimizer.param_groups[0]["lr"] * factor)
            optimizer.step()
            warm.step()
            first_epoch.step()
            if name == "cosine":
                cosine.step()
        if name == "step":
            by_epoch.step()


def test_learning_rate_without_warmup() -> None:
    """No warm-up by the setting, and none if an epoch has a single step."""
    for schedule, steps in ((ScheduleConfig(warmup_steps=0), 10), (ScheduleConfig(), 1)):
        assert learning_rate(OptimConfig(lr=1.0), schedule, epoch=1, epochs=2, step=0, steps_per_epoch=steps) == 1.0
