"""One fold: train on the pictures inside, validate on those outside, keep the best epoch."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader

from .checkpoint import save_checkpoint
from .config import Config
from .data import Data
from .dataset import ChestXrays, Sample, collate
from .engine import train_epoch
from .labels import encode, union
from .metric_logger import MetricLogger
from .outputs import by_presence
from .predict import predict
from .report import Report
from .sampling import epoch_order
from .schedule import learning_rate
from .score import Scored, dice, mean_dice


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
) -> list[Scored]:
    """Train on the pictures `inside`, stop when the dice on those `outside` doesn't get better, save the best.

    Returns the best epoch's predictions of the pictures outside. That epoch was chosen on the same pictures, so
    their dice is a little too good.
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
    optimizer = torch.optim.SGD(
        [parameter for parameter in model.parameters() if parameter.requires_grad],
        lr=config.optim.lr,
        momentum=config.optim.momentum,
        weight_decay=config.optim.weight_decay,
    )
    best: list[Scored] = []
    best_dice, since_best, step = -math.inf, 0, 0
    for epoch in range(1, config.train.epochs + 1):
        heading = f"fold {fold}  epoch {epoch}/{config.train.epochs}"
        with report.stage("train"):
            seeds = (config.seed, fold, epoch)
            order = epoch_order(
                positives,
                negatives,
                negatives_per_positive=config.train.negatives_per_positive,
                rng=np.random.default_rng(seeds),
            )
            xrays = ChestXrays(data.train, data.labels, order, preset=config.augment.preset, seeds=seeds)
            loader = batches(config, xrays, device)
            rate = functools.partial(at_step, config, epoch, len(loader))
            losses = train_epoch(
                model,
                loader,
                optimizer,
                rate=rate,
                clip_norm=config.optim.clip_norm,
                device=device,
                logger=MetricLogger(heading, every=config.train.log_every),
            )
        step += len(loader)
        metrics = {f"train/{name}": value for name, value in losses.items()}
        is_last = epoch == config.train.epochs
        if is_last or epoch % config.train.evaluate_every == 0:
            with report.stage("evaluate"):
                scored = evaluate(config, data, model, fold, outside, device)
            metrics |= {"val/dice": mean_dice(scored)} | by_presence("val/dice", scored)
            since_best += 1
            if metrics["val/dice"] > best_dice:
                best, best_dice, since_best = scored, metrics["val/dice"], 0
                save_checkpoint(
                    output / f"fold{fold}.pth",
                    model=model,
                    optimizer=optimizer,
                    config=config,
                    fold=fold,
                    epoch=epoch,
                    dice=best_dice,
                )
        report.epoch(fold=fold, epoch=epoch, epochs=config.train.epochs, step=step, metrics=metrics)
        if config.train.patience and since_best >= config.train.patience:
            report.message(f"fold {fold} stops after epoch {epoch}: no better dice than {best_dice:.4f}")
            break
    return best


def at_step(config: Config, epoch: int, steps_per_epoch: int, step: int) -> float:
    """The learning rate of one step of an epoch."""
    return learning_rate(config.optim, config.schedule, epoch=epoch, step=step, steps_per_epoch=steps_per_epoch)


def batches(config: Config, xrays: ChestXrays, device: torch.device) -> DataLoader[Sample]:
    """The pictures in their order, batch by batch."""
    return DataLoader(
        xrays,
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
    scored = []
    for each in predict([model], loader, score_threshold=config.predict.score_threshold, device=device):
        image_id, shape = data.train.ids[each.index], data.train.shapes[each.index]
        truth = union(data.labels[image_id], *shape)
        mask = each.mask(shape, config.predict.mask_threshold)
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
