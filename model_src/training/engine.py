"""The training loop of one epoch, and the losses on validation images. It uses neither paths nor the config."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from ..data.dataset import Batch
from ..data.transfer import images_on_device
from .learner import Learner
from .metric_logger import MetricLogger, SizedIterable
from .optim import Precision
from .running_statistics import RunningStatistics
from .timing import LoopTimer

SHORT_NAMES = {
    "loss_objectness": "rpn_cls",
    "loss_rpn_box_reg": "rpn_box",
    "loss_classifier": "cls",
    "loss_box_reg": "box",
    "loss_mask": "mask",
}
"""The names of the five losses of Mask R-CNN in logs and reports."""


def seed_of(*place: int) -> int:
    """A seed for torch that depends on all numbers, such as (seed, fold, epoch, step, part)."""
    return int(np.random.SeedSequence(place).generate_state(1)[0])


@dataclass(frozen=True)
class EpochSteps:
    """Which steps of an epoch are trained, and at which learning rates. Steps count from 0."""

    rate: Callable[[int], float]
    """The learning rate of a step."""
    done: int = 0
    """How many steps of the epoch were done before."""
    seeds: tuple[int, ...] = ()
    """Together with the step and the part they seed torch before each part; empty = torch's state is used as it is."""
    after_step: Callable[[int], None] | None = None
    """Called after each step with the number of steps done so far."""


def train_epoch(
    learner: Learner,
    loader: SizedIterable[Sequence[Batch]],
    steps: EpochSteps,
    logger: MetricLogger,
    timer: LoopTimer | None = None,
) -> dict[str, float]:
    """Train on the batch of every step that is left of an epoch.

    The loader yields for each step those parts of its batch that belong to this process. Returns the mean of each loss
    (names: SHORT_NAMES), of their sum ("loss"), and the last learning rate ("lr"). Raises FloatingPointError, before
    the weights change, when a loss is not finite; the message names the loss.
    """
    timer = timer or LoopTimer(learner.device)
    model, optimizer, precision, world = learner.called, learner.optimizer, learner.precision, learner.world
    model.train()
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    statistics = RunningStatistics(model, world)
    for step, parts in enumerate(timer.steps(logger.watch(loader, done=steps.done)), steps.done):
        for group in optimizer.param_groups:
            group["lr"] = steps.rate(step)
        optimizer.zero_grad(set_to_none=True)
        images_of_step = world.total(sum(len(images) for images, _ in parts))
        sums: Counter[str] = Counter()
        with statistics.step(len(parts)):
            for number, batch in enumerate(parts):
                if steps.seeds:
                    torch.manual_seed(seed_of(*steps.seeds, step, world.rank + number * world.size))
                share = len(batch[0]) / images_of_step
                with timer.part("transfer"):
                    inputs = on_device(batch, learner.device)
                # DistributedDataParallel decides in the forward pass whether the backward pass merges gradients.
                with merging(model, is_last=number == len(parts) - 1):
                    with timer.part("forward"), precision.autocast():
                        losses = model(*inputs)
                    total = sum(losses.values(), torch.zeros((), device=learner.device))
                    # One transfer for all losses, because each waits for the device. In double precision, so that the
                    # sum does not depend on the order of the processes.
                    shared = world.add(torch.stack([total, *losses.values()]).detach().double() * share).tolist()
                    values = dict(zip(("loss", *map(SHORT_NAMES.__getitem__, losses)), shared, strict=True))
                    if not math.isfinite(values["loss"]):
                        raise FloatingPointError(not_finite(values, f"step {step + 1} of {logger.heading}"))
                    sums.update(values)
                    with timer.part("backward"):
                        # The gradients are averaged over the processes; their sum is needed.
                        precision.scaler.scale(total * (share * world.size)).backward()
                statistics.part(share)
        with timer.part("step"):
            if learner.clip_norm is not None:
                precision.scaler.unscale_(optimizer)
                nn.utils.clip_grad_norm_(parameters, learner.clip_norm)
            precision.scaler.step(optimizer)
            precision.scaler.update()
        logger.update(sums)
        learner.stepped()
        if steps.after_step is not None:
            steps.after_step(step + 1)
    return {**logger.means(), "lr": steps.rate(steps.done + len(loader) - 1)}


def merging(model: nn.Module, *, is_last: bool) -> AbstractContextManager[None]:
    """The context of a part's forward and backward pass: gradients are averaged over the processes in the last only.

    torch's own rule is that the forward pass is inside `no_sync`, too.
    """
    return model.no_sync() if isinstance(model, DistributedDataParallel) and not is_last else nullcontext()


def not_finite(values: Mapping[str, float], where: str) -> str:
    """An error message that names the losses that are not finite and shows all values."""
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
    """The sum of Mask R-CNN's losses without the box loss of the RPN: (number, mean, images) of each numbered batch.

    Lower is better. The model is in training mode, because it computes losses in this mode only, but there are no
    gradients, and batch norms neither update nor use the statistics of the batch. The sampling of anchors and proposals
    depends on `seed` and the number of the batch; torch's random state is restored.
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
    """A context in which the model is in training mode, except for its batch norms; restores all modes."""
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
    """A batch on the device, as the model takes it: images float (3, height, width) from 0 to 1, and targets."""
    pictures, targets = batch
    return (
        images_on_device(pictures, device),
        [{name: value.to(device, non_blocking=True) for name, value in each.items()} for each in targets],
    )
