"""Scores a submission of 1 372 images on one core: as the program does, with pixels, and with the official decoder.

    python -m benchmarks.score [SUBMISSION.csv TRUTH.csv[.gz] [IDS.csv]] [--repetitions N]

Without files, the first 1 372 images of torchxrayvision's label file are the truth, and the prediction of each image is
the truth of the next one: the same number of masks of the same kind.
"""

from __future__ import annotations

import argparse
import csv
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from benchmarks.measure import machine, print_table, seconds, wheel_labels
from benchmarks.official import rle_to_mask
from model_src.data.labels import read_ids, read_labels
from model_src.data.rle import union
from model_src.score import dice, grade

SIZE = 1024
IMAGES = 1372

Labels = Mapping[str, Sequence[str]]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.score")
    parser.add_argument("files", type=Path, nargs="*", help="submission, truth, and the ids to score (all)")
    parser.add_argument("--repetitions", type=int, default=5, help="runs of each way, in turns (%(default)s)")
    given = parser.parse_args()
    if len(given.files) not in (0, 2, 3):
        parser.error("give the submission and the truth, or no file")
    if hasattr(os, "sched_setaffinity"):
        # Child processes inherit it.
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:1])
    with tempfile.TemporaryDirectory() as scratch:
        measure(given.files or stand_in(Path(scratch)), given.repetitions)


def measure(files: Sequence[Path], repetitions: int) -> None:
    """Prints the table for these files."""
    submission_file, truth_file, *ids_file = files
    submission, truth = read_labels(submission_file), read_labels(truth_file)
    ids = read_ids(ids_file[0]) if ids_file else list(truth)
    truth = {image_id: truth[image_id] for image_id in ids}
    results = [by_runs(submission, truth), by_pixels(submission, truth), officially(submission, truth)]
    assert max(results) - min(results) < 1e-12, results
    masks = sum(map(len, submission.values())), sum(map(len, truth.values()))
    print(f"{len(ids)} images, {masks[0]} predicted and {masks[1]} true masks, dice {results[0]:.6f}; {machine()}\n")

    program = [sys.executable, "-m", "model_src.score", *map(str, (submission_file, truth_file))]
    program += [each for name in ids_file for each in ("--ids", str(name))]
    taken = seconds(
        {
            "the program, from start to end": lambda: subprocess.run(program, check=True, capture_output=True),
            "model_src: areas from runs": lambda: by_runs(submission, truth),
            "model_src: through pixels": lambda: by_pixels(submission, truth),
            "official decoder, masks of floats": lambda: officially(submission, truth),
        },
        repetitions,
    )
    ours = taken["model_src: areas from runs"]
    rows = [[name, f"{each:.3f}", f"{each / ours:.1f}"] for name, each in taken.items()]
    print_table(["score a submission", "seconds", "ratio to areas from runs"], rows)


def by_runs(submission: Labels, truth: Labels) -> float:
    """Like the program: without drawing a pixel."""
    graded = grade(submission, truth)
    return sum(each.dice for each in graded) / len(graded)


def by_pixels(submission: Labels, truth: Labels) -> float:
    """Like the training program for its predictions: with boolean masks."""
    values = [dice(union(submission[each], SIZE, SIZE), union(codes, SIZE, SIZE)) for each, codes in truth.items()]
    return sum(values) / len(values)


def officially(submission: Labels, truth: Labels) -> float:
    """With the competition's own decoder."""
    total = 0.0
    for image_id, codes in truth.items():
        predicted, true = drawn(submission[image_id]), drawn(codes)
        both = predicted.sum() + true.sum()
        total += 2 * (predicted & true).sum() / both if both else 1.0
    return float(total / len(truth))


def drawn(codes: Sequence[str]) -> np.ndarray[tuple[int, int], np.dtype[np.bool_]]:
    """The union (SIZE, SIZE) of masks that are drawn one by one."""
    mask = np.zeros((SIZE, SIZE), bool)
    for code in codes:
        mask |= rle_to_mask(code, SIZE, SIZE) > 0
    return mask


def stand_in(folder: Path) -> list[Path]:
    """A submission and its truth, made from the real labels."""
    labels = read_labels(wheel_labels())
    ids = sorted(labels)[:IMAGES]
    truth = [[image_id, code] for image_id in ids for code in labels[image_id] or ["-1"]]
    moved = zip(ids, [*ids[1:], ids[0]], strict=True)
    submission = [[image_id, code] for image_id, other in moved for code in labels[other] or ["-1"]]
    files = [folder / "submission.csv", folder / "truth.csv"]
    for file, rows in zip(files, (submission, truth), strict=True):
        with file.open("w", newline="") as text:
            csv.writer(text).writerows([["ImageId", "EncodedPixels"], *rows])
    return files


if __name__ == "__main__":
    main()
