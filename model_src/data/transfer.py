"""Pictures on their way to the device: bytes until they are there, then what the network takes."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def images_on_device(pictures: Sequence[Tensor], device: torch.device) -> list[Tensor]:
    """Grey pictures uint8 (1, height, width) as images float32 (3, height, width) from 0 to 1, on the device.

    The three channels are one in memory, so they are not to be written to.
    """
    # Divided by a tensor, because CUDA multiplies by 1/255 instead when it is given a number: that rounds otherwise.
    white = torch.full((), 255.0, device=device)
    # First moved, then made floats: together, torch would make the floats here and move four times as much.
    moved = [picture.to(device, non_blocking=True) for picture in pictures]
    return [picture.to(torch.float32).div_(white).expand(3, -1, -1) for picture in moved]
