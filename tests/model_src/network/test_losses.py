"""The mask losses equal their published definitions."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest
import torch
from hypothesis import given, strategies as st
from torch import Tensor

from model_src.config import MaskLossConfig
from model_src.network.losses import cross_entropy, focal, lovasz_hinge, mask_loss, soft_dice

LOSSES = (cross_entropy, soft_dice, lovasz_hinge, focal)


def masks(count: int, pixels: int, *, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Random logits and hard targets in float64; the last mask is empty."""
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(count, pixels, generator=generator, dtype=torch.float64) * 2
    targets = (torch.rand(count, pixels, generator=generator) < 0.4).double()
    targets[-1] = 0
    return logits, targets


def jaccard_loss(wrong: set[int], positive: set[int]) -> float:
    """1 - IoU of the prediction that has exactly the pixels `wrong` wrong."""
    predicted = positive ^ wrong
    union = predicted | positive
    return 1 - len(predicted & positive) / len(union) if union else 0.0


def test_cross_entropy_is_its_definition() -> None:
    """The mean of -g log p - (1 - g) log (1 - p), soft targets included."""
    logits, targets = masks(4, 9)
    targets = targets * 0.7
    p = 1 / (1 + (-logits).exp())
    expected = -(targets * p.log() + (1 - targets) * (1 - p).log()).mean(1)
    assert torch.allclose(cross_entropy(logits, targets), expected)


def test_soft_dice_is_v_nets() -> None:
    """1 - 2 sum(p g) / (sum(p^2) + sum(g^2)), pixel by pixel in Python."""
    logits, targets = masks(4, 9)
    found = soft_dice(logits, targets)
    for each, scores, truth in zip(found.tolist(), logits.tolist(), targets.tolist(), strict=True):
        p = [1 / (1 + torch.tensor(-score).exp().item()) for score in scores]
        both = sum(a * b for a, b in zip(p, truth, strict=True))
        assert each == pytest.approx(1 - 2 * both / (sum(a * a for a in p) + sum(b * b for b in truth)), abs=1e-6)


def test_soft_dice_of_sure_masks_is_the_metric() -> None:
    """Logits far from 0 give 1 - dice of the two masks; two empty masks give a finite value."""
    truth = torch.tensor([[1.0, 1, 1, 0, 0], [0, 0, 0, 0, 0]])
    predicted = torch.tensor([[1.0, 1, 0, 1, 0], [0, 0, 0, 0, 0]])
    assert soft_dice((predicted * 2 - 1) * 1000, truth).tolist() == [pytest.approx(1 - 4 / 6), 1.0]


def test_focal_loss_is_its_definition() -> None:
    """The mean of -a (1 - q)^2 log q; q is the probability of what is true, a 0.25 inside the mask, else 0.75."""
    logits, targets = masks(4, 9)
    q = torch.where(targets == 1, logits.sigmoid(), 1 - logits.sigmoid())
    expected = -(torch.where(targets == 1, 0.25, 0.75) * (1 - q) ** 2 * q.log()).mean(1)
    assert torch.allclose(focal(logits, targets), expected)


def test_lovasz_hinge_is_the_extension_of_the_jaccard_loss() -> None:
    """The sum over the pixels, worst first, of the hinge error times the cost of one more wrong pixel, with sets."""
    logits, targets = masks(5, 7)
    found = lovasz_hinge(logits, targets)
    for each, scores, truth in zip(found.tolist(), logits.tolist(), targets.tolist(), strict=True):
        errors = [max(0.0, 1 - score * (1 if g else -1)) for score, g in zip(scores, truth, strict=True)]
        positive = {pixel for pixel, g in enumerate(truth) if g}
        expected, wrong = 0.0, set[int]()
        for pixel in sorted(range(7), key=lambda pixel: -errors[pixel]):
            gain = jaccard_loss(wrong | {pixel}, positive) - jaccard_loss(wrong, positive)
            expected += errors[pixel] * gain
            wrong.add(pixel)
        assert each == pytest.approx(expected)


@pytest.mark.parametrize("positive", [set(pixels) for n in range(4) for pixels in itertools.combinations(range(3), n)])
def test_lovasz_hinge_meets_the_jaccard_loss_at_the_corners(positive: set[int]) -> None:
    """For errors of 0 or 1 the extension equals the set function, for all masks of three pixels."""
    sign = torch.tensor([[1.0 if pixel in positive else -1.0 for pixel in range(3)]])
    for bits in itertools.product((0.0, 1.0), repeat=3):
        logits = sign * (1 - torch.tensor([bits]))
        wrong = {pixel for pixel, bit in enumerate(bits) if bit}
        assert lovasz_hinge(logits, (sign > 0).float()).item() == pytest.approx(jaccard_loss(wrong, positive), abs=1e-6)


@pytest.mark.parametrize("loss", LOSSES)
def test_gradients(loss: Callable[[Tensor, Tensor], Tensor]) -> None:
    """The gradient is the one that finite differences give."""
    logits, targets = masks(3, 8)
    logits.requires_grad_()
    assert torch.autograd.gradcheck(lambda x: loss(x, targets), (logits,))


@given(st.integers(0, 10_000), st.sampled_from(LOSSES))
def test_right_masks_cost_nothing(seed: int, loss: Callable[[Tensor, Tensor], Tensor]) -> None:
    """A certain and correct mask has the loss 0, others not less; the order of the pixels does not matter."""
    logits, targets = masks(4, 12, seed=seed)
    targets[:, 0] = 1
    assert loss((targets * 2 - 1) * 100, targets).abs().max() < 1e-9
    assert loss(logits, targets).min() >= 0
    order = torch.randperm(12, generator=torch.Generator().manual_seed(seed))
    assert torch.allclose(loss(logits[:, order], targets[:, order]), loss(logits, targets))


def test_weighted_sum() -> None:
    """The weights times the means over the proposals; 0, with a gradient, without proposals."""
    logits, targets = masks(3, 16)
    logits, targets = logits.reshape(3, 4, 4), targets.reshape(3, 4, 4)
    parts = [loss(logits.flatten(1), targets.flatten(1)).mean() for loss in LOSSES]
    found = mask_loss(MaskLossConfig(bce=1.0, dice=0.5, lovasz=2.0, focal=3.0), logits, targets)
    assert found.item() == pytest.approx((parts[0] + 0.5 * parts[1] + 2 * parts[2] + 3 * parts[3]).item())
    empty = torch.zeros(0, 4, 4, requires_grad=True)
    nothing = mask_loss(MaskLossConfig(), empty, torch.zeros(0, 4, 4))
    (gradient,) = torch.autograd.grad(nothing, empty)
    assert nothing.item() == 0
    assert gradient.shape == empty.shape


def test_half_precision_is_summed_in_single() -> None:
    """A sum over 28 x 28 pixels would be inexact in float16."""
    logits, targets = masks(2, 784)
    found = mask_loss(MaskLossConfig(0, 1, 1), logits.half(), targets)
    expected = mask_loss(MaskLossConfig(0, 1, 1), logits.half().float(), targets.float())
    assert found.dtype == torch.float32
    assert found.item() == expected.item()
