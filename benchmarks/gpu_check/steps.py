"""The training step: time and memory of the program's loop and the reference's, AMP's speed-up, deterministic mode."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import nn

from benchmarks.gpu_check.bench import Bench, positive_batches
from benchmarks.gpu_check.budget import Part, Row, Status, told
from benchmarks.measure import seconds
from benchmarks.train_step import FloatBatch, as_floats, own_loop, reference
from model_src.config import TrainConfig
from model_src.data.dataset import Batch
from model_src.network import build_model
from model_src.training import Run, compute_deterministically
from model_src.training.optim import Precision, choose_precision, precision

GOAL = 1.5
"""Of AMP's speed-up."""
TYPES = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}
BFLOAT16 = (8, 0)
"""The compute capability from which on a card computes in bfloat16; older ones emulate it, and train.amp avoids it."""
REFERENCE, OWN, LAST = "reference loop", "this loop", "this loop, channels_last"
TOLERANCE = {"cpu": 1e-6, "cuda": 1e-3}
"""Of the first loss of both loops: the sums of CUDA vary."""


@dataclass(frozen=True)
class Way:
    """A loop, the memory format of its network, and its precision."""

    loop: str
    dtype: str

    @property
    def step(self) -> str:
        """The name of the row with its time."""
        return f"{self.loop}, {self.dtype}: a step"

    @property
    def memory(self) -> str:
        """The name of the row with its memory."""
        return f"{self.loop}, {self.dtype}: peak memory"


WAYS = tuple(Way(loop, dtype) for loop in (REFERENCE, OWN, LAST) for dtype in TYPES)
ONLY_FIRST = "; of the first step alone"
SAME = "both loops, fp32: difference of the first loss"
SPEED_UP = "train.amp: fp32 / auto, channels_last"


@dataclass(frozen=True)
class Steps:
    """What all ways share."""

    run: Run
    batches: list[Batch]
    floats: list[FloatBatch]
    """The same batches, as the reference takes them."""
    models: Mapping[str, nn.Module]
    """By loop; the reference has that of this loop, and each training copies it."""

    def train(self, way: Way, count: int) -> float:
        """Train `count` steps; returns the last loss."""
        device = self.run.device
        kind = precision(device, TYPES[way.dtype])
        if way.loop == REFERENCE:
            return reference(self.models[way.loop], self.floats[:count], kind, device)
        return own_loop(self.models[way.loop], self.batches[:count], kind, device)


def measure_steps(bench: Bench, until: float) -> Iterator[Row]:
    """Every way: first one step, which warms up and shows the memory, then in turns as often as there is time."""
    device, size = bench.card, bench.size
    run = bench.run("steps", bench.config(size.edge))
    own, last = (network(run, channels_last=each) for each in (False, True))
    batches = positive_batches(run, size.steps)
    steps = Steps(run, batches, as_floats(batches), {REFERENCE: own, OWN: own, LAST: last})
    is_old = device.type == "cuda" and torch.cuda.get_device_capability(device) < BFLOAT16
    losses: dict[Way, float] = {}
    first: dict[str, float] = {}
    for way in WAYS:
        if time.monotonic() > until:
            break
        if is_old and way.dtype == "bf16":
            for name in (way.step, way.memory):
                yield Row(name, status="not here", note="the card has no bfloat16: train.amp takes fp16")
            continue
        begun = time.perf_counter()
        try:
            losses[way], row = with_memory(way, partial(steps.train, way, 1), device)
        except (RuntimeError, FloatingPointError, AssertionError) as error:
            for name in (way.step, way.memory):
                yield Row(name, status="failed", note=told(error))
            continue
        first[way.step] = time.perf_counter() - begun
        yield row
    yield same_loss(losses, TOLERANCE[device.type])
    ways = {way.step: partial(steps.train, way, size.steps) for way in losses}
    again = {name: each / size.steps for name, each in seconds(ways, size.repetitions, until=until).items()}
    # Of a slow card the first steps are better than nothing, and said to be no more.
    taken, note = (again, "") if len(again) == len(first) else (first, ONLY_FIRST)
    for way in losses:
        yield Row(way.step, taken[way.step] * 1000, "ms", note=compared(way, taken, size.batch) + note)
    yield from speed_up(taken, device, note)


