"""Losses of the mask head: four losses of the mask of a proposal, and their weighted sum.

Each takes logits (n, pixels) and targets of the same shape with values from 0 to 1, and returns one value per proposal
(n), which is 0 for a perfect mask.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional
from torchvision.ops import sigmoid_focal_loss

from ..config import MaskLossConfig


def cross_entropy(logits: Tensor, targets: Tensor) -> Tensor:
    """The mean of the binary cross-entropy over the pixels (n), as in Mask R-CNN (He et al. 2017)."""
    return functional.binary_cross_entropy_with_logits(logits, targets, reduction="none").mean(1)


def soft_dice(logits: Tensor, targets: Tensor) -> Tensor:
    """1 - 2 sum(p g) / (sum(p^2) + sum(g^2)) (n) with p the probabilities and g the targets, without smoothing.

    Milletari, Navab, Ahmadi: V-Net (2016), section 3. It is 1, with a gradient of 0, where all targets are 0.
    """
    probabilities = logits.sigmoid()
    both = (probabilities * targets).sum(1)
    # The denominator is 0 only where all values are exactly 0; the numerator is 0 there, too.
    each = ((probabilities**2).sum(1) + (targets**2).sum(1)).clamp_min(torch.finfo(logits.dtype).tiny)
    return 1 - 2 * both / each


def lovasz_hinge(logits: Tensor, targets: Tensor) -> Tensor:
    """The Lovasz extension of the Jaccard loss at the hinge errors 1 - s z (n); s is 1 for targets above 0.5, else -1.

    Berman, Rannen Triki, Blaschko: The Lovasz-Softmax loss (2018), algorithm 1 and equation 9.
    """
    positive = (targets > 0.5).to(logits.dtype)
    errors = 1 - logits * (2 * positive - 1)
    errors, order = errors.sort(dim=1, descending=True, stable=True)
    positive = positive.gather(1, order)
    # The Jaccard loss if the worst pixel is wrong, the two worst pixels, the three worst, ...
    total = positive.sum(1, keepdim=True)
    jaccard = 1 - (total - positive.cumsum(1)) / (total + (1 - positive).cumsum(1))
    gain = jaccard.diff(dim=1, prepend=jaccard.new_zeros(len(jaccard), 1))
    return (errors.relu() * gain).sum(1)


def focal(logits: Tensor, targets: Tensor) -> Tensor:
    """The mean of the focal loss over the pixels (n), with gamma 2 and alpha 0.25 (Lin et al. 2017)."""
    pixels: Tensor = sigmoid_focal_loss(logits, targets)
    return pixels.mean(1)


def mask_loss(config: MaskLossConfig, logits: Tensor, targets: Tensor) -> Tensor:
    """The weighted sum of the losses, as the mean over the proposals: a scalar; 0, with a gradient of 0, without any.

    `logits` and `targets` are (n, height, width). Computed at least in float32: the sum over a mask overflows float16.
    """
    if not len(logits):
        return logits.sum() * 0
    if logits.dtype in (torch.float16, torch.bfloat16):
        logits = logits.float()
    logits, targets = logits.flatten(1), targets.to(logits.dtype).flatten(1)
    parts = (
        (config.bce, cross_entropy),
        (config.dice, soft_dice),
        (config.lovasz, lovasz_hinge),
        (config.focal, focal),
    )
    return sum(
        (weight * loss(logits, targets).mean() for weight, loss in parts if weight),
        torch.zeros((), dtype=logits.dtype, device=logits.device),
    )
