"""What every part of one run works with."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
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
from .resume import fold_file
from .stopping import Stop
from .timing import LoopTimer
from .world import World


@dataclass(frozen=True)
class Run:
    """One experiment on one machine."""

    config: Config
    data: Data
    device: torch.device
    report: Report
    stop: Stop
    timer: LoopTimer
    output: Path
    """Where the files go."""
    new_model: Callable[[], nn.Module]
    """Builds the untrained model, on the CPU."""
    earlier: Path | None = None
    """The folder with the state of the run to continue."""
    world: World = field(default_factory=World)
    """The processes that share the run, of which this is one."""
    extra_seed: int | None = None
    """The seed of a repeat after the first; None in the first."""

    @property
    def suffix(self) -> str:
        """What the names of a repeat's files have before their extension; nothing in the first."""
        return "" if self.extra_seed is None else f".seed{self.extra_seed}"

    def name(self, fold: int) -> str:
        """A fold, for messages."""
        return f"fold {fold}" if self.extra_seed is None else f"seed {self.extra_seed}, fold {fold}"

    def repeated(self, seed: int) -> Run:
        """The same with another seed, as a repeat."""
        return replace(self, config=replace(self.config, seed=seed, repeat=1), extra_seed=seed)

    def why_no_time(self, views: int, *, again: int) -> str | None:
        """Why a prediction of so many views, all processes together, is not to be begun; see `Stop.why_no_time`."""
        own, own_again = (math.ceil(count / self.world.size) for count in (views, again))
        return self.world.agree(self.stop.why_no_time(own, again=own_again))

    def kept_model(self, fold: int, weights: Weights | None = None) -> nn.Module:
        """The model that the fold's training kept, on the device; None = with the weights that predict."""
        model = self.new_model()
        model.load_state_dict(self._kept(fold)[STORED[weights or self.config.predict.weights]])
        return model.to(self.device)

    def value(self, fold: int) -> float:
        """The best value that the fold's training has reached in the monitored metric."""
        return float(self._kept(fold)["value"])

    def best_fold(self, folds: Sequence[int]) -> int:
        """The fold whose best epoch has the best value of the monitored metric, the first of equals.

        Each was measured on pictures of its own, so that luck with these counts, too.
        """
        return folds[best_place([self.value(fold) for fold in folds], self.config.train.monitor_mode)]

    def predicting(self, folds: Sequence[int]) -> list[int]:
        """Those of the folds whose models predict the test pictures."""
        return [self.best_fold(folds)] if self.config.predict.folds == "best" else list(folds)

    def _kept(self, fold: int) -> dict[str, Any]:
        """What the fold's training left."""
        return load_checkpoint(self.output / fold_file(fold, self.suffix))

    @property
    def parts(self) -> int:
        """Into how many a step's batch is divided, over all processes."""
        return self.config.train.micro_batches or self.world.size

    def steps(self, xrays: ChestXrays, *, done: int) -> Grouped[Batch]:
        """This process's share of an epoch, as the micro-batches of each step after the `done` first ones."""
        mine = micro_batches(len(xrays), self.config.train.batch_size, self.parts, self.world, done=done)
        return Grouped(self._loader(xrays, mine), self.parts // self.world.size)

    def batches(self, xrays: ChestXrays) -> SizedIterable[Batch]:
        """The pictures in their order, batch by batch; of the batches those that fall to this process."""
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
            # Its own, because the loader draws from it: how often is evaluated must not change the training.
            generator=torch.Generator(),
        )