def with_memory(way: Way, train: Callable[[], float], device: torch.device) -> tuple[float, Row]:
    """The loss, and the row of how much more memory the training allocated on the card than there was before."""
    if device.type != "cuda":
        return train(), Row(way.memory, status="not here", note="the processor stands in")
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats(device)
    before = torch.cuda.memory_allocated(device)
    loss = train()
    return loss, Row(way.memory, (torch.cuda.max_memory_allocated(device) - before) / 2**20, "MiB")


def same_loss(losses: Mapping[Way, float], tolerance: float) -> Row:
    """Whether both loops compute the same."""
    one, other = (losses.get(Way(loop, "fp32")) for loop in (REFERENCE, OWN))
    if one is None or other is None:
        return Row(SAME, status="not measured", note="needs both loops")
    difference = abs(one - other) / abs(one)
    status: Status = "passed" if difference <= tolerance else "failed"
    return Row(SAME, difference, "relative", status, f"at most {tolerance:g}")


def compared(way: Way, taken: Mapping[str, float], batch: int) -> str:
    """The images a second of a way, and the ratio to the reference loop in the same precision."""
    rate = f"{batch / taken[way.step]:.1f} images/s"
    peer = taken.get(Way(REFERENCE, way.dtype).step)
    return rate if peer is None else f"{rate}, {peer / taken[way.step]:.2f} times as fast as the reference"


def speed_up(taken: Mapping[str, float], device: torch.device, also: str) -> Iterator[Row]:
    """AMP as `train.amp: auto` chooses it."""
    dtype = next(name for name, each in TYPES.items() if each == choose_precision("auto", device).dtype)
    if dtype == "fp32":
        yield Row(SPEED_UP, status="not here", note="train.amp: auto is fp32 on a processor")
        return
    one, other = (taken.get(Way(LAST, each).step) for each in ("fp32", dtype))
    if one is None or other is None:
        yield Row(SPEED_UP, status="not measured", note="needs both precisions")
    else:
        reached = one / other >= GOAL
        note = f"auto is {dtype}; the goal of {GOAL} {'is' if reached else 'is not'} reached{also}"
        yield Row(SPEED_UP, one / other, "times", "passed" if reached else "goal missed", note)


def network(run: Run, *, channels_last: bool) -> nn.Module:
    """The network of the config, with the same initial weights each time, on the device."""
    torch.manual_seed(0)
    config = replace(run.config.model, channels_last=channels_last)
    return build_model(config, run.config.proposals, image_size=run.config.data.image_size, weights=None).to(run.device)


COSTS = {"off": "train.amp: off, with / without", "auto": "train.amp: auto, with / without"}


def measure_deterministic(bench: Bench, until: float) -> Iterator[Row]:
    """A step with torch's deterministic algorithms and without, in turns."""
    # cuBLAS reads its setting once, so both ways have it.
    compute_deterministically(TrainConfig(deterministic=True))
    size = bench.size
    run = bench.run("deterministic", bench.config(size.edge))
    batches, model = positive_batches(run, size.steps), network(run, channels_last=True)
    begun = time.monotonic()
    for place, amp in enumerate(("off", "auto"), 1):
        kind = choose_precision("off" if amp == "off" else "auto", run.device)

        def train(wanted: bool, kind: Precision = kind) -> None:
            torch.use_deterministic_algorithms(wanted, warn_only=True)
            own_loop(model, batches, kind, run.device)

        ways = {str(wanted): partial(train, wanted) for wanted in (True, False)}
        first = seconds(ways, 1, until=until)
        taken = seconds(ways, size.repetitions, until=begun + (until - begun) * place / 2)
        also = "" if len(taken) == 2 else ONLY_FIRST
        taken = first if also else taken
        if len(taken) == 2:
            with_, without = (taken[str(wanted)] / size.steps * 1000 for wanted in (True, False))
            yield Row(COSTS[amp], with_ / without, "times", note=f"{with_:.0f} and {without:.0f} ms a step{also}")


STEP = Part(
    "training step",
    0.4,
    (*(name for way in WAYS for name in (way.step, way.memory)), SAME, SPEED_UP),
    measure_steps,
)
DETERMINISTIC = Part("train.deterministic: cost", 0.1, tuple(COSTS.values()), measure_deterministic)
