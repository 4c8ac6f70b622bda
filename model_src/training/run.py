"""The values that all parts of a run share."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.utils.data import DataLoader

from ..config import Config
from ..data.dataset import Batch, ChestXrays, collate
from ..data.load import Data
from ..output import Report, best_place
from .batching import Grouped, micro_batches
from .best_epochs import STORED, Weights
from .checkpoint import load_checkpoint
from .metric_logger import SizedIterable
from .optim import choose_precision
from .resume import fold_file
from .stopping import Stop
from .timing import LoopTimer
from .world import World


@dataclass(frozen=True)
class Run:
    """One experiment on one machine: config, data, and everything that its parts need."""

    config: Config
    data: Data
    device: torch.device
    report: Report
    stop: Stop
    timer: LoopTimer
    output: Path
    """The folder of the output files."""
    new_model: Callable[[int], nn.Module]
    """Builds a new model with the initial weights of a fold, on the CPU."""
    weights: Mapping[int, Path | None] = field(default_factory=dict)
    """The file with the initial weights of each fold; None = random."""
    earlier: Path | None = None
    """The folder with the state of the run to continue."""
    world: World = field(default_factory=World)
    """The processes that share the run."""
    extra_seed: int | None = None
    """The seed of a repeat after the first; None in the first."""
    models: dict[tuple[int, Weights], nn.Module] = field(default_factory=dict, init=False)
    """The models that `kept_model` has returned: to build and to read one takes longer than to predict some images."""
    values: dict[int, float] = field(default_factory=dict, init=False)
    """The best value of each fold whose file was read."""

    @property
    def suffix(self) -> str:
        """The part of file names that identifies a repeat; empty for the first one."""
        return "" if self.extra_seed is None else f".seed{self.extra_seed}"

    def name(self, fold: int) -> str:
        """The name of a fold in messages."""
        return f"fold {fold}" if self.extra_seed is None else f"seed {self.extra_seed}, fold {fold}"

    def repeated(self, seed: int) -> Run:
        """The same run with another seed, as a repeat."""
        return replace(self, config=replace(self.config, seed=seed, repeat=1), extra_seed=seed)

    def why_no_time(self, views: int, *, again: int) -> str | None:
        """Why there is no time for a prediction of `views` over all processes; see `Stop.why_no_time`."""
        own, own_again = (math.ceil(count / self.world.size) for count in (views, again))
        return self.world.agree(self.stop.why_no_time(own, again=own_again))

    def kept_model(self, fold: int, weights: Weights | None = None) -> nn.Module:
        """The trained model of a fold, on the device; `weights` None = those that predict.weights selects."""
        chosen = weights or self.config.predict.weights
        if (fold, chosen) not in self.models:
            content = self._read(fold)
            model = self.new_model(fold)
            model.load_state_dict(content[STORED[chosen]])
            self.models[fold, chosen] = model.to(self.device)
        return self.models[fold, chosen]

    @property
    def autocast(self) -> Callable[[], AbstractContextManager[None]]:
        """Makes the context of a forward pass, with the precision that train.amp says."""
        return choose_precision(self.config.train.amp, self.device).autocast

    def value(self, fold: int) -> float:
        """The best value of the monitored metric in the training of a fold."""
        if fold not in self.values:
            self._read(fold)
        return self.values[fold]

    def best_fold(self, folds: Sequence[int]) -> int:
        """The fold with the best value of the monitored metric; ties: the first one.

        Each value is measured on other images, so the difference between folds is partly one between images.
        """
        return folds[best_place([self.value(fold) for fold in folds], self.config.train.monitor_mode)]

    def predicting(self, folds: Sequence[int]) -> list[int]:
        """The folds whose models predict the test images."""
        return [self.best_fold(folds)] if self.config.predict.folds == "best" else list(folds)

    def _read(self, fold: int) -> dict[str, Any]:
        """The content of the file of a fold."""
        content = load_checkpoint(self.output / fold_file(fold, self.suffix))
        self.values[fold] = float(content["value"])
        return content

    @property
    def parts(self) -> int:
        """Number of parts of the batch of a step, over all processes."""
        return self.config.train.micro_batches or self.world.size

    def steps(self, xrays: ChestXrays, *, done: int) -> Grouped[Batch]:
        """The micro-batches of this process for each step of an epoch, after the first `done` steps."""
        mine = micro_batches(len(xrays), self.config.train.batch_size, self.parts, self.world, done=done)
        return Grouped(self._loader(xrays, mine), self.parts // self.world.size)

    def batches(self, xrays: ChestXrays) -> SizedIterable[Batch]:
        """The images in their order as batches, of which this process gets its share."""
        size = self.config.train.batch_size
        every = [list(range(start, min(start + size, len(xrays)))) for start in range(0, len(xrays), size)]
        return self._loader(xrays, self.world.own(every))

    def _loader(self, xrays: ChestXrays, batches: Sequence[Sequence[int]]) -> SizedIterable[Batch]:
        return DataLoader(
            xrays,
            batch_sampler=[list(each) for each in batches],
            num_workers=self.config.data.num_workers,
            collate_fn=collate,
            pin_memory=self.device.type == "cuda",
            # A separate generator, because the loader draws from it: evaluations must not change the training.
            generator=torch.Generator(),
        )
