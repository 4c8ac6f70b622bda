"""Makes up a small data set in the competition's shape: train.csv, test.csv and sample_submission.csv in a folder.

    python sample_data.py DIR

The true targets of test.csv are written beside the folder, into DIR-solution.csv, so that no session can read them.
Every call makes the same data. Change it to make your competition's files and columns: `coord dry-run` then tries your
model on them.
"""

from __future__ import annotations

import csv
import random
import sys
from collections.abc import Sequence
from pathlib import Path

FEATURES = 3


def main(folder: Path, *, train: int = 90, test: int = 30) -> None:
    """Makes two classes, separated by a plane, with noise. The folder appears only when all its files are written."""
    random_ = random.Random(0)
    rows = []
    for number in range(train + test):
        features = [random_.gauss(0, 1) for _ in range(FEATURES)]
        target = int(features[0] - 0.5 * features[1] + random_.gauss(0, 0.4) > 0)
        rows.append((f"r{number}", target, [f"{value:.4f}" for value in features]))
    names = [f"x{index}" for index in range(FEATURES)]
    unfinished = folder.with_name(f".{folder.name}.new")
    unfinished.mkdir(parents=True, exist_ok=True)
    _write(unfinished / "train.csv", [["id", *names, "target"], *([id_, *x, y] for id_, y, x in rows[:train])])
    _write(unfinished / "test.csv", [["id", *names], *([id_, *x] for id_, _, x in rows[train:])])
    _write(unfinished / "sample_submission.csv", [["id", "target"], *([id_, 0] for id_, _, _ in rows[train:])])
    solution = folder.with_name(f"{folder.name}-solution.csv")
    _write(solution, [["id", "target"], *([id_, y] for id_, y, _ in rows[train:])])
    unfinished.rename(folder)


def _write(path: Path, rows: Sequence[Sequence[object]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(rows)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
