"""The training loop of an epoch, and the validation losses."""

from __future__ import annotations

import copy
import math
import random
from collections.abc import Sequence
from dataclasses import replace
from typing import cast

import numpy as np
import pytest
import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed import HashStore  # type: ignore[attr-defined]
from torch.distributed.algorithms.ddp_comm_hooks.default_hooks import allreduce_hook
from torch.nn.parallel import DistributedDataParallel

from model_src.config import ModelConfig, OptimConfig, ProposalsConfig
from model_src.data.dataset import Batch, target
from model_src.network.build import build_model
from model_src.training.engine import EpochSteps, on_device, seed_of, train_epoch, validation_losses
from model_src.training.learner import Learner
from model_src.training.metric_logger import MetricLogger
from model_src.training.optim import Precision, build_optimizer, choose_precision, precision

CPU = torch.device("cpu")

pytestmark = pytest.mark.usefixtures("narrow_here")


def small_model(**model: bool) -> nn.Module:
    """An untrained detector of images of 64 pixels, always the same."""
    torch.manual_seed(0)
    config = replace(ModelConfig(backbone="resnet18", channels=16, box_features=32), **model)  # type: ignore[arg-type]
    proposals = ProposalsConfig(50, 50, 50, 50, rpn_batch=16, roi_batch=16)
    return build_model(config, proposals, image_size=64, weights=None)


def batch(*, seed: int = 0, positive: bool = True) -> Batch:
    """Two images, with one mask each or without."""
    generator = torch.Generator().manual_seed(seed)
    masks = np.zeros((1, 64, 64), bool)
    masks[0, 10:40, 20:50] = positive
    pictures = [torch.randint(256, (1, 64, 64), generator=generator, dtype=torch.uint8) for _ in range(2)]
    return pictures, [target(masks, index) for index in range(2)]


def train(
    model: nn.Module,
    batches: Sequence[Batch],
    *,
    optimizer: torch.optim.Optimizer | None = None,
    precision_: Precision | None = None,
    clip_norm: float | None = None,
) -> dict[str, float]:
    """One epoch at a learning rate of 0.01."""
    learner = Learner(
        model,
        optimizer or build_optimizer(OptimConfig(), model.parameters()),
        precision_ or choose_precision("auto", CPU),
        CPU,
        clip_norm,
    )
    parts = [[batch] for batch in batches]
    return train_epoch(learner, parts, EpochSteps(lambda _: 0.01), MetricLogger("test", every=10))


