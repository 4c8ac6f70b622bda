"""The training program: cross-validate, predict out of fold, predict the test pictures, report.

    python -m model_src.train

Reads the config that `COORD_CONFIG` names (else the defaults), the data below `COORD_KAGGLE_ROOT` (else `/kaggle`),
and writes into the working directory: metrics.jsonl and metrics.json as it goes, fold<k>.pth, oof.csv and
submission.csv. The same seed on the same machine gives the same numbers; a fold's don't depend on which others run.
"""

from __future__ import annotations

import csv
import functools
import io
import math
import os
import platform
import signal
import sys
import tempfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torchvision
from torch import nn
from torch.utils.data import DataLoader

from .checkpoint import load_checkpoint, save_checkpoint
from .config import Config, load, to_dict
from .data import Data, load_data
from .dataset import ChestXrays, Sample, collate
from .engine import train_epoch
from .folds import assign_folds
from .inputs import find_file, kaggle_root
from .labels import NO_MASK, encode, union
from .metric_logger import MetricLogger
from .model import build_model
from .predict import predict
from .report import Report, metric, write_text
from .sampling import epoch_order
from .schedule import learning_rate
from .score import Scored, all_empty, choose_presence, dice, mean_dice, with_presence

OUTPUT = Path()
"""A kernel's output is whatever lies in its working directory."""


def main() -> int:
    """Run the experiment that the environment names."""
    # A session that is asked to end should leave its report behind, like one that fails.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    with Report(
        OUTPUT,
        experiment=os.environ.get("COORD_EXPERIMENT", "unbundled"),
        run_id=os.environ.get("COORD_RUN_ID", "unbundled"),
        digest=os.environ.get("COORD_BUNDLE_DIGEST", "unbundled"),
    ) as report:
        path = os.environ.get("COORD_CONFIG")
        run(load(Path(path) if path else None), report)
    return 0


def run(config: Config, report: Report) -> None:
    """The whole experiment."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    report.update(config=to_dict(config), versions=versions(), devices=[device_name(device)])
    weights = find_file(config.model.weights, kaggle_root()) if config.model.weights else None
    new_model = functools.partial(
        build_model, config.model, config.proposals, image_size=config.data.image_size, weights=weights
    )
    with tempfile.TemporaryDirectory() as scratch:
        with report.stage("data"):
            data = load_data(config.data, root=kaggle_root(), scratch=Path(scratch), say=report.message)
        report.update(counts=data.counts)

        ids = data.train.ids
        fold_of = assign_folds({id_: bool(data.labels[id_]) for id_ in ids}, n=config.folds.n, seed=config.seed)
        folds = config.folds.run or range(config.folds.n)
        out_of_fold: list[Scored] = []
        for fold in folds:
            inside = [index for index, id_ in enumerate(ids) if fold_of[id_] != fold]
            outside = [index for index, id_ in enumerate(ids) if fold_of[id_] == fold]
            scored = train_fold(config, data, fold, inside, outside, new_model, device, report)
            out_of_fold += scored
            write_oof(OUTPUT / "oof.csv", out_of_fold)
            summarize(config, out_of_fold, report)
            report.fold(fold=fold, folds=len(folds), metrics={"cv/dice": mean_dice(scored)})

        with report.stage("predict"):
            presence = choose_presence(out_of_fold)[0] if config.predict.choose_presence else 0.0
            models = []
            for fold in folds:
                model = new_model()
                model.load_state_dict(load_checkpoint(OUTPUT / f"fold{fold}.pth")["model"])
                models.append(model.to(device))
            write_submission(OUTPUT / "submission.csv", predict_test(config, data, models, presence, device))


def train_fold(
    config: Config,
    data: Data,
    fold: int,
    inside: Sequence[int],
    outside: Sequence[int],
    new_model: Callable[[], nn.Module],
    device: torch.device,
    report: Report,
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
                    OUTPUT / f"fold{fold}.pth",
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


def predict_test(
    config: Config, data: Data, models: Sequence[nn.Module], presence: float, device: torch.device
) -> Iterable[tuple[str, str]]:
    """ImageId and encoded mask of every test picture: the folds' mean, blank below the score for presence."""
    loader = batches(config, ChestXrays(data.test, {}, range(len(data.test.ids))), device)
    for each in predict(models, loader, score_threshold=config.predict.score_threshold, device=device):
        mask = each.mask(data.test.shapes[each.index], config.predict.mask_threshold)
        yield data.test.ids[each.index], encode(mask) if each.top_score >= presence else NO_MASK


def by_presence(name: str, scored: Sequence[Scored]) -> dict[str, float]:
    """The mean dice of the pictures with a mask and of those without, under two names."""
    return {
        f"{name}_positive": mean_dice([each for each in scored if each.truth_area]),
        f"{name}_empty": mean_dice([each for each in scored if not each.truth_area]),
    }


def summarize(config: Config, scored: Sequence[Scored], report: Report) -> None:
    """Put the cross-validated figures of the folds so far into the report."""
    folds = sorted({each.fold for each in scored})

    def row(name: str, chosen: Sequence[Scored], value: Callable[[Scored], float]) -> dict[str, Any]:
        parts = [[value(each) for each in chosen if each.fold == fold] for fold in folds]
        means = [sum(part) / len(part) if part else math.nan for part in parts]
        return metric(name, "max", list(zip(folds, means, map(len, parts), strict=True)))

    rows = [
        row("cv/dice", scored, lambda each: each.dice),
        row("cv/dice_positive", [each for each in scored if each.truth_area], lambda each: each.dice),
        row("cv/dice_empty", [each for each in scored if not each.truth_area], lambda each: each.dice),
    ]
    thresholds = {"score": config.predict.score_threshold, "mask": config.predict.mask_threshold}
    if config.predict.choose_presence:
        thresholds["presence"] = presence = choose_presence(scored)[0]
        rows.append(row("cv/dice_chosen_presence", scored, lambda each: with_presence(each, presence)))
    report.update(
        primary={"name": "cv/dice", "mode": "max", "value": mean_dice(scored)},
        metrics=rows,
        baselines=[{"name": "all-empty", "metric": "cv/dice", "value": all_empty(scored)}],
        thresholds=thresholds,
    )


def write_oof(path: Path, scored: Sequence[Scored]) -> None:
    """One row a labelled picture, sorted by ImageId."""
    header = ["ImageId", "fold", "dice", "truth_area", "predicted_area", "top_score", "EncodedPixels"]
    rows = [
        [s.image_id, s.fold, f"{s.dice:.6f}", s.truth_area, s.predicted_area, f"{s.top_score:.6f}", s.encoded]
        for s in sorted(scored, key=lambda s: s.image_id)
    ]
    write_csv(path, header, rows)


def write_submission(path: Path, masks: Iterable[tuple[str, str]]) -> None:
    """One row a test picture, as the competition takes it."""
    write_csv(path, ["ImageId", "EncodedPixels"], masks)


def write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Replace a CSV file as a whole."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([header, *rows])
    write_text(path, text.getvalue())


def versions() -> dict[str, str | None]:
    """Of what the numbers depend on."""
    return {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "torchvision": torchvision.__version__,
        "numpy": np.__version__,
        "image": os.environ.get("KAGGLE_DOCKER_IMAGE"),
    }


def device_name(device: torch.device) -> str:
    """The graphics card's name, or "cpu"."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu"


if __name__ == "__main__":
    sys.exit(main())
