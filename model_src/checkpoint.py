"""A fold's best model on disk, with what it takes to go on from there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import nn

from .config import Config, to_dict

SCHEMA = 1


def save_checkpoint(
    path: Path,
    *,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    config: Config,
    fold: int,
    epoch: int,
    dice: float,
) -> None:
    """Write model, optimizer, place in the schedule (the epoch) and random states; complete or not at all."""
    unfinished = path.with_name(f"{path.name}.tmp")
    state = {
        "schema": SCHEMA,
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
        "config": to_dict(config),
        "fold": fold,
        "epoch": epoch,
        "dice": dice,
        "random": {"cpu": torch.get_rng_state(), "cuda": torch.cuda.get_rng_state_all()},
    }
    try:
        torch.save(state, unfinished)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def load_checkpoint(path: Path) -> dict[str, Any]:
    """What `save_checkpoint` wrote, on the CPU."""
    state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    if state.get("schema") != SCHEMA:
        raise ValueError(f"{path} is no checkpoint of schema {SCHEMA}")
    return state