class Bright(nn.Module):
    """Its loss is the mean over the images of (weight x brightness - 1)^2, times a random number."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor([3.0, -2.0]))

    def forward(self, images: Sequence[Tensor], _: object) -> dict[str, Tensor]:
        bright = torch.stack([image.mean() for image in images])
        return {"loss_mask": (bright[:, None] * self.weight - 1).square().sum(1).mean() * torch.rand(())}


@pytest.mark.parametrize("clip_norm", [None, 0.5])
def test_a_step_is_that_of_the_mean_over_its_images(clip_norm: float | None) -> None:
    """However they are divided into parts: the gradients of a part add up, and those of a step do not."""
    pictures, targets = batch()
    steps = [[([pictures[0]], targets[:1]), (pictures, targets)], [(pictures, targets), ([pictures[1]], targets[1:])]]
    model, alone = Bright(), Bright()
    optimizer, expected = (torch.optim.SGD(each.parameters(), lr=0.01, momentum=0.9) for each in (model, alone))
    learner = Learner(model, optimizer, choose_precision("auto", CPU), CPU, clip_norm)
    torch.manual_seed(5)
    train_epoch(learner, steps, EpochSteps(lambda _: 0.01, seeds=(7,)), MetricLogger("test", every=10))
    for number, parts in enumerate(steps):
        total = torch.zeros(())
        for place, part in enumerate(parts):
            torch.manual_seed(seed_of(7, number, place))
            total = total + alone(*on_device(part, CPU))["loss_mask"] * len(part[0]) / 3
        expected.zero_grad()
        torch.autograd.backward(total)
        if clip_norm is not None:
            nn.utils.clip_grad_norm_(alone.parameters(), clip_norm)
        expected.step()
    assert torch.allclose(model.weight, alone.weight, rtol=1e-6)


def test_gradients_are_merged_once_a_step() -> None:
    """One all-reduce in a step of three parts, after its last part; the weights are those without it.

    In a group of this process alone. DistributedDataParallel calls its communication hook for each all-reduce.
    """
    steps = [[batch(), batch(), batch()]] * 2
    merges: list[int] = []
    after: list[int] = []
    model, alone = Bright(), Bright()
    dist.init_process_group("gloo", store=HashStore(), rank=0, world_size=1)
    try:
        parallel, group = DistributedDataParallel(model), dist.distributed_c10d._get_default_group()

        def counted(_, bucket):  # type: ignore[no-untyped-def]  # torch refuses annotations that are text
            merges.append(1)
            return allreduce_hook(group, bucket)

        parallel.register_comm_hook(None, counted)
        for each, wrapped in ((model, parallel), (alone, None)):
            learner = Learner(each, torch.optim.SGD(each.parameters()), choose_precision("off", CPU), CPU)
            epoch = EpochSteps(lambda _: 0.01, seeds=(7,), after_step=lambda _: after.append(len(merges)))
            train_epoch(replace(learner, parallel=wrapped), steps, epoch, MetricLogger("test", every=10))
    finally:
        dist.destroy_process_group()
    assert after == [1, 2, 2, 2]
    assert torch.allclose(model.weight, alone.weight, rtol=1e-6)


@pytest.mark.parametrize("term", ["rpn_cls", "rpn_box", "cls", "box", "mask"])
def test_loss_that_is_not_finite_is_named_and_keeps_off_the_weights(term: str) -> None:
    """With a NaN in the module of a loss, the training stops before the step with the name of the loss."""
    places = {
        "rpn_cls": "rpn.head.cls_logits",
        "rpn_box": "rpn.head.bbox_pred",
        "cls": "roi_heads.box_predictor.cls_score",
        "box": "roi_heads.box_predictor.bbox_pred",
        "mask": "roi_heads.mask_predictor.mask_fcn_logits",
    }
    model = small_model()

    def poison(module: nn.Module, inputs: object, output: Tensor) -> Tensor:
        return output * math.nan if term != "rpn_box" else output * math.inf

    if term == "rpn_box":
        # NaN boxes would be an error in the proposals; infinite ones reach the loss.
        model.get_parameter("rpn.head.bbox_pred.bias").data.fill_(1e38)
    else:
        model.get_submodule(places[term]).register_forward_hook(poison)
    before = copy.deepcopy(model.state_dict())
    with pytest.raises(FloatingPointError, match=rf"not finite at step 1 of test: (\w+, )*{term}(, \w+)* of \{{"):
        train(model, [batch()])
    after = model.state_dict()
    assert all(torch.equal(before[name], after[name]) for name, _ in model.named_parameters())


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_learns_the_same(dtype: torch.dtype) -> None:
    """A step in half precision is nearly the same as in single precision; float16 with scaled gradients."""
    models = [small_model(), small_model()]
    start = copy.deepcopy(models[0].state_dict())
    losses = []
    for model, kind in zip(models, (torch.float32, dtype), strict=True):
        torch.manual_seed(1)
        chosen = precision(CPU, kind)
        assert chosen.scaler.is_enabled() == (kind == torch.float16)
        # Selected images: where two proposals have nearly equal scores, rounding would decide between them.
        losses.append(train(model, [batch(seed=1)], precision_=chosen, clip_norm=1.0)["loss"])
    assert losses[1] == pytest.approx(losses[0], rel=0.05)
    assert losses[1] != losses[0]
    name = "roi_heads.box_head.fc6.weight"
    moves = [(model.state_dict()[name] - start[name]).flatten() for model in models]
    assert nn.functional.cosine_similarity(moves[0], moves[1], dim=0) > 0.9
    assert moves[0].norm() / moves[1].norm() == pytest.approx(1, rel=0.3)


def test_channels_last_changes_the_layout_alone() -> None:
    """The same weights and, except for rounding, the same losses."""
    losses = []
    for channels_last in (True, False):
        model = small_model(channels_last=channels_last)
        weight = cast(Tensor, model.get_parameter("backbone.body.layer2.0.conv1.weight"))
        assert weight.is_contiguous() != channels_last
        torch.manual_seed(1)
        losses.append(train(model, [batch()])["loss"])
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)


def test_validation_loss_leaves_no_trace() -> None:
    """Weights, batch norms, modes, gradients and random states are unchanged; a second call gives the same value."""
    model = small_model().eval()
    model.get_submodule("rpn").train()
    before, modes = copy.deepcopy(model.state_dict()), [module.training for module in model.modules()]
    torch.manual_seed(5)
    random_before = (torch.get_rng_state(), np.random.get_state()[1].tolist(), random.getstate())  # type: ignore[index]
    single = choose_precision("off", CPU)
    ((first,), (second,)) = (
        validation_losses(model, [(4, batch())], precision=single, device=CPU, seed=3) for _ in range(2)
    )
    assert first == second
    assert first[1] > 0
    assert torch.equal(torch.get_rng_state(), random_before[0])
    assert (np.random.get_state()[1].tolist(), random.getstate()) == random_before[1:]  # type: ignore[index]
    assert [module.training for module in model.modules()] == modes
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert all(parameter.grad is None for parameter in model.parameters())


def test_validation_loss_is_the_sum_without_the_rpns_boxes() -> None:
    """Four of the five training losses of each batch, which do not depend on the batches before."""
    model, batches = small_model(), [(4, batch(seed=1)), (7, (batch(seed=2)[0][:1], batch(seed=2)[1][:1]))]
    single = choose_precision("off", CPU)
    found = validation_losses(model, batches, precision=single, device=CPU, seed=3)
    assert found[1:] == validation_losses(model, batches[1:], precision=single, device=CPU, seed=3)
    model.train()
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eval()
    names = ("loss_objectness", "loss_classifier", "loss_box_reg", "loss_mask")
    for (number, mean, pictures), (expected_number, each) in zip(found, batches, strict=True):
        torch.manual_seed(seed_of(3, number))
        with torch.no_grad():
            losses = model(*on_device(each, CPU))
        assert mean == pytest.approx(sum(losses[name].item() for name in names), rel=1e-6)
        assert (number, pictures) == (expected_number, len(each[0]))
