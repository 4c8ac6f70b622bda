"""One fold: train on the pictures inside, validate on those outside, keep the best epoch."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader

from .config import Config
from .data import Data
from .dataset import ChestXrays, Sample, collate
from .engine import train_epoch, validation_loss
from .labels import encode, union
from .metric_logger import MetricLogger
from .optim import Precision, build_optimizer, choose_precision
from .outputs import by_presence
from .predict import predict
from .report import Report
from .resume import (
    Progress,
    drop_progress,
    finished_fold,
    identify,
    restore_progress,
    save_fold,
    save_progress,
    unfinished_fold,
)
from .sampling import epoch_order, ratio_at
from .schedule import learning_rate
from .score import Scored, dice, mean_dice
from .stopping import Stop
from .thresholds import Rule
from .timing import LoopTimer


def train_fold(
    config: Config,
    data: Data,
    fold: int,
    inside: Sequence[int],
    outside: Sequence[int],
    new_model: Callable[[], nn.Module],
    device: torch.device,
    report: Report,
    output: Path,
    *,
    stop: Stop,
    earlier: Path | None,
    timer: LoopTimer,
) -> list[Scored]:
    """Train on the pictures `inside`, stop when the metric on those `outside` doesn't get better, save the best.

    Goes on from what the run in the folder `earlier` left of this fold. Returns the best epoch's predictions of the
    pictures outside. That epoch was chosen on the same pictures, so their dice is a little too good. Raises OutOfTime
    or SystemExit after a step when `stop` says so, with the state saved.
    """
    positives = [index for index in inside if data.is_positive(index)]
    negatives = [index for index in inside if not data.is_positive(index)]
    if not positives or not outside:
        raise ValueError(
            f"fold {fold} has {len(positives)} pictures with a mask to train on and {len(outside)} to validate; "
            "use fewer folds or more pictures"
        )
    torch.manual_seed(config.seed * 10_007 + fold)
    model = new_model().to(device)
    identity = identify(config, fold, described(data, inside, outside))
    if finished := finished_fold(earlier, identity, output, report.message):
        report.message(f"fold {fold} was finished before, after epoch {finished['history'][-1]['epoch']}")
        for each in finished["history"]:
            report.epoch(fold=fold, epochs=config.train.epochs, **each)
        model.load_state_dict(finished["model"])
        with report.stage("evaluate"):
            return evaluate(config, data, model, fold, outside, device)

    optimizer = build_optimizer(config.optim, model.parameters())
    precision = choose_precision(config.train.amp, device)
    progress = Progress()
    if state := unfinished_fold(earlier, identity, report.message):
        progress = restore_progress(state, model=model, optimizer=optimizer, scaler=precision.scaler)
        report.message(f"fold {fold} goes on in epoch {progress.epoch} after step {progress.step}")
        report.update(resumed={"from": config.train.resume_from, **place(fold, progress)})
        for each in progress.history:
            report.epoch(fold=fold, epochs=config.train.epochs, **each)
    save = functools.partial(
        save_progress,
        output,
        progress,
        model=model,
        optimizer=optimizer,
        scaler=precision.scaler,
        identity=identity,
    )
    best: list[Scored] | None = None
    while progress.epoch <= config.train.epochs:
        epoch = progress.epoch
        is_evaluated = epoch == config.train.epochs or epoch % config.train.evaluate_every == 0
        with report.stage("train"), stop.deferred():
            seeds = (config.seed, fold, epoch)
            order = epoch_order(
                positives,
                negatives,
                negatives_per_positive=ratio_at(
                    epoch,
                    config.train.epochs,
                    start=config.train.negatives_per_positive,
                    end=config.train.negatives_per_positive_end,
                ),
                rng=np.random.default_rng(seeds),
            )
            xrays = ChestXrays(data.train, data.labels, order, preset=config.augment.preset, seeds=seeds)
            steps = math.ceil(len(xrays) / config.train.batch_size)
            heading = f"fold {fold}  epoch {epoch}/{config.train.epochs}"
            logger = MetricLogger(heading, every=config.train.log_every, sums=progress.sums, count=progress.step)
            stop.begin()

            def after_step(
                done: int, logger: MetricLogger = logger, steps: int = steps, is_evaluated: bool = is_evaluated
            ) -> None:
                progress.step, progress.steps, progress.sums = done, progress.steps + 1, logger.sums
                stop.step()
                if reason := stop.reason(is_evaluation_next=is_evaluated and done == steps):
                    save()
                    report.update(stopped={"reason": reason, **place(fold, progress)})
                    stop.leave(f"stopped in fold {fold}, epoch {progress.epoch}, after step {done}: {reason}")
                if config.train.checkpoint_every and progress.steps % config.train.checkpoint_every == 0:
                    with stop.timed("save"):
                        save()

            losses = train_epoch(
                model,
                batches(config, xrays, device, start=progress.step * config.train.batch_size),
                optimizer,
                rate=functools.partial(at_step, config, epoch, steps),
                clip_norm=config.optim.clip_norm,
                precision=precision,
                device=device,
                logger=logger,
                done=progress.step,
                after_step=after_step,
                timer=timer,
            )
        metrics = {f"train/{name}": value for name, value in losses.items()}
        if is_evaluated:
            try:
                with report.stage("evaluate"), stop.timed("evaluate"), timer.evaluation():
                    scored = evaluate(config, data, model, fold, outside, device)
                    metrics |= {"val/dice": mean_dice(scored)} | by_presence("val/dice", scored)
                    if config.train.validation_loss or config.train.monitor.startswith("val/loss"):
                        metrics |= losses_outside(config, data, model, outside, precision, device)
            except SystemExit:
                # Asked to end: nothing that was trained is lost, the evaluation is done again.
                save()
                raise
            progress.since_best += 1
            if is_better(metrics[config.train.monitor], progress.best_value, config.train.monitor_mode):
                best, progress.since_best = scored, 0
                progress.best_epoch, progress.best_value = epoch, metrics[config.train.monitor]
                progress.best_model = {name: value.cpu().clone() for name, value in model.state_dict().items()}
                save_fold(output, progress, identity, is_finished=False)
        progress.history.append({"epoch": epoch, "step": progress.steps, "metrics": metrics})
        report.epoch(fold=fold, epochs=config.train.epochs, **progress.history[-1])
        progress.epoch, progress.step, progress.sums = epoch + 1, 0, {}
        if config.train.patience and progress.since_best >= config.train.patience:
            value = f"{config.train.monitor} of {progress.best_value:.4f}"
            report.message(f"fold {fold} stops after epoch {epoch}: no better {value}")
            break
    save_fold(output, progress, identity, is_finished=True)
    drop_progress(output)
    if best is None:
        # The best epoch lies before the state that was gone on from.
        model.load_state_dict(progress.best_model)
        with report.stage("evaluate"):
            best = evaluate(config, data, model, fold, outside, device)
    return best


def described(data: Data, inside: Sequence[int], outside: Sequence[int]) -> list[tuple[str, bool, Sequence[str]]]:
    """The pictures that a fold trains on and validates, as a checkpoint knows them."""
    pictures = [(index, True) for index in inside] + [(index, False) for index in outside]
    return [(data.train.ids[index], is_inside, data.labels[data.train.ids[index]]) for index, is_inside in pictures]


def place(fold: int, progress: Progress) -> dict[str, int]:
    """Where a fold's training is, for the report."""
    return {"fold": fold, "epoch": progress.epoch, "step": progress.step}


