"""Moves images to the device as bytes and converts them there to the floats that the network takes."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def images_on_device(pictures: Sequence[Tensor], device: torch.device) -> list[Tensor]:
    """Convert grey images uint8 (1, height, width) to float32 (3, height, width) from 0 to 1 on the device.

    The three channels share their memory, so they must not be written to.
    """
    # Divided by a tensor, because CUDA multiplies by 1/255 when it divides by a number, which rounds differently.
    white = torch.full((), 255.0, device=device)
    # Two steps, because in one torch would convert on the CPU and copy four times as many bytes.
    moved = [picture.to(device, non_blocking=True) for picture in pictures]
    return [picture.to(torch.float32).div_(white).expand(3, -1, -1) for picture in moved]
