"""A training step: the program's loop, and a loop like that of torchvision's detection reference.

    python -m benchmarks.train_step [--backbone NAME] [--size PX] [--batch N] [--steps N] [--repetitions N]

Both have the same network, initial weights, pictures, optimizer and random numbers, and run in one process in turns.
The reference loop is written from its description: move the batch, forward, sum the losses, check their value,
backward, step, step of the warm-up. It is given floats, as from its data sets; our loop converts bytes to floats. On a
graphics card a third way is measured: half precision and channels last.
"""

from __future__ import annotations

import argparse
import copy
import math
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn

from benchmarks.measure import machine, print_table, seconds
from model_src.config import ModelConfig, OptimConfig, ProposalsConfig
from model_src.data.dataset import Batch, ChestXrays, collate
from model_src.data.labels import read_labels
from model_src.data.picture_cache import PictureCache
from model_src.data.pictures import find_dicoms, read_pictures
from model_src.data.transfer import images_on_device
from model_src.network.build import build_model
from model_src.training.engine import EpochSteps, train_epoch
from model_src.training.learner import Learner
from model_src.training.metric_logger import Item, MetricLogger, SizedIterable
from model_src.training.optim import Precision, build_optimizer, choose_precision
from runner_test.samples import SampleData, write_sample_data

RATE = 0.001

FloatBatch = tuple[list[Tensor], list[dict[str, Tensor]]]
"""Images float (3, size, size) and their targets."""

PROPOSALS = ProposalsConfig(pre_nms_train=500, post_nms_train=500, rpn_batch=128, roi_batch=128)
"""A quarter of the default, so that a step on a processor takes only seconds; the same for every way."""


def main() -> None:
    """Draw pictures, build the network, check that both loops compute the same, measure, print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.train_step", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--backbone", choices=["resnet18", "resnet34", "resnet50"], default="resnet50")
    parser.add_argument("--size", type=int, default=256, metavar="PX", help="edge of the pictures (256)")
    parser.add_argument("--batch", type=int, default=2, metavar="N", help="pictures a step (2)")
    parser.add_argument("--steps", type=int, default=3, metavar="N", help="steps of each measurement (3)")
    parser.add_argument("--repetitions", type=int, default=5, metavar="N", help="measurements of each loop (5)")
    wanted = parser.parse_args()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    batches = _batches(wanted.size, wanted.batch, wanted.steps)

    def network(*, channels_last: bool) -> nn.Module:
        torch.manual_seed(0)
        config = ModelConfig(backbone=wanted.backbone, channels_last=channels_last)
        return build_model(config, PROPOSALS, image_size=wanted.size, weights=None).to(device)

    single, half = choose_precision("off", device), choose_precision("auto", device)
    ways: dict[str, Callable[[], float]] = {
        "reference loop": partial(reference, network(channels_last=False), as_floats(batches), single, device),
        "this loop": partial(own_loop, network(channels_last=False), batches, single, device),
        "this loop, channels_last": partial(own_loop, network(channels_last=True), batches, single, device),
    }
    if device.type == "cuda":
        ways["this loop, channels_last, amp"] = partial(own_loop, network(channels_last=True), batches, half, device)
    first = {name: run() for name, run in ways.items()}
    assert math.isclose(first["reference loop"], first["this loop"], rel_tol=1e-6), first
    taken = seconds(ways, wanted.repetitions)

    name = torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu"
    print(f"{wanted.backbone}, {wanted.batch} pictures of {wanted.size} pixels a step, {name}; {machine()}.\n")
    slowest = taken["reference loop"]
    rows = [[way, f"{each / wanted.steps:.3f}", f"{slowest / each:.2f}"] for way, each in taken.items()]
    print_table(["a step of", "seconds", "times as fast"], rows)


def _batches(size: int, batch: int, steps: int) -> list[Batch]:
    """Batches of drawn pictures, each with a mask, in the form of the detector's input."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_sample_data(folder / "data", SampleData(images=batch * steps, test_images=0, size=size, positive=1.0))
        files = find_dicoms(folder / "data" / "dicom-images-train").items()
        cache = PictureCache(folder / "cache", limit=2**30)
        pictures = read_pictures(files, cache=cache, image_size=size, unreadable="stop", threads=2)
        xrays = ChestXrays(pictures, read_labels(folder / "data" / "train-rle.csv"), range(batch * steps))
        return [collate([xrays[start + place] for place in range(batch)]) for start in range(0, batch * steps, batch)]


def as_floats(batches: Sequence[Batch]) -> list[FloatBatch]:
    """The same batches with images float (3, size, size), on the processor."""
    return [(images_on_device(pictures, torch.device("cpu")), targets) for pictures, targets in batches]


def reference(model: nn.Module, batches: Sequence[FloatBatch], precision: Precision, device: torch.device) -> float:
    """Trains one epoch like the reference, and returns the loss of the last step."""
    model = _fresh(model)
    optimizer = build_optimizer(OptimConfig(), model.parameters())
    warmup = torch.optim.lr_scheduler.LinearLR(optimizer, start_factor=1.0, total_iters=len(batches))
    model.train()
    value = math.nan
    for images, targets in batches:
        images = [image.to(device) for image in images]
        targets = [{name: each.to(device) for name, each in target.items()} for target in targets]
        with precision.autocast():
            losses = model(images, targets)
        total = sum(losses.values(), torch.zeros((), device=device))
        value = total.item()
        assert math.isfinite(value)
        optimizer.zero_grad()
        precision.scaler.scale(total).backward()
        precision.scaler.step(optimizer)
        precision.scaler.update()
        warmup.step()
    finish(device)
    return value


def own_loop(model: nn.Module, batches: Sequence[Batch], precision: Precision, device: torch.device) -> float:
    """Trains the same epoch with the program's loop, and returns the loss of the last step."""
    model = _fresh(model)
    logger = _Last("benchmark", every=10**9)
    learner = Learner(model, build_optimizer(OptimConfig(), model.parameters()), precision, device)
    train_epoch(learner, [[batch] for batch in batches], EpochSteps(lambda _: RATE), logger)
    finish(device)
    return logger.last


def finish(device: torch.device) -> None:
    """Wait until a graphics card has done what it was given, which counts as the time of the step that gave it."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


class _Last(MetricLogger):
    """Keeps the last loss and prints nothing."""

    last = math.nan

    def watch(self, items: SizedIterable[Item], *, done: int = 0) -> Iterator[Item]:  # noqa: ARG002  # as inherited
        yield from items

    def update(self, values: Mapping[str, float]) -> None:
        self.last = values["loss"]
        super().update(values)


def _fresh(model: nn.Module) -> nn.Module:
    """A copy of the model to train, with the random numbers reset."""
    torch.manual_seed(1)
    return copy.deepcopy(model)


if __name__ == "__main__":
    main()
