"""What the settings that are off by default are worth.

    python -m benchmarks.ablation [--labels CSV] [--images N] [--epochs N] [--more N] [--seeds N] [--keep DIR]

Trains the experiment "smoke" on drawn images (with --labels around real masks, half of them empty; a quarter is a
holdout, as in `benchmarks.averaging`). Each fold is then trained for a few more epochs from its own weights
(`model.weights: fold{fold}.pth`), as it is and with one setting changed, so that the trainings that are compared begin
alike. The out-of-fold images of each last epoch are scored at the default thresholds, without averaging. Differences
are paired: per image, the mean over the seeds, with its standard error over the images. This is the chance of the
images; that of the trainings shows in the differences of the seeds.
"""

from __future__ import annotations

import argparse
import csv
import math
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.averaging import draw, trained

BASE, CONTINUED = "from random weights", "model.weights: fold{fold}.pth"
SETTINGS: Mapping[str, Mapping[str, Any]] = {
    CONTINUED: {},
    "train.ema: 0.95": {"train": {"ema": 0.95}},
    "model.mask_loss.focal: 1": {"model": {"mask_loss": {"focal": 1.0}}},
    "augment.preset: strong": {"augment": {"preset": "strong"}},
}
"""What is changed in the epochs after the first training."""
NO_CHOICE = {"evaluate": {"score_thresholds": [0.5], "mask_thresholds": [0.5], "min_areas": []}}
"""No rule is chosen, which would take longer than the training."""

Rows = npt.NDArray[np.float64]
"""Of each out-of-fold image, sorted by its id: dice, true pixels, predicted pixels."""


def out_of_fold(folder: Path) -> Rows:
    """The rows of a finished run."""
    with (folder / "oof.csv").open(encoding="utf-8", newline="") as file:
        rows = sorted(csv.DictReader(file), key=lambda row: row["ImageId"])
    return np.array([[float(row[name]) for name in ("dice", "truth_area", "predicted_area")] for row in rows])


def measured(root: Path, seed: int, given: argparse.Namespace) -> Iterator[tuple[str, Rows]]:
    """Train, then with each setting."""
    base = {"seed": seed, "folds": {"seed": 0, "holdout": 0.25}}
    weights = {"weights": str(root / f"base {seed}" / "working" / "fold{fold}.pth")}
    slow = {"optim": {"lr": 0.005}, "schedule": {"step_size": max(1, given.more - 1)}, **NO_CHOICE}
    yield BASE, out_of_fold(trained(root, f"base {seed}", given.epochs, base))
    for name, changes in SETTINGS.items():
        model = {"model": {**changes.get("model", {}), **weights}}
        yield name, out_of_fold(trained(root, f"{name} {seed}", given.more, {**base, **slow, **changes, **model}))


def figures(found: Sequence[Rows], others: Sequence[Rows]) -> str:
    """The cells of a row: mean dice, that of images with a mask, errors of a training, and the difference to others."""
    dice, truth = np.mean([each[:, 0] for each in found], axis=0), found[0][:, 1] > 0
    wrong = np.mean([np.sum((each[:, 2] > 0) & ~truth) for each in found])
    missed = np.mean([np.sum((each[:, 2] == 0) & truth) for each in found])
    each_seed = np.array([one[:, 0] - other[:, 0] for one, other in zip(found, others, strict=True)])
    paired = each_seed.mean(0)
    error = paired.std(ddof=1) / math.sqrt(len(paired))
    seeds = ", ".join(f"{each:+.3f}" for each in each_seed.mean(1))
    return (
        f"{dice.mean():.4f} | {dice[truth].mean():.4f} | {wrong:g} | {missed:g} | {paired.mean():+.4f} ± {error:.4f} "
        f"| {seeds}"
    )


def without_false_positives(rows: Rows) -> Rows:
    """As a classifier of the whole image without any error would make of them: the most that one can gain."""
    perfect = rows.copy()
    perfect[perfect[:, 1] == 0] = (1, 0, 0)
    return perfect


def main(arguments: Sequence[str] | None = None) -> int:
    """Train, and print a table in Markdown."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ablation", description="What the settings are worth.")
    parser.add_argument("--labels", type=Path, help="draw around the masks of this label file")
    parser.add_argument("--images", type=int, default=160)
    parser.add_argument("--epochs", type=int, default=14)
    parser.add_argument("--more", type=int, default=5)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--keep", type=Path, help="a folder for data and trainings; those that it has are not repeated")
    given = parser.parse_args(arguments)
    kept = nullcontext(given.keep) if given.keep else tempfile.TemporaryDirectory(prefix="coord-ablation-")
    with kept as text:
        root = Path(text).absolute()
        draw(root, given)
        found = [dict(measured(root, seed, given)) for seed in range(given.seeds)]
    without = [seed[CONTINUED] for seed in found]
    print(f"{len(without[0])} images, {given.epochs} epochs and {given.more} more, {given.seeds} seeds\n")
    print("| setting | dice | with a mask | false positives | missed | difference | of each seed |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for name in found[0]:
        print(f"| {name} | {figures([seed[name] for seed in found], without)} |")
    perfect = [without_false_positives(each) for each in without]
    print(f"| {CONTINUED}, no false positives | {figures(perfect, without)} |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
