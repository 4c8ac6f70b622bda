"""One epoch of training, one pass of evaluation. Knows neither paths nor experiments."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import nn
from torch.utils.data import DataLoader

from .dataset import Sample
from .metric_logger import MetricLogger

SHORT_NAMES = {
    "loss_objectness": "rpn_cls",
    "loss_rpn_box_reg": "rpn_box",
    "loss_classifier": "cls",
    "loss_box_reg": "box",
    "loss_mask": "mask",
}
"""Mask R-CNN's five losses as they appear in logs and reports."""


def train_epoch(
    model: nn.Module,
    loader: DataLoader[Sample],
    optimizer: torch.optim.Optimizer,
    *,
    rate: Callable[[int], float],
    clip_norm: float | None,
    device: torch.device,
    logger: MetricLogger,
) -> dict[str, float]:
    """Train on every batch; `rate` gives the learning rate of a step, counted from 0.

    Returns the mean of each loss, of their sum ("loss") and the last learning rate ("lr"). Raises FloatingPointError
    that names the losses that are not finite, before they reach the weights.
    """
    model.train()
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    for step, (images, targets) in enumerate(logger.watch(loader)):
        for group in optimizer.param_groups:
            group["lr"] = rate(step)
        losses = model(
            [image.to(device, non_blocking=True) for image in images],
            [{name: value.to(device, non_blocking=True) for name, value in each.items()} for each in targets],
        )
        total = sum(losses.values(), torch.zeros((), device=device))
        values = {SHORT_NAMES[name]: loss.item() for name, loss in losses.items()}
        if not math.isfinite(total.item()):
            raise FloatingPointError(f"the loss is not finite at step {step + 1} of {logger.heading}: {values}")
        optimizer.zero_grad(set_to_none=True)
        total.backward()
        if clip_norm is not None:
            nn.utils.clip_grad_norm_(parameters, clip_norm)
        optimizer.step()
        logger.update({"loss": total.item(), **values})
    return {**logger.means(), "lr": rate(len(loader) - 1)}
