"""Steps and losses: optimizers, schedules and precisions against torch's own, and what a validation loss may not do."""

from __future__ import annotations

import copy
import dataclasses
import math
import random
from collections.abc import Sequence
from typing import Literal, cast

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from model_src.config import ModelConfig, OptimConfig, ProposalsConfig, ScheduleConfig, TrainConfig
from model_src.dataset import target
from model_src.engine import Batch, on_device, seed_of, train_epoch, validation_losses
from model_src.metric_logger import MetricLogger
from model_src.model import build_model
from model_src.optim import Precision, build_optimizer, choose_precision, precision
from model_src.report import is_better
from model_src.schedule import learning_rate
from model_src.stopping import OutOfTime, Stop

CPU = torch.device("cpu")


def small_model(**model: bool) -> nn.Module:
    """An untrained detector of pictures of 64 pixels, always the same."""
    torch.manual_seed(0)
    config = dataclasses.replace(ModelConfig(backbone="resnet18", channels=16, box_features=32), **model)  # type: ignore[arg-type]
    proposals = ProposalsConfig(50, 50, 50, 50, rpn_batch=16, roi_batch=16)
    return build_model(config, proposals, image_size=64, weights=None)


def batch(*, seed: int = 0, positive: bool = True) -> Batch:
    """Two pictures, with one mask each or without."""
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
    return train_epoch(
        model,
        [[batch] for batch in batches],
        optimizer or build_optimizer(OptimConfig(), model.parameters()),
        rate=lambda _: 0.01,
        clip_norm=clip_norm,
        precision=precision_ or choose_precision("auto", CPU),
        device=CPU,
        logger=MetricLogger("test", every=10),
        done=0,
        after_step=lambda _: None,
    )


@pytest.mark.parametrize("name", ["step", "cosine"])
@pytest.mark.parametrize("warmup", [0, 3, 1000])
def test_learning_rate_is_torchs_own(name: Literal["step", "cosine"], warmup: int) -> None:
    """Each step's figure is that of LinearLR with StepLR, stepped an epoch, or CosineAnnealingLR, stepped a step."""
    optim, steps, epochs = OptimConfig(lr=0.01), 7, 5
    schedule = ScheduleConfig(name=name, warmup_steps=warmup, step_size=2, lr_end=0.001)
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=optim.lr)
    warm = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    by_epoch = torch.optim.lr_scheduler.StepLR(optimizer, schedule.step_size, schedule.gamma)
    cosine = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs * steps, eta_min=0.001)
    first_epoch = torch.optim.lr_scheduler.LinearLR(warm, start_factor=0.001, total_iters=min(warmup, steps - 1))
    if name == "step":
        optimizer.param_groups[0]["lr"] = optim.lr
    for epoch in range(1, epochs + 1):
        for step in range(steps):
            ours = learning_rate(optim, schedule, epoch=epoch, epochs=epochs, step=step, steps_per_epoch=steps)
            factor = warm.param_groups[0]["lr"] if warmup else 1.0
            assert ours == pytest.approx(optimizer.param_groups[0]["lr"] * factor)
            optimizer.step()
            warm.step()
            first_epoch.step()
            if name == "cosine":
                cosine.step()
        if name == "step":
            by_epoch.step()


@pytest.mark.parametrize("name", ["sgd", "adamw"])
def test_optimizer_takes_torchs_steps(name: Literal["sgd", "adamw"]) -> None:
    """Ten steps of our training loop leave what ten steps of torch's optimizer leave, with what is frozen untouched."""
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


