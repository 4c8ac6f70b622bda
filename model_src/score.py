"""The competition's metric for every image, the score of a submission, and how its loss is composed.

    python -m model_src.score SUBMISSION.csv TRUTH.csv[.gz] [--ids IDS.csv] [--json]

The metric is the mean over the images of the dice coefficient 2 |X and Y| / (|X| + |Y|), which is 1 where both masks
are empty. X is the predicted mask, Y the union of the true masks. There is no smoothing.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import sys
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from .data.labels import SIZE, read_ids, read_labels
from .data.rle import area, parse, unite
from .files import finite

NAMED = 3
"""How many ImageIds a message names."""


@dataclass(frozen=True)
class Scored:
    """The out-of-fold prediction of one image."""

    image_id: str
    fold: int
    dice: float
    truth_area: int
    """Pixels in the union of the true masks, in the original size of the image."""
    predicted_area: int
    """Pixels of the predicted mask."""
    top_score: float
    """The highest score of an instance; 0 without any."""
    encoded: str
    """The predicted mask, run-length encoded; -1 = empty."""


def dice(predicted: npt.NDArray[np.bool_], truth: npt.NDArray[np.bool_]) -> float:
    """The dice coefficient of two masks (height, width) of equal shape, from 0 to 1; 1 where both are empty."""
    # count_nonzero is ten times as fast as sum.
    total = np.count_nonzero(predicted) + np.count_nonzero(truth)
    return 2 * int(np.count_nonzero(predicted & truth)) / int(total) if total else 1.0


def mean_dice(scored: Sequence[Scored]) -> float:
    """The mean dice; NaN without any image."""
    return statistics.fmean(each.dice for each in scored) if scored else math.nan


def all_empty(scored: Sequence[Scored]) -> float:
    """The mean dice of empty masks: the share of images without a true mask."""
    return statistics.fmean(each.truth_area == 0 for each in scored)


def with_presence(each: Scored, threshold: float) -> float:
    """The dice of an image whose mask is emptied when its top score is below the threshold."""
    return each.dice if each.top_score >= threshold else float(each.truth_area == 0)


def choose_presence(scored: Sequence[Scored]) -> tuple[float, float]:
    """The threshold of the top score, below which a mask is emptied, with the best mean dice; and that mean.

    Every top score is tried, in one pass over the sorted images. The mean is biased upwards, because the threshold is
    chosen on the same images.
    """
    order = sorted(scored, key=lambda each: each.top_score)
    best_threshold, best_total = 0.0, sum(each.dice for each in order)
    total = best_total
    for blanked, following in zip(order, [*order[1:], None], strict=True):
        total += float(blanked.truth_area == 0) - blanked.dice
        # Images with equal scores are emptied together; a threshold above all of them is never chosen.
        if following is not None and following.top_score > blanked.top_score and total > best_total:
            best_threshold, best_total = following.top_score, total
    return best_threshold, best_total / len(order)


class Graded(Protocol):
    """An image with its dice and areas; `Scored` and `ImageScore` have this form."""

    @property
    def image_id(self) -> str: ...
    @property
    def dice(self) -> float: ...
    @property
    def truth_area(self) -> int: ...
    @property
    def predicted_area(self) -> int: ...


@dataclass(frozen=True)
class ImageScore:
    """The score of one image of a submission."""

    image_id: str
    dice: float
    truth_area: int
    """Pixels in the union of the true masks."""
    predicted_area: int
    """Pixels in the union of the predicted masks."""


@dataclass(frozen=True)
class Part:
    """The images with one kind of error, and their part of the loss."""

    images: int
    loss: float
    """The sum of 1 - dice of these images, divided by the number of all images."""
    ids: tuple[str, ...]
    """ImageIds with a dice below 1, the lowest dice first."""


@dataclass(frozen=True)
class LossSplit:
    """The loss 1 - S by kind of error; the sum of the four losses is 1 - S."""

    false_positive: Part
    """A predicted mask and no true mask."""
    missed: Part
    """A true mask and no predicted mask."""
    disjoint: Part
    """Both masks, without a common pixel."""
    partial: Part
    """Both masks, with common pixels."""


@dataclass(frozen=True)
class SubmissionScore:
    """The score of a submission; a mean over no images is NaN."""

    images: int
    dice: float
    positives: int
    dice_positive: float
    """Over the images with a true mask."""
    empties: int
    dice_empty: float
    """Over the images without a true mask."""
    all_empty: float
    """The score of a submission with empty masks only."""
    split: LossSplit


def grade(
    submission: Mapping[str, Sequence[str]],
    truth: Mapping[str, Sequence[str]],
    *,
    ids: Collection[str] | None = None,
    shape: tuple[int, int] = (SIZE, SIZE),
) -> list[ImageScore]:
    """The dice of every image, from its run-length encoded masks; several masks of one image are united.

    All images have the same `shape` (height, width). `ids` are the images that the submission must have, no more and no
    fewer; None = those of the truth. Raises ValueError for missing images, for unexpected ones, and for a malformed
    code.
    """
    expected = truth.keys() if ids is None else set(ids)
    _refuse("the truth has no row for", expected - truth.keys())
    _refuse("the submission has no row for", expected - submission.keys())
    _refuse("the submission has rows that were not asked for:", submission.keys() - expected)
    pixels = shape[0] * shape[1]
    graded = []
    for image_id, codes in submission.items():
        predicted = [parse(each, pixels) for each in codes]
        true = [parse(each, pixels) for each in truth[image_id]]
        predicted_area, truth_area = area(unite(predicted)), area(unite(true))
        # |X and Y| = |X| + |Y| - |X or Y|: areas of runs are enough, so no mask is drawn.
        total = predicted_area + truth_area
        shared = total - area(unite([*predicted, *true]))
        graded.append(ImageScore(image_id, 2 * shared / total if total else 1.0, truth_area, predicted_area))
    return graded


def _refuse(what: str, ids: Collection[str]) -> None:
    """Raise ValueError when there are any."""
    if ids:
        some = ", ".join(sorted(ids)[:NAMED])
        raise ValueError(f"{what} {len(ids)} image{'s' * (len(ids) > 1)}: {some}{', ...' * (len(ids) > NAMED)}")


def split_loss(graded: Sequence[Graded]) -> LossSplit:
    """The loss 1 - S by kind of error; images without any mask have no loss and are in no part."""

    def part(chosen: Sequence[Graded]) -> Part:
        costly = sorted((each for each in chosen if each.dice < 1), key=lambda each: (each.dice, each.image_id))
        return Part(
            images=len(chosen),
            loss=math.fsum(1 - each.dice for each in chosen) / len(graded),
            ids=tuple(each.image_id for each in costly),
        )

    both = [each for each in graded if each.truth_area and each.predicted_area]
    return LossSplit(
        false_positive=part([each for each in graded if each.predicted_area and not each.truth_area]),
        missed=part([each for each in graded if each.truth_area and not each.predicted_area]),
        disjoint=part([each for each in both if not each.dice]),
        partial=part([each for each in both if each.dice]),
    )


def score(graded: Sequence[Graded]) -> SubmissionScore:
    """The score of all images and of its parts. Raises ValueError without any image."""
    if not graded:
        raise ValueError("there are no images to score")
    positives = [each.dice for each in graded if each.truth_area]
    empties = [each.dice for each in graded if not each.truth_area]
    return SubmissionScore(
        images=len(graded),
        dice=statistics.fmean(each.dice for each in graded),
        positives=len(positives),
        dice_positive=statistics.fmean(positives) if positives else math.nan,
        empties=len(empties),
        dice_empty=statistics.fmean(empties) if empties else math.nan,
        all_empty=len(empties) / len(graded),
        split=split_loss(graded),
    )


def competition_score(submission: Path, solution: Path, ids: Collection[str]) -> float:
    """The mean dice over `ids`, a part of the solution's images; the submission must have all images of the solution.

    This is the project's scorer (`[tool.coord] scorer`). Raises ValueError, with a description, for a submission that
    is malformed, lacks an image or has an unexpected one.
    """
    wanted = frozenset(ids)
    graded = grade(read_labels(submission, shape=(SIZE, SIZE)), read_labels(solution))
    return statistics.fmean(each.dice for each in graded if each.image_id in wanted)


def table(found: SubmissionScore) -> str:
    """The score as lines of text: value, number of images, what they are."""
    split = found.split
    lines = [
        ("dice", found.dice, found.images, "all images"),
        ("  positives", found.dice_positive, found.positives, "images with a true mask"),
        ("  empties", found.dice_empty, found.empties, "images without"),
        ("all-empty", found.all_empty, found.images, "what no mask at all would score"),
        ("1 - dice", 1 - found.dice, found.images, "lost, of which"),
        ("  false positive", split.false_positive.loss, split.false_positive.images, "a mask where there is none"),
        ("  missed", split.missed.loss, split.missed.images, "no mask where there is one"),
        ("  disjoint", split.disjoint.loss, split.disjoint.images, "masks that share no pixel"),
        ("  partial", split.partial.loss, split.partial.images, "masks that overlap"),
    ]
    return "\n".join(f"{name:<16}  {value:.6f}  {images:>6}  {text}" for name, value, images, text in lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line. An error is one line on standard error and the exit code 1."""
    parser = argparse.ArgumentParser(prog="python -m model_src.score", description="Score a submission.")
    parser.add_argument("submission", type=Path, help="ImageId,EncodedPixels; one row per image or one row per mask")
    parser.add_argument("truth", type=Path, help="the label file, .csv or .csv.gz")
    parser.add_argument("--ids", type=Path, help="score the ImageIds in this file's first column, not all of the truth")
    parser.add_argument("--size", type=int, default=SIZE, help="edge of the images in pixels (%(default)s)")
    parser.add_argument("--json", action="store_true", help="print JSON, with the ImageIds of each part of the loss")
    given = parser.parse_args(arguments)
    if given.size < 1:
        parser.error("--size must be at least 1")
    shape = (given.size, given.size)
    try:
        submission = read_labels(given.submission, shape=shape)
        truth = read_labels(given.truth, shape=shape)
        ids = read_ids(given.ids) if given.ids else None
        if ids is None and submission.keys() < truth.keys():
            missing = len(truth) - len(submission)
            raise ValueError(
                f"{given.truth} has {missing} images that {given.submission} lacks, such as "
                f"{min(truth.keys() - submission.keys())}; to score a part, name it with --ids"
            )
        found = score(grade(submission, truth, ids=ids, shape=shape))
    except (OSError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(json.dumps(finite(asdict(found)), indent=2) if given.json else table(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
