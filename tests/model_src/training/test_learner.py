"""What a checkpoint has of the learner: a continued training takes the same next step."""

from __future__ import annotations

import copy

import torch
from torch import nn

from model_src.training.learner import Learner
from model_src.training.optim import Precision
from tests.model_src.networks import CPU


def learner(*, scale: float) -> Learner:
    """A small learner whose gradients are scaled, as those of float16 are."""
    model = nn.Linear(2, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    scaler = torch.amp.GradScaler("cpu", init_scale=scale, growth_interval=3)
    return Learner(model, optimizer, Precision("cpu", torch.float16, scaler), CPU)


def step(learner: Learner, number: int) -> None:
    inputs = torch.randn(4, 2, generator=torch.Generator().manual_seed(number))
    scaler = learner.precision.scaler
    learner.optimizer.zero_grad()
    torch.autograd.backward(scaler.scale(learner.model(inputs).square().sum()))
    scaler.step(learner.optimizer)
    scaler.update()


def test_a_learner_that_is_restored_takes_the_same_steps() -> None:
    """Its weights, its momentum, the scale of its gradients, and when that scale grows."""
    first, second = learner(scale=1024.0), learner(scale=2.0)
    step(first, 0)
    step(first, 1)
    second.load(copy.deepcopy(first.state()))  # as a file has it
    for number in (2, 3):
        step(first, number)
        step(second, number)
        assert torch.equal(first.model.state_dict()["weight"], second.model.state_dict()["weight"])
        assert first.precision.scaler.get_scale() == second.precision.scaler.get_scale() == 2048.0
