"""What a fold trains: the model, its optimizer, the precision of a step, and the processes that share it."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from ..config import Config
from .optim import Precision, build_optimizer, choose_precision
from .world import SINGLE_PROCESS, World


@dataclass(frozen=True)
class Learner:
    """One process's part in the training of a model."""

    model: nn.Module
    """The model, on `device`."""
    optimizer: torch.optim.Optimizer
    precision: Precision
    device: torch.device
    clip_norm: float | None = None
    """Largest L2 norm of all gradients together; None = not clipped."""
    world: World = SINGLE_PROCESS
    parallel: DistributedDataParallel | None = None
    """The model wrapped so that its gradients are averaged over the processes; None in a single process."""
    ema: AveragedModel | None = None
    """The moving average of the weights and of the statistics of batch norms; None = train.ema is 0."""

    @property
    def evaluated(self) -> nn.Module:
        """The module that is evaluated and kept."""
        return self.model if self.ema is None else self.ema.module

    def stepped(self) -> None:
        """Update the moving average; called after each step of the optimizer."""
        if self.ema is not None:
            self.ema.update_parameters(self.model)

    @property
    def called(self) -> nn.Module:
        """The module that training calls."""
        return self.model if self.parallel is None else self.parallel

    def state(self) -> dict[str, Any]:
        """The state dicts of the model, its moving average, the optimizer and the gradient scaler, for a checkpoint."""
        return {
            "model": self.model.state_dict(),
            **({"ema": self.ema.state_dict()} if self.ema is not None else {}),
            "optimizer": self.optimizer.state_dict(),
            "scaler": self.precision.scaler.state_dict(),
        }

    def load(self, state: Mapping[str, Any]) -> None:
        """Restore what `state` returned."""
        self.model.load_state_dict(state["model"])
        if self.ema is not None:
            self.ema.load_state_dict(state["ema"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.precision.scaler.load_state_dict(state["scaler"])


def new_learner(model: nn.Module, config: Config, device: torch.device, world: World) -> Learner:
    """A learner of a model, which is moved to the device, with the optimizer and the precision of the config."""
    model = model.to(device)
    parallel = None
    if world.size > 1:
        with warnings.catch_warnings():
            # The newest torch has another name for this class, which the torch of Kaggle's image does not have.
            warnings.simplefilter("ignore", FutureWarning)
            # RunningStatistics merges the buffers after each step; those of the first process alone would be wrong.
            parallel = DistributedDataParallel(model, broadcast_buffers=False)
    optimizer = build_optimizer(config.optim, model.parameters())
    precision = choose_precision(config.train.amp, device)
    decay, ema = config.train.ema, None
    if decay:
        # A copy without gradients. Its first update copies the weights.
        mean = get_ema_multi_avg_fn(decay)  # type: ignore[no-untyped-call]
        ema = AveragedModel(model, multi_avg_fn=mean, use_buffers=True)
    return Learner(model, optimizer, precision, device, config.optim.clip_norm, world, parallel, ema)
