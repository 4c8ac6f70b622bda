"""The learning rate as a function of epoch and step, so there is no state to save."""

from __future__ import annotations

import math

from ..config import OptimConfig, ScheduleConfig

WARMUP_START = 0.001
"""Factor of the learning rate at the first step, as in the detection reference of torchvision."""


def learning_rate(
    optim: OptimConfig, schedule: ScheduleConfig, *, epoch: int, epochs: int, step: int, steps_per_epoch: int
) -> float:
    """The learning rate of a step; `epoch` counts from 1 to `epochs`, `step` from 0 in the epoch.

    The product of torch's LinearLR in the first epoch and of StepLR (per epoch) or CosineAnnealingLR (per step).
    """
    if schedule.name == "cosine":
        done = (epoch - 1 + step / steps_per_epoch) / epochs
        rate = schedule.lr_end + (optim.lr - schedule.lr_end) * (1 + math.cos(math.pi * done)) / 2
    else:
        rate = optim.lr * schedule.gamma ** ((epoch - 1) // schedule.step_size)
    warmup = min(schedule.warmup_steps, steps_per_epoch - 1)
    if epoch == 1 and step < warmup:
        rate *= WARMUP_START + (1 - WARMUP_START) * step / warmup
    return rate
