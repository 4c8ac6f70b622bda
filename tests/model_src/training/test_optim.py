"""The optimizer and the precision of a step."""

from __future__ import annotations

from typing import Literal

import pytest
import torch

from model_src.config import OptimConfig
from model_src.training.optim import build_optimizer, choose_precision
from tests.model_src.networks import CPU


@pytest.mark.parametrize("name", ["sgd", "adamw"])
def test_optimizer_takes_torchs_steps(name: Literal["sgd", "adamw"]) -> None:
    """Ten steps give the same weights as torch's optimizer; frozen ones are unchanged."""
    config = OptimConfig(name=name, lr=0.01, momentum=0.8, weight_decay=0.1)
    ours, theirs = torch.nn.Linear(4, 3), torch.nn.Linear(4, 3)
    theirs.load_state_dict(ours.state_dict())
    ours.bias.requires_grad_(False)
    built = build_optimizer(config, ours.parameters())
    expected: torch.optim.Optimizer = (
        torch.optim.SGD([theirs.weight], lr=0.01, momentum=0.8, weight_decay=0.1)
        if name == "sgd"
        else torch.optim.AdamW([theirs.weight], lr=0.01, betas=(0.8, 0.999), weight_decay=0.1)
    )
    assert [len(group["params"]) for group in built.param_groups] == [1]
    for step in range(10):
        x = torch.randn(5, 4, generator=torch.Generator().manual_seed(step))
        for layer, optimizer in ((ours, built), (theirs, expected)):
            optimizer.zero_grad()
            torch.autograd.backward(layer(x).square().sum())
            optimizer.step()
    assert torch.equal(ours.weight, theirs.weight)
    assert torch.equal(ours.bias, theirs.bias)


def test_processor_computes_in_single_precision() -> None:
    """For any setting, and without gradient scaling."""
    for chosen in (choose_precision("off", CPU), choose_precision("auto", CPU)):
        assert (chosen.dtype, chosen.scaler.is_enabled()) == (torch.float32, False)
