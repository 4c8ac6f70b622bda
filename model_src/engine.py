"""One epoch of training, one pass of evaluation. Knows neither paths nor experiments."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from .metric_logger import MetricLogger, SizedIterable
from .optim import Precision
from .timing import LoopTimer
from .transfer import images_on_device

Batch = tuple[list[Tensor], list[dict[str, Tensor]]]
"""Pictures uint8 (1, height, width) and their targets, as they are collated."""

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
    loader: SizedIterable[Batch],
    optimizer: torch.optim.Optimizer,
    *,
    rate: Callable[[int], float],
    clip_norm: float | None,
    precision: Precision,
    device: torch.device,
    logger: MetricLogger,
    done: int,
    after_step: Callable[[int], None],
    timer: LoopTimer | None = None,
) -> dict[str, float]:
    """Train on every batch of the loader, before which `done` batches of the epoch were trained on.

    `rate` gives the learning rate of a step, counted from 0; `after_step` is called with the steps done so far.
    Returns the mean of each loss, of their sum ("loss") and the last learning rate ("lr"). Raises FloatingPointError
    that names the losses that are not finite, before they reach the weights.
    """
    timer = timer or LoopTimer(device)
    model.train()
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    for step, batch in enumerate(timer.steps(logger.watch(loader, done=done)), done):
        for group in optimizer.param_groups:
            group["lr"] = rate(step)
        with timer.part("transfer"):
            inputs = on_device(batch, device)
        with timer.part("forward"), precision.autocast():
            losses = model(*inputs)
        total = sum(losses.values(), torch.zeros((), device=device))
        # Fetched together: each fetch waits for the device.
        summed, *each = torch.stack([total, *losses.values()]).tolist()
        values = dict(zip(map(SHORT_NAMES.__getitem__, losses), each, strict=True))
        if not math.isfinite(summed):
            raise FloatingPointError(not_finite(values, f"step {step + 1} of {logger.heading}"))
        with timer.part("backward"):
            optimizer.zero_grad(set_to_none=True)
            precision.scaler.scale(total).backward()
        with timer.part("step"):
            if clip_norm is not None:
                precision.scaler.unscale_(optimizer)
                nn.utils.clip_grad_norm_(parameters, clip_norm)
            precision.scaler.step(optimizer)
            precision.scaler.update()
        logger.update({"loss": summed, **values})
        after_step(step + 1)
    return {**logger.means(), "lr": rate(done + len(loader) - 1)}


def not_finite(values: Mapping[str, float], where: str) -> str:
    """A message that names the terms of a loss that are no numbers, and shows the others."""
    terms = [name for name, value in values.items() if not math.isfinite(value)]
    return f"the loss is not finite at {where}: {', '.join(terms) or 'the sum'} of {dict(values)}"


def validation_loss(
    model: nn.Module, batches: Iterable[Batch], *, precision: Precision, device: torch.device, seed: int
) -> float:
    """Mask R-CNN's losses without the RPN's box loss, mean over the pictures; lower is better. NaN of none.

    What the diary called "metric (averaged)". The model is in training mode, because it computes losses in no other,
    but learns nothing: no gradients, and batch norms that neither update nor use the batch's statistics. The sampling
    of anchors and proposals begins at `seed` each time and leaves the random state as it was.
    """
    total, count = 0.0, 0
    with as_if_training(model), torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        with torch.no_grad():
            for batch in batches:
                images, targets = on_device(batch, device)
                with precision.autocast():
                    losses = model(images, targets)
                counted = [loss for name, loss in losses.items() if name != "loss_rpn_box_reg"]
                total += sum(loss.item() for loss in counted) * len(images)
                count += len(images)
    return total / count if count else math.nan


@contextmanager
def as_if_training(model: nn.Module) -> Iterator[None]:
    """The model in training mode, but for its batch norms; afterwards every part is as it was."""
    modes = {module: module.training for module in model.modules()}
    model.train()
    for module in modes:
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.eval()
    try:
        yield
    finally:
        for module, mode in modes.items():
            module.training = mode


def on_device(batch: Batch, device: torch.device) -> tuple[list[Tensor], list[dict[str, Tensor]]]:
    """A batch as the model takes it, where the model is: images float (3, height, width) from 0 to 1, and targets."""
    pictures, targets = batch
    return (
        images_on_device(pictures, device),
        [{name: value.to(device, non_blocking=True) for name, value in each.items()} for each in targets],
    )
