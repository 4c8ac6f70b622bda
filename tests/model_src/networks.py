"""Small detectors with random weights, and images for them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from model_src.config import ModelConfig, ProposalsConfig

SMALL = ModelConfig(
    backbone="resnet18", channels=16, box_features=32, anchor_sizes=(8, 16, 32, 48, 64), max_detections=4
)


FEW = ProposalsConfig(pre_nms_test=50, post_nms_test=30)


CPU = torch.device("cpu")


@contextmanager
def one_thread() -> Iterator[None]:
    """Compute with one thread: with other processes on the same cores, several threads are slower."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def noise(count: int, *, seed: int) -> Tensor:
    """Images of noise, uint8 (count, 1, 64, 64)."""
    return torch.randint(256, (count, 1, 64, 64), generator=torch.Generator().manual_seed(seed), dtype=torch.uint8)
