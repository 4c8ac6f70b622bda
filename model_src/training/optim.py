"""The optimizer, and the precision that a step is computed in."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import nn

from ..config import OptimConfig


def build_optimizer(config: OptimConfig, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
    """An optimizer of the parameters that are trained."""
    trained = [parameter for parameter in parameters if parameter.requires_grad]
    if config.name == "adamw":
        return torch.optim.AdamW(
            trained, lr=config.lr, betas=(config.momentum, 0.999), weight_decay=config.weight_decay
        )
    return torch.optim.SGD(trained, lr=config.lr, momentum=config.momentum, weight_decay=config.weight_decay)


@dataclass(frozen=True)
class Precision:
    """How a step is computed; the weights themselves are always float32."""

    device_type: str
    dtype: torch.dtype
    """Of the matrix products and convolutions."""
    scaler: torch.amp.GradScaler
    """Scales the loss, so that small gradients are not lost in float16; does nothing otherwise."""

    def autocast(self) -> contextlib.AbstractContextManager[None]:
        """To be entered around the forward pass."""
        return torch.autocast(self.device_type, self.dtype, enabled=self.dtype != torch.float32)


def choose_precision(amp: Literal["off", "auto"], device: torch.device) -> Precision:
    """bfloat16 on a card that has hardware for it (Ampere and later), float16 on older ones, float32 otherwise."""
    if amp == "off" or device.type != "cuda":
        return precision(device, torch.float32)
    # Asked of the hardware, because older cards emulate bfloat16, slowly, and say that they support it.
    return precision(device, torch.bfloat16 if torch.cuda.get_device_capability(device) >= (8, 0) else torch.float16)


def precision(device: torch.device, dtype: torch.dtype) -> Precision:
    """That one, with scaling where it is needed."""
    return Precision(device.type, dtype, torch.amp.GradScaler(device.type, enabled=dtype == torch.float16))