def is_better(value: float, best: float | None, mode: Literal["max", "min"]) -> bool:
    """Whether a metric's value beats the best so far; anything beats none and not-a-number."""
    if best is None or math.isnan(best):
        return True
    return value > best if mode == "max" else value < best


def losses_outside(
    config: Config,
    data: Data,
    model: nn.Module,
    outside: Sequence[int],
    precision: Precision,
    device: torch.device,
) -> dict[str, float]:
    """The validation loss over the pictures with a mask, which is what the diary's runs report, and over all.

    Each kind in batches of its own, so that the former doesn't depend on which others there are.
    """
    kinds = [[index for index in outside if data.is_positive(index) == kind] for kind in (True, False)]
    values = [
        validation_loss(
            model,
            batches(config, ChestXrays(data.train, data.labels, kind), device),
            precision=precision,
            device=device,
            seed=config.seed,
        )
        for kind in kinds
    ]
    total = sum(value * len(kind) for value, kind in zip(values, kinds, strict=True) if kind)
    return {"val/loss": total / len(outside), "val/loss_positive": values[0]}


def at_step(config: Config, epoch: int, steps_per_epoch: int, step: int) -> float:
    """The learning rate of one step of an epoch."""
    return learning_rate(
        config.optim,
        config.schedule,
        epoch=epoch,
        epochs=config.train.epochs,
        step=step,
        steps_per_epoch=steps_per_epoch,
    )


def batches(config: Config, xrays: ChestXrays, device: torch.device, *, start: int = 0) -> DataLoader[Sample]:
    """The pictures in their order, from the one at `start` on, batch by batch."""
    return DataLoader(
        xrays,
        sampler=range(start, len(xrays)),
        batch_size=config.train.batch_size,
        num_workers=config.data.num_workers,
        collate_fn=collate,
        pin_memory=device.type == "cuda",
        # Its own, because the loader draws from it: how often is evaluated must not change the training.
        generator=torch.Generator(),
    )


def evaluate(
    config: Config, data: Data, model: nn.Module, fold: int, indices: Sequence[int], device: torch.device
) -> list[Scored]:
    """Predict labelled pictures and score each in its original size."""
    loader = batches(config, ChestXrays(data.train, data.labels, indices), device)
    rule = Rule.of(config.predict)
    scored = []
    for each in predict([model], loader, tta=config.predict.tta, device=device):
        image_id, shape = data.train.ids[each.index], data.train.shapes[each.index]
        truth = union(data.labels[image_id], *shape)
        mask = each.mask(shape, rule)
        scored.append(
            Scored(
                image_id=image_id,
                fold=fold,
                dice=dice(mask, truth),
                truth_area=int(truth.sum()),
                predicted_area=int(mask.sum()),
                top_score=each.top_score,
                encoded=encode(mask),
            )
        )
    return scored
