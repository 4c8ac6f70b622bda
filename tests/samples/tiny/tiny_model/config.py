"""The config of the tiny model."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True)
class Optim:
    lr: float = 0.1
    name: Literal["sgd", "adamw"] = "sgd"

    def __post_init__(self) -> None:
        if not self.lr > 0:
            raise ValueError(f"lr must be > 0, is {self.lr}")


@dataclass(frozen=True)
class Train:
    epochs: int = 3
    crash_in_epoch: int | None = None
    wait_for: str = ""
    """Name of a file beside the working directory that the last epoch waits for."""
    tags: tuple[str, ...] = ()


@dataclass(frozen=True)
class Config:
    seed: int = 0
    optim: Optim = field(default_factory=Optim)
    train: Train = field(default_factory=Train)
