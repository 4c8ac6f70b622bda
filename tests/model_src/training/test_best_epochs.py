"""Which epochs of a fold are kept, and the average of their weights."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
import torch
from hypothesis import given, strategies as st
from torch import nn

from model_src.training.best_epochs import Kept, add_epoch, average, averageable


def small(seed: int) -> nn.Module:
    """A model with weights and statistics as after some steps."""
    torch.manual_seed(seed)
    model = nn.Sequential(nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3), nn.Linear(2, 2).bfloat16())
    for step in range(seed + 2):
        model[:2](torch.randn(2, 1, 8, 8) + step)
    return model


def kept_of(values: list[float], most: int, mode: Literal["max", "min"]) -> list[tuple[int, float]]:
    """Epoch and value of the kept epochs, after epochs with these values, counted from 1."""
    model, kept = nn.Linear(1, 1), list[Kept]()
    for epoch, value in enumerate(values, start=1):
        kept = add_epoch(kept, epoch, value, model, most=most, mode=mode)
    return [(each.epoch, each.value) for each in kept]


@given(st.lists(st.sampled_from([0.0, 0.1, 0.5, 0.6, 1.0]), max_size=9), st.integers(1, 4), st.sampled_from([1, -1]))
def test_the_best_are_kept_in_order(values: list[float], most: int, sign: int) -> None:
    """The same as sorting all epochs: the best first, with ties by the earlier one, in both directions."""
    order = sorted(enumerate(values, start=1), key=lambda item: (sign * item[1], item[0]))
    assert kept_of(values, most, "min" if sign == 1 else "max") == order[:most]


def test_an_epoch_that_diverged_is_the_worst() -> None:
    """NaN is worse than any number, and is not averaged if there is a number."""
    kept = kept_of([math.nan, 0.4, math.nan, 0.5], 3, "max")
    assert [epoch for epoch, _ in kept] == [4, 2, 3]
    assert [each.epoch for each in averageable([Kept(epoch, value, {}) for epoch, value in kept])] == [4, 2]
    assert [each.epoch for each in averageable([Kept(3, math.nan, {}), Kept(1, math.nan, {})])] == [3]


def test_what_is_kept_is_a_copy() -> None:
    """Further training does not change it."""
    model = small(0)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    (kept,) = add_epoch([], 1, 0.5, model, most=1, mode="max")
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(1)
    assert all(torch.equal(kept.model[name], tensor) for name, tensor in before.items())
    assert add_epoch([kept], 2, 0.4, model, most=1, mode="max") == [kept]


def test_average_is_the_mean() -> None:
    """The mean of every float tensor as by NumPy, with statistics, in its type; integers are those of the best."""
    states = [small(seed).state_dict() for seed in range(3)]
    found = average(states)
    assert found.keys() == states[0].keys()
    for name, tensor in found.items():
        assert tensor.dtype == states[0][name].dtype
        if name.endswith("num_batches_tracked"):
            assert [int(each[name]) for each in (found, *states)] == [2, 2, 3, 4]
            continue
        mean = np.mean([each[name].double().numpy() for each in states], axis=0)
        assert torch.equal(tensor, torch.from_numpy(mean).to(tensor.dtype)), name
        # The weights of a batch norm still have their initial values.
        assert torch.equal(tensor, states[0][name]) == (name in ("1.weight", "1.bias")), name


@given(st.floats(width=32, allow_nan=False, allow_infinity=False), st.integers(1, 9))
def test_average_of_what_never_changes_is_the_same(value: float, count: int) -> None:
    """The mean of equal tensors is exact: frozen weights and statistics do not change."""
    tensor = torch.tensor([value])
    assert torch.equal(average([{"frozen": tensor}] * count)["frozen"], tensor)
