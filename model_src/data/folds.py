"""Which image is validated in which fold.

The unit is the patient with all images, where the header says whose they are, and otherwise the image with all its
rows: none is on both sides. Strata are the images without a mask, and those with one by the area of their masks, in
quantiles. The units are dealt one by one, each to the fold that has least of what it holds, in the order of a digest of
seed and ImageId: the same on every machine, whatever its library versions, and independent of the file's order.
A holdout, which is in no fold, is taken from the same units in the same order before.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from ..config import Config
from .load import Data

FOLDS_HEADER = ("ImageId", "fold", "patient", "positive", "area")
HOLDOUT = -1
"""In place of a fold: trained on and validated by none."""


@dataclass(frozen=True)
class Labelled:
    """What the folds depend on."""

    image_id: str
    area: int
    """Pixels with a mask; 0 = none."""
    patient: str = ""
    """The same for all images of one patient; empty = not known."""


def assign_folds(images: Sequence[Labelled], *, n: int, seed: int, area_bins: int) -> dict[str, int]:
    """The fold of each ImageId, 0 to n - 1.

    With one image a patient, the sizes of the folds differ by one at most, and so do the numbers of positive images
    and of images in each of the `area_bins` quantiles. Patients with several images are dealt first, the largest
    first, and the others make up for what they leave uneven. A patient with more than an n-th of all images is taken
    for a placeholder such as "anonymous", and the images for those of as many patients.
    """
    units, stratum = _units(images, n=n, seed=seed, area_bins=area_bins)
    totals = Counter(stratum.values())
    dealt: list[Counter[int]] = [Counter() for _ in range(n)]
    fold_of: dict[str, int] = {}
    for unit in units:
        held = Counter(stratum[each.image_id] for each in unit)

        def crowd(fold: int, held: Counter[int] = held) -> tuple[float, int, int, int]:
            counts = dealt[fold]
            likeness = sum(counts[kind] * number / totals[kind] for kind, number in sorted(held.items()))
            positives = sum(number for kind, number in counts.items() if kind) if max(held) else 0
            return likeness, positives, counts.total(), fold

        fold = min(range(n), key=crowd)
        dealt[fold] += held
        fold_of |= {each.image_id: fold for each in unit}
    return fold_of


def hold_out(images: Sequence[Labelled], *, share: float, n: int, seed: int, area_bins: int) -> list[str]:
    """The ImageIds of a `share` of the images that are kept apart from the `n` folds.

    With one image a patient, the holdout's size differs from its share by half an image, and so does its number of
    positive images, and of images in each quantile by one at most. Units are those of `assign_folds`: a systematic
    sample of them, in their order (Cochran, "Sampling Techniques", chapter 8).
    """
    held: list[str] = []
    # How many there should be so far less how many there are, of the images with a mask and of all.
    lacking = {True: 0.0, False: 0.0}
    for unit in _units(images, n=n, seed=seed, area_bins=area_bins)[0]:
        sizes = {True: sum(each.area > 0 for each in unit), False: len(unit)}
        lacking = {kind: lacking[kind] + share * size for kind, size in sizes.items()}
        is_positive = sizes[True] > 0
        if lacking[is_positive] >= sizes[is_positive] / 2:
            held += [each.image_id for each in unit]
            lacking = {kind: lacking[kind] - size for kind, size in sizes.items()}
    return held


def _units(
    images: Sequence[Labelled], *, n: int, seed: int, area_bins: int
) -> tuple[list[list[Labelled]], dict[str, int]]:
    """What is dealt as one, in the order in which it is, and the stratum of each ImageId."""
    order = {each.image_id: hashlib.sha256(f"{seed}/{each.image_id}".encode()).digest() for each in images}
    stratum = _strata(images, order, area_bins)
    units: dict[str, list[Labelled]] = {}
    sizes = Counter(each.patient for each in images)
    for each in sorted(images, key=lambda each: order[each.image_id]):
        is_known = each.patient and sizes[each.patient] * n <= len(images)
        units.setdefault(f"patient {each.patient}" if is_known else f"image {each.image_id}", []).append(each)
    # Sorting is stable: among equals the digest decides, which is the order in which they stand. Strata from the
    # largest areas down to none, so that the many negatives come last and even out the sizes.
    dealing = sorted(units.values(), key=lambda unit: (-len(unit), -max(stratum[each.image_id] for each in unit)))
    return dealing, stratum


def _strata(images: Sequence[Labelled], order: dict[str, bytes], area_bins: int) -> dict[str, int]:
    """0 for an image without a mask; for the others 1 to `area_bins` by the area's rank, in groups of one size."""
    positives = sorted((each for each in images if each.area), key=lambda each: (each.area, order[each.image_id]))
    strata = {each.image_id: 0 for each in images}
    for rank, each in enumerate(positives):
        strata[each.image_id] = 1 + rank * area_bins // len(positives)
    return strata


def make_folds(config: Config, data: Data) -> dict[str, int]:
    """The fold of each training picture by its ImageId, or HOLDOUT; extra pictures are in none.

    Raises ValueError when a holdout is asked for that no picture with a mask would be in.
    """
    images = [Labelled(data.train.ids[index], data.area(index), data.train.patients[index]) for index in data.validated]
    n, share, area_bins = config.folds.n, config.folds.holdout, config.folds.area_bins
    seed = config.seed if config.folds.seed is None else config.folds.seed
    held = dict.fromkeys(hold_out(images, share=share, n=n, seed=seed, area_bins=area_bins), HOLDOUT)
    if share and not any(each.area for each in images if each.image_id in held):
        raise ValueError(
            f"folds.holdout of {share:g} takes {len(held)} of {len(images)} pictures and none with a mask; "
            "use a larger share or more pictures"
        )
    left = [each for each in images if each.image_id not in held]
    return assign_folds(left, n=n, seed=seed, area_bins=area_bins) | held


def held_out(data: Data, fold_of: Mapping[str, int]) -> list[int]:
    """Positions of the pictures that are in no fold."""
    return [index for index in data.validated if fold_of[data.train.ids[index]] == HOLDOUT]


def train_and_validation(data: Data, fold_of: Mapping[str, int], fold: int) -> tuple[list[int], list[int]]:
    """Positions of the pictures that a fold trains on, and of those that it validates.

    An extra picture of a patient who is validated or held out is on neither side.
    """
    ids, patients = data.train.ids, data.train.patients
    validation = [index for index in data.validated if fold_of[ids[index]] == fold]
    unseen = {patients[index] for index in (*validation, *held_out(data, fold_of))} - {""}
    train = [index for index in data.validated if fold_of[ids[index]] not in (fold, HOLDOUT)]
    train += [index for index in range(len(data.validated), len(ids)) if patients[index] not in unseen]
    return train, validation


def fold_rows(data: Data, fold_of: Mapping[str, int]) -> Iterator[tuple[str, int | str, str, int, int]]:
    """One row of folds.csv a training picture, as FOLDS_HEADER names its values; extra ones have no fold."""
    for index, image_id in enumerate(data.train.ids):
        patient, covered = data.train.patients[index], data.area(index)
        fold = fold_of.get(image_id, "")
        yield image_id, "holdout" if fold == HOLDOUT else fold, patient, int(covered > 0), covered
