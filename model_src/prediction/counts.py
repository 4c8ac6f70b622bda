"""Pixel counts of every image in a file: runs of single folds write them, so that a rule is chosen on all folds."""

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
    """Write the counts of the images `ids`, for each variant of the prediction by its name."""
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
    """The ImageIds and, for each named variant of the prediction, the counts, of the images of all folders.

    Raises ValueError when the thresholds differ, or when a variant is missing.
    """
    found = [dict(np.load(folder / COUNTS, allow_pickle=False)) for folder in folders]
    tables = [f"{kind} {name}" for kind in ("area", "overlap") for name in names]
    for folder, each in zip(folders, found, strict=True):
        if lacking := [name for name in tables if name not in each]:
            raise ValueError(
                f"{COUNTS} of {folder.parent.name} has no {lacking[0]}: another model source has written it"
            )
        if any(each[name].tolist() != found[0][name].tolist() for name in ("scores", "thresholds")):
            raise ValueError("the runs of the folds tried different thresholds")
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
