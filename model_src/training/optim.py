"""The optimizer, and the numerical precision of a training step."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import nn

from ..config import OptimConfig


def build_optimizer(config: OptimConfig, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
    """The optimizer of the parameters that require gradients."""
    trained = [parameter for parameter in parameters if parameter.requires_grad]
    if config.name == "adamw":
        return torch.optim.AdamW(
            trained, lr=config.lr, betas=(config.momentum, 0.999), weight_decay=config.weight_decay
        )
    return torch.optim.SGD(trained, lr=config.lr, momentum=config.momentum, weight_decay=config.weight_decay)


@dataclass(frozen=True)
class Precision:
    """The precision of a step; the weights are always float32."""

    device_type: str
    dtype: torch.dtype
    """Of the matrix products and convolutions."""
    scaler: torch.amp.GradScaler
    """Scales the loss so that small gradients are not 0 in float16; does nothing for other types."""

    def autocast(self) -> contextlib.AbstractContextManager[None]:
        """The context of the forward pass."""
        return torch.autocast(self.device_type, self.dtype, enabled=self.dtype != torch.float32)


def choose_precision(amp: Literal["off", "auto"], device: torch.device) -> Precision:
    """bfloat16 on a GPU with hardware support (Ampere and later), float16 on an older one, float32 otherwise."""
    if amp == "off" or device.type != "cuda":
        return precision(device, torch.float32)
    # By the compute capability: older GPUs report support for bfloat16, too, but emulate it, which is slow.
    return precision(device, torch.bfloat16 if torch.cuda.get_device_capability(device) >= (8, 0) else torch.float16)


def precision(device: torch.device, dtype: torch.dtype) -> Precision:
    """The precision for a type, with gradient scaling for float16."""
    return Precision(device.type, dtype, torch.amp.GradScaler(device.type, enabled=dtype == torch.float16))
