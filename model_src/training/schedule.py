"""The learning rate as a function of time: nothing to step, nothing to save."""

from __future__ import annotations

import math

from ..config import OptimConfig, ScheduleConfig

WARMUP_START = 0.001
"""Share of the learning rate at the first step, as in torchvision's detection reference."""


def learning_rate(
    optim: OptimConfig, schedule: ScheduleConfig, *, epoch: int, epochs: int, step: int, steps_per_epoch: int
) -> float:
    """The rate of one step; `epoch` counts from 1 to `epochs`, `step` from 0 within the epoch.

    The same as torch's LinearLR during the first epoch, times StepLR between epochs or CosineAnnealingLR between
    steps.
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
