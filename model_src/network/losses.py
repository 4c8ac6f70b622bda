"""What the mask head can learn from: three losses of one proposal's mask, and their weighted sum.

All take logits (n, pixels) and targets of the same shape from 0 to 1, give one value a proposal (n), and agree about
what it means: 0 where the mask is right.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from ..config import MaskLossConfig


def cross_entropy(logits: Tensor, targets: Tensor) -> Tensor:
    """The mean of the pixels' binary cross-entropies, as in the Mask R-CNN paper (He et al. 2017)."""
    return functional.binary_cross_entropy_with_logits(logits, targets, reduction="none").mean(1)


def soft_dice(logits: Tensor, targets: Tensor) -> Tensor:
    """1 - 2 sum(p g) / (sum(p^2) + sum(g^2)) with p the probabilities and g the targets, unsmoothed.

    Milletari, Navab, Ahmadi: V-Net (2016), section 3. Where the targets are all 0 it is 1 and teaches nothing.
    """
    probabilities = logits.sigmoid()
    both = (probabilities * targets).sum(1)
    # Only where all are exactly 0 is there nothing to divide by, and there the numerator is 0, too.
    each = ((probabilities**2).sum(1) + (targets**2).sum(1)).clamp_min(torch.finfo(logits.dtype).tiny)
    return 1 - 2 * both / each


def lovasz_hinge(logits: Tensor, targets: Tensor) -> Tensor:
    """The Lovasz extension of the Jaccard loss at the hinge errors 1 - s z, with s = +-1 from targets above 0.5.

    Berman, Rannen Triki, Blaschko: The Lovasz-Softmax loss (2018), algorithm 1 and equation 9.
    """
    positive = (targets > 0.5).to(logits.dtype)
    errors = 1 - logits * (2 * positive - 1)
    errors, order = errors.sort(dim=1, descending=True, stable=True)
    positive = positive.gather(1, order)
    # The Jaccard loss of getting wrong the worst pixel, the worst two, the worst three...
    total = positive.sum(1, keepdim=True)
    jaccard = 1 - (total - positive.cumsum(1)) / (total + (1 - positive).cumsum(1))
    gain = jaccard.diff(dim=1, prepend=jaccard.new_zeros(len(jaccard), 1))
    return (errors.relu() * gain).sum(1)


def mask_loss(config: MaskLossConfig, logits: Tensor, targets: Tensor) -> Tensor:
    """The weighted sum, a scalar: mean over the proposals; 0, with a gradient of 0, of none.

    Computed in float32 at least: half precision has no room for sums over a mask.
    """
    if not len(logits):
        return logits.sum() * 0
    if logits.dtype in (torch.float16, torch.bfloat16):
        logits = logits.float()
    logits, targets = logits.flatten(1), targets.to(logits.dtype).flatten(1)
    parts = ((config.bce, cross_entropy), (config.dice, soft_dice), (config.lovasz, lovasz_hinge))
    return sum(
        (weight * loss(logits, targets).mean() for weight, loss in parts if weight),
        torch.zeros((), dtype=logits.dtype, device=logits.device),
    )
