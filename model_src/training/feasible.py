"""Whether every fold can be trained and measured: checked before the first one, which may take hours."""

from __future__ import annotations

from collections.abc import Mapping

from ..config import Config
from ..data.folds import train_and_validation
from ..data.load import Data
from .batching import count_steps
from .sampling import drawn_negatives, ratio_at


def check_folds(config: Config, data: Data, fold_of: Mapping[str, int]) -> None:
    """Raise ValueError for the first fold that runs and could not be trained, or not measured by train.monitor.

    `fold_of` is that of `make_folds`.
    """
    for fold in config.folds.run or range(config.folds.n):
        train, validation = train_and_validation(data, fold_of, fold)
        if reason := _why_not(config, data, train, validation):
            positive = [index for index in data.validated if data.is_positive(index)]
            patients = len({data.train.patients[index] or data.train.ids[index] for index in positive})
            raise ValueError(
                f"{reason.format(fold=fold)}; {len(positive)} of {len(data.validated)} images "
                f"{'has' if len(positive) == 1 else 'have'} one, of {patients} patient{'s' * (patients != 1)}; "
                "use fewer folds, more images with a mask, or folds.run"
            )


def _why_not(config: Config, data: Data, train: list[int], validation: list[int]) -> str:
    """Why a fold of these positions cannot be trained or measured, with {fold} for its number; empty if it can."""
    settings = config.train
    positives = sum(map(data.is_positive, train))
    if not positives:
        return "fold {fold} has no image with a mask to train on"
    if settings.monitor.endswith("_positive") and not any(map(data.is_positive, validation)):
        return f"fold {{fold}} has no image with a mask to validate, and train.monitor is {settings.monitor}"
    parts = settings.micro_batches or 1
    for epoch in (1, settings.epochs):  # the ratio is linear in between
        ratio = ratio_at(
            epoch, settings.epochs, start=settings.negatives_per_positive, end=settings.negatives_per_positive_end
        )
        size = positives + drawn_negatives(positives, len(train) - positives, ratio)
        if not count_steps(size, settings.batch_size, parts):
            return (
                f"an epoch of fold {{fold}} has {size} images, too few for a step in {parts} parts; lower "
                "train.micro_batches, or give more images with a mask"
            )
    return ""
