"""What a checkpoint has of the learner: a continued training takes the same next step."""

from __future__ import annotations

import copy

import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from model_src.config import Config, OptimConfig, TrainConfig
from model_src.training.learner import Learner, new_learner
from model_src.training.optim import Precision
from model_src.training.world import SINGLE_PROCESS
from tests.model_src.networks import CPU


def learner(*, scale: float) -> Learner:
    """A small learner whose gradients are scaled, as those of float16 are."""
    model = nn.Linear(2, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    scaler = torch.amp.GradScaler("cpu", init_scale=scale, growth_interval=3)
    mean = get_ema_multi_avg_fn(0.75)  # type: ignore[no-untyped-call]
    ema = AveragedModel(model, multi_avg_fn=mean, use_buffers=True)
    return Learner(model, optimizer, Precision("cpu", torch.float16, scaler), CPU, ema=ema)


def step(learner: Learner, number: int) -> None:
    inputs = torch.randn(4, 2, generator=torch.Generator().manual_seed(number))
    scaler = learner.precision.scaler
    learner.optimizer.zero_grad()
    torch.autograd.backward(scaler.scale(learner.model(inputs).square().sum()))
    scaler.step(learner.optimizer)
    scaler.update()
    learner.stepped()


def test_a_learner_that_is_restored_takes_the_same_steps() -> None:
    """Its weights, their average, its momentum, the scale of its gradients, and when that scale grows."""
    first, second = learner(scale=1024.0), learner(scale=2.0)
    step(first, 0)
    step(first, 1)
    second.load(copy.deepcopy(first.state()))  # as a file has it
    for number in (2, 3):
        step(first, number)
        step(second, number)
        for one, other in ((first.model, second.model), (first.evaluated, second.evaluated)):
            assert torch.equal(one.state_dict()["weight"], other.state_dict()["weight"])
        assert first.precision.scaler.get_scale() == second.precision.scaler.get_scale() == 2048.0


def test_moving_average_of_weights_and_statistics() -> None:
    """Weights and batch norm statistics: those after the first step, then decay x average + (1 - decay) x new."""
    config = Config(train=TrainConfig(ema=0.75), optim=OptimConfig(lr=0.1))
    made = new_learner(nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3)), config, CPU, SINGLE_PROCESS)
    expected: dict[str, torch.Tensor] = {}
    for number in range(4):
        inputs = torch.randn(4, 2, generator=torch.Generator().manual_seed(number))
        made.optimizer.zero_grad()
        torch.autograd.backward(made.called(inputs).square().sum())
        made.optimizer.step()
        made.stepped()
        for name, value in made.model.state_dict().items():
            before = expected.get(name, value).double()
            expected[name] = 0.75 * before + 0.25 * value.double()
    found = made.evaluated.state_dict()
    assert found.keys() == made.model.state_dict().keys()
    for name in ("0.weight", "0.bias", "1.weight", "1.running_mean", "1.running_var"):
        assert torch.allclose(found[name].double(), expected[name])
        assert not torch.allclose(found[name], made.model.state_dict()[name])


def test_without_a_decay_the_model_itself_is_evaluated() -> None:
    """And nothing is added to a checkpoint."""
    made = new_learner(nn.Linear(2, 1), Config(), CPU, SINGLE_PROCESS)
    assert made.evaluated is made.model
    assert "ema" not in made.state()