@pytest.mark.parametrize("term", ["rpn_cls", "rpn_box", "cls", "box", "mask"])
def test_loss_that_is_not_finite_is_named_and_keeps_off_the_weights(term: str) -> None:
    """Poisoned where that loss is computed, the training stops with the term's name before the step."""
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
        # Boxes that are no numbers would be refused by the proposals; here they are only endless for the loss.
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
    """With scaled gradients where they are needed, a step in half precision is nearly a step in single precision."""
    models = [small_model(), small_model()]
    start = copy.deepcopy(models[0].state_dict())
    losses = []
    for model, kind in zip(models, (torch.float32, dtype), strict=True):
        torch.manual_seed(1)
        chosen = precision(CPU, kind)
        assert chosen.scaler.is_enabled() == (kind == torch.float16)
        # Not any pictures: where two proposals score nearly the same, rounding decides which of them is trained on.
        losses.append(train(model, [batch(seed=1)], precision_=chosen, clip_norm=1.0)["loss"])
    assert losses[1] == pytest.approx(losses[0], rel=0.05)
    assert losses[1] != losses[0]
    name = "roi_heads.box_head.fc6.weight"
    moves = [(model.state_dict()[name] - start[name]).flatten() for model in models]
    assert nn.functional.cosine_similarity(moves[0], moves[1], dim=0) > 0.9
    assert moves[0].norm() / moves[1].norm() == pytest.approx(1, rel=0.3)


def test_processor_computes_in_single_precision() -> None:
    """Whatever the setting, and without scaling."""
    for chosen in (choose_precision("off", CPU), choose_precision("auto", CPU)):
        assert (chosen.dtype, chosen.scaler.is_enabled()) == (torch.float32, False)


def test_channels_last_changes_the_layout_alone() -> None:
    """The same weights and, but for rounding, the same losses."""
    losses = []
    for channels_last in (True, False):
        model = small_model(channels_last=channels_last)
        weight = cast(Tensor, model.get_parameter("backbone.body.layer2.0.conv1.weight"))
        assert weight.is_contiguous() != channels_last
        torch.manual_seed(1)
        losses.append(train(model, [batch()])["loss"])
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)


def test_validation_loss_leaves_no_trace() -> None:
    """Weights, batch norms, modes, gradients and random states are as before; the same again gives the same figure."""
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
    """Four of the five training losses of each batch, whatever batches come before it; the random state is its own."""
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


@pytest.mark.parametrize(
    ("value", "best", "mode", "expected"),
    [
        (0.5, None, "max", True),
        (math.nan, None, "min", True),
        (0.5, math.nan, "max", True),
        (math.nan, 0.5, "max", False),
        (math.nan, 0.5, "min", False),
        (0.6, 0.5, "max", True),
        (0.6, 0.5, "min", False),
        (0.4, 0.5, "min", True),
        (0.5, 0.5, "max", False),
    ],
)
def test_better(value: float, best: float | None, mode: Literal["max", "min"], expected: bool) -> None:
    """By the metric's direction; equal is not better, and no number is worse than any."""
    assert is_better(value, best, mode) == expected


def test_direction_has_to_fit_the_metric() -> None:
    """A loss that is maximised is refused, and a dice that is minimised."""
    with pytest.raises(ValueError, match="monitor_mode must be min for val/loss"):
        TrainConfig(monitor="val/loss")
    with pytest.raises(ValueError, match="monitor_mode must be max for val/dice"):
        TrainConfig(monitor_mode="min")
    assert TrainConfig(monitor="val/loss_positive", monitor_mode="min").patience == 3


def test_stop_by_steps_and_by_time() -> None:
    """Neither limit: never. Steps are counted; of the time, enough for what comes next is kept free."""

    def after(steps: int, *, seconds: float | None = None, most: int | None = None) -> Stop:
        stop = Stop()
        stop.limit(seconds=seconds, steps=most)
        stop.begin()
        for _ in range(steps):
            stop.step()
        return stop

    assert after(10).reason() is None
    assert after(2, most=3).reason() is None
    assert after(3, most=3).reason() == "stop_after_steps is 3"
    assert after(1, seconds=1000).reason() is None
    assert "limit of 0 s" in str(after(1, seconds=1e-9).reason())
    stop = after(1, seconds=0.5)
    with stop.timed("evaluate"):
        while stop.reason() is None and stop.reason(is_evaluation_next=True) is None:
            pass
    assert stop.reason(is_evaluation_next=True) is not None
    with pytest.raises(OutOfTime, match="here"):
        stop.leave("here")
