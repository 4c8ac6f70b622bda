"""What every part of one run works with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.utils.data import DataLoader

from .best_epochs import STORED, Weights, is_better
from .checkpoint import load_checkpoint
from .config import Config
from .data import Data
from .dataset import ChestXrays, Sample, collate
from .report import Report
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

    def kept_model(self, fold: int, weights: Weights | None = None) -> nn.Module:
        """The model that the fold's training kept, on the device; None = with the weights that predict."""
        model = self.new_model()
        model.load_state_dict(self._kept(fold)[STORED[weights or self.config.predict.weights]])
        return model.to(self.device)

    def best_fold(self, folds: Sequence[int]) -> int:
        """The fold whose best epoch has the best value of the monitored metric, the first of equals.

        Each was measured on pictures of its own, so that luck with these counts, too.
        """
        best, best_value = folds[0], None
        for fold in folds:
            value = self._kept(fold)["value"]
            if is_better(value, best_value, self.config.train.monitor_mode):
                best, best_value = fold, value
        return best

    def predicting(self, folds: Sequence[int]) -> list[int]:
        """Those of the folds whose models predict the test pictures."""
        return [self.best_fold(folds)] if self.config.predict.folds == "best" else list(folds)

    def _kept(self, fold: int) -> dict[str, Any]:
        """What the fold's training left."""
        return load_checkpoint(self.output / f"fold{fold}.pth")

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
