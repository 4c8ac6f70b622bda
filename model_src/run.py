"""What every part of one run works with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import nn
from torch.utils.data import DataLoader

from .checkpoint import load_checkpoint
from .config import Config
from .data import Data
from .dataset import ChestXrays, Sample, collate
from .report import Report
from .resume import fold_file
from .stopping import Stop
from .timing import LoopTimer


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

    def best_model(self, fold: int) -> nn.Module:
        """The model that the fold's training kept, on the device."""
        model = self.new_model()
        model.load_state_dict(load_checkpoint(self.output / fold_file(fold, self.suffix))["model"])
        return model.to(self.device)

    def batches(self, xrays: ChestXrays, *, start: int = 0) -> DataLoader[Sample]:
        """The pictures in their order, from the one at `start` on, batch by batch."""
        return DataLoader(
            xrays,
            sampler=range(start, len(xrays)),
            batch_size=self.config.train.batch_size,
            num_workers=self.config.data.num_workers,
            collate_fn=collate,
            pin_memory=self.device.type == "cuda",
            # Its own, because the loader draws from it: how often is evaluated must not change the training.
            generator=torch.Generator(),
        )
