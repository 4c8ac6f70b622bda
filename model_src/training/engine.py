"""One epoch of training, one pass of evaluation. Knows neither paths nor experiments."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from ..data.dataset import Batch
from ..data.transfer import images_on_device
from .metric_logger import MetricLogger, SizedIterable
from .optim import Precision
from .running_statistics import RunningStatistics
from .timing import LoopTimer
from .world import World

ALONE = World()


SHORT_NAMES = {
    "loss_objectness": "rpn_cls",
    "loss_rpn_box_reg": "rpn_box",
    "loss_classifier": "cls",
    "loss_box_reg": "box",
    "loss_mask": "mask",
}
"""Mask R-CNN's five losses as they appear in logs and reports."""


def seed_of(*place: int) -> int:
    """What torch is seeded with at a place, such as (seed, fold, epoch, step, part)."""
    return int(np.random.SeedSequence(place).generate_state(1)[0])


def train_epoch(
    model: nn.Module,
    loader: SizedIterable[Sequence[Batch]],
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
    seeds: Sequence[int] = (),
    world: World = ALONE,
) -> dict[str, float]:
    """Train on every step's batch, before which `done` steps of the epoch were done.

    The loader yields the parts of a step that fall to this process of the `world`. `model` is then wrapped in
    DistributedDataParallel, without its buffers being broadcast. Each part begins with a random state that follows from
    `seeds`, the step and the part's number; without seeds torch's is used as it is.
    `rate` gives the learning rate of a step, counted from 0; `after_step` is called with the steps done so far.
    Returns the mean of each loss, of their sum ("loss") and the last learning rate ("lr"). Raises FloatingPointError
    that names the losses that are not finite, before they reach the weights.
    """
    timer = timer or LoopTimer(device)
    model.train()
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    statistics = RunningStatistics(model, world)
    for step, parts in enumerate(timer.steps(logger.watch(loader, done=done)), done):
        for group in optimizer.param_groups:
            group["lr"] = rate(step)
        optimizer.zero_grad(set_to_none=True)
        pictures = world.total(sum(len(images) for images, _ in parts))
        sums: Counter[str] = Counter()
        with statistics.step(len(parts)):
            for number, batch in enumerate(parts):
                if seeds:
                    torch.manual_seed(seed_of(*seeds, step, world.rank + number * world.size))
                share = len(batch[0]) / pictures
                with timer.part("transfer"):
                    inputs = on_device(batch, device)
                with timer.part("forward"), precision.autocast():
                    losses = model(*inputs)
                total = sum(losses.values(), torch.zeros((), device=device))
                # Fetched together: each fetch waits for the device. In double precision, so that the order of adding
                # up doesn't show.
                shared = world.add(torch.stack([total, *losses.values()]).detach().double() * share).tolist()
                values = dict(zip(("loss", *map(SHORT_NAMES.__getitem__, losses)), shared, strict=True))
                if not math.isfinite(values["loss"]):
                    raise FloatingPointError(not_finite(values, f"step {step + 1} of {logger.heading}"))
                sums.update(values)
                with timer.part("backward"), merging(model, is_last=number == len(parts) - 1):
                    # Between processes gradients are averaged; their sum is wanted.
                    precision.scaler.scale(total * (share * world.size)).backward()
                statistics.part(share)
        with timer.part("step"):
            if clip_norm is not None:
                precision.scaler.unscale_(optimizer)
                nn.utils.clip_grad_norm_(parameters, clip_norm)
            precision.scaler.step(optimizer)
            precision.scaler.update()
        logger.update(sums)
        after_step(step + 1)
    return {**logger.means(), "lr": rate(done + len(loader) - 1)}


def merging(model: nn.Module, *, is_last: bool) -> AbstractContextManager[None]:
    """A backward pass whose gradients are merged between the processes if it is the step's last, else kept."""
    return model.no_sync() if isinstance(model, DistributedDataParallel) and not is_last else nullcontext()


def not_finite(values: Mapping[str, float], where: str) -> str:
    """A message that names the terms of a loss that are no numbers, and shows the others."""
    values = {name: value for name, value in values.items() if name != "loss"}
    terms = [name for name, value in values.items() if not math.isfinite(value)]
    return f"the loss is not finite at {where}: {', '.join(terms) or 'the sum'} of {dict(values)}"


def validation_losses(
    model: nn.Module,
    batches: Iterable[tuple[int, Batch]],
    *,
    precision: Precision,
    device: torch.device,
    seed: int,
) -> list[tuple[int, float, int]]:
    """Mask R-CNN's losses without the RPN's box loss: (number, mean, pictures) of each numbered batch. Lower is better.

    Their mean over the pictures is what the diary called "metric (averaged)". The model is in training mode, because it
    computes losses in no other, but learns nothing: no gradients, and batch norms that neither update nor use the
    batch's statistics. The sampling of anchors and proposals follows from `seed` and the batch's number, and leaves the
    random state as it was.
    """
    cards = [device] if device.type == "cuda" else []
    found = []
    with as_if_training(model), torch.random.fork_rng(devices=cards), torch.no_grad():
        for number, batch in batches:
            torch.manual_seed(seed_of(seed, number))
            images, targets = on_device(batch, device)
            with precision.autocast():
                losses = model(images, targets)
            counted = [loss.item() for name, loss in losses.items() if name != "loss_rpn_box_reg"]
            found.append((number, sum(counted), len(images)))
    return found


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
