"""Statistics of batch norms when a batch is computed in parts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from .world import World


class RunningStatistics:
    """The running means and variances of a model's batch norms: each part of a step starts with the same values.

    After the step they are the mean over its parts. Without this, each part would continue from the part before, and
    each process would have different statistics.
    """

    def __init__(self, model: nn.Module, world: World) -> None:
        """Collect the batch norms of the model that are not frozen and keep statistics."""
        norms = [
            module
            for module in model.modules()
            if isinstance(module, nn.modules.batchnorm._BatchNorm) and module.running_mean is not None
        ]
        self._world = world
        self._counters = [norm.num_batches_tracked for norm in norms if norm.num_batches_tracked is not None]
        self._values = [each for norm in norms for each in (norm.running_mean, norm.running_var) if each is not None]

    @contextmanager
    def step(self, parts: int) -> Iterator[None]:
        """The context of a step with this number of parts in this process; at its end the statistics are averaged."""
        self._is_needed = bool(self._values) and parts * self._world.size > 1
        if not self._is_needed:
            yield
            return
        self._start = self._flat()
        self._counts = [each.clone() for each in self._counters]
        self._mean = torch.zeros_like(self._start)
        yield
        self._put(self._world.add(self._mean))
        for counter, before in zip(self._counters, self._counts, strict=True):
            counter.copy_(before + 1)

    def part(self, share: float) -> None:
        """Add the statistics of a part after its backward pass; `share` is its share of the images of the step."""
        if self._is_needed:
            self._mean += self._flat() * share
            self._put(self._start)

    def _flat(self) -> Tensor:
        return torch.cat([each.flatten() for each in self._values])

    def _put(self, flat: Tensor) -> None:
        for each, new in zip(self._values, torch.split(flat, [each.numel() for each in self._values]), strict=True):
            each.copy_(new.view_as(each))
