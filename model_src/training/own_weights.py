"""Whether the initial weights of each fold are of the same fold: else they have seen images that it validates."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..data.folds import train_and_validation
from ..identity import identify
from ..network import OWN_FOLD
from .checkpoint import DamagedCheckpoint, load_checkpoint
from .fold import described
from .run import Run


def check_own_weights(run: Run, fold_of: Mapping[str, int]) -> None:
    """Raise ValueError for a file of `model.weights` that was trained on other images than its fold of this run.

    Only where the setting has "{fold}". What is not known about a file that is no `fold<k>.pth` is said.
    """
    config, data = run.config, run.data
    if OWN_FOLD not in (config.model.weights or ""):
        return
    for fold, path in run.weights.items():
        if path is None:
            continue
        try:
            state: Mapping[str, Any] = load_checkpoint(path)
        except DamagedCheckpoint:
            run.report.message(f"model.weights: {path.name} does not say which images it was trained on")
            continue
        wanted = identify(config, fold, described(data, *train_and_validation(data, fold_of, fold)))
        if (state["fold"], state["pictures"]) != (fold, wanted["pictures"]):
            raise ValueError(
                f"model.weights: {path} was trained on other images than fold {fold} of this run, which validates some "
                "of them: its images, labels or folds differ; set folds.n, folds.seed (by default the seed), "
                "folds.holdout and data as in that run"
            )
