"""The counts of every picture in a file: what the runs of single folds leave for the choice of a rule on all folds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..files import replacing
from .thresholds import Counts

COUNTS = "counts.npz"
_PER_PICTURE = ("ids", "folds", "pixels", "truth")


def write_counts(path: Path, ids: Sequence[str], counts: Mapping[str, Counts]) -> None:
    """Keep the counts of a run's pictures, whose ImageIds these are, of every way to predict by its name."""
    first = next(iter(counts.values()))
    arrays: dict[str, Any] = {
        "ids": np.array(ids),
        "scores": np.array(first.scores),
        "thresholds": np.array(first.thresholds),
        **{name: getattr(first, name) for name in ("folds", "pixels", "truth")},
        **{f"area {name}": each.area for name, each in counts.items()},
        **{f"overlap {name}": each.overlap for name, each in counts.items()},
    }
    with replacing(path) as file:
        np.savez_compressed(file, **arrays)


def read_counts(folders: Sequence[Path], names: Sequence[str]) -> tuple[list[str], dict[str, Counts]]:
    """The ImageIds and, of each way to predict, the counts of all folders' pictures, in the order of the folders.

    Raises ValueError when they were counted at different thresholds, or other ways to predict.
    """
    found = [dict(np.load(folder / COUNTS, allow_pickle=False)) for folder in folders]
    tables = [f"{kind} {name}" for kind in ("area", "overlap") for name in names]
    for folder, each in zip(folders, found, strict=True):
        if lacking := [name for name in tables if name not in each]:
            raise ValueError(f"{COUNTS} of {folder.parent.name} has no {lacking[0]}: it is of another model source")
        if any(each[name].tolist() != found[0][name].tolist() for name in ("scores", "thresholds")):
            raise ValueError("the folds' runs tried different thresholds")
    arrays = {name: np.concatenate([each[name] for each in found]) for name in (*_PER_PICTURE, *tables)}
    scores, thresholds = (tuple(map(float, found[0][name])) for name in ("scores", "thresholds"))
    counts = {
        name: Counts(
            scores=scores,
            thresholds=thresholds,
            folds=arrays["folds"],
            pixels=arrays["pixels"],
            truth=arrays["truth"],
            area=arrays[f"area {name}"],
            overlap=arrays[f"overlap {name}"],
        )
        for name in names
    }
    return [str(each) for each in arrays["ids"]], counts
