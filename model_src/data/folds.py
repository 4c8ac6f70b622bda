"""Assigns images to folds: grouped by patient, stratified by the area of their masks.

A group is a patient with all images or, where the header has no PatientID, an image; a group is never divided between
training and validation. Which PatientIDs are placeholders is decided once, on all images, before anything is divided.
Strata are the images without a mask, and the quantiles of the mask area of the others. The groups are assigned one
after the other, each to the fold that has the smallest share of the group's strata so far. Their order follows from a
digest of the seed and the ImageId, so the folds do not depend on the machine, on library versions or on the order of
the file. A holdout, which is in no fold, is taken from the groups before.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from ..config import Config
from .load import Data

FOLDS_HEADER = ("ImageId", "fold", "patient", "positive", "area")
HOLDOUT = -1
"""The fold number of images that no fold trains on or validates."""


@dataclass(frozen=True)
class LabelledImage:
    """What the folds depend on, for one image."""

    image_id: str
    area: int
    """Pixels in the union of the masks; 0 = no mask."""
    patient: str = ""
    """Identifies the patient; empty = unknown."""


def assign_folds(images: Sequence[LabelledImage], *, n: int, seed: int, area_bins: int) -> dict[str, int]:
    """The fold of each ImageId, 0 to n - 1.

    With one image per patient, the sizes of the folds differ by one at most, and so do the numbers of positive images
    and of images in each of the `area_bins` quantiles. Patients with several images are assigned first, those with most
    images at the beginning; the other patients then balance the folds. A fold may have more than 1/n of the images,
    when a patient has; it is empty only when there are fewer patients than folds.
    """
    units, stratum = _units(images, seed=seed, area_bins=area_bins)
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


def choose_holdout(images: Sequence[LabelledImage], *, share: float, seed: int, area_bins: int) -> list[str]:
    """The ImageIds of a `share` of the images that are in none of the folds.

    With one image per patient, the number of images differs from the share by at most half an image, and so does the
    number of positive images; the number in each quantile differs by at most one. It is a systematic sample of the
    groups of `assign_folds`, in their order (Cochran, "Sampling Techniques", chapter 8).
    """
    held: list[str] = []
    # Number of images that the holdout should have so far minus the number it has: of positive images, and of all.
    lacking = {True: 0.0, False: 0.0}
    for unit in _units(images, seed=seed, area_bins=area_bins)[0]:
        sizes = {True: sum(each.area > 0 for each in unit), False: len(unit)}
        lacking = {kind: lacking[kind] + share * size for kind, size in sizes.items()}
        is_positive = sizes[True] > 0
        if lacking[is_positive] >= sizes[is_positive] / 2:
            held += [each.image_id for each in unit]
            lacking = {kind: lacking[kind] - size for kind, size in sizes.items()}
    return held


def _units(
    images: Sequence[LabelledImage], *, seed: int, area_bins: int
) -> tuple[list[list[LabelledImage]], dict[str, int]]:
    """The groups in the order in which they are assigned, and the stratum of each ImageId."""
    order = {each.image_id: hashlib.sha256(f"{seed}/{each.image_id}".encode()).digest() for each in images}
    stratum = _strata(images, order, area_bins)
    units: dict[str, list[LabelledImage]] = {}
    for each in sorted(images, key=lambda each: order[each.image_id]):
        units.setdefault(_group(each), []).append(each)
    # The sort is stable, so the digest decides between equal keys. Strata in descending order, so that the many images
    # without a mask come last and balance the sizes of the folds.
    dealing = sorted(units.values(), key=lambda unit: (-len(unit), -max(stratum[each.image_id] for each in unit)))
    return dealing, stratum


def _group(image: LabelledImage) -> str:
    """What is never divided: the patient or, if unknown, the image."""
    return f"patient {image.patient}" if image.patient else f"image {image.image_id}"


def _strata(images: Sequence[LabelledImage], order: dict[str, bytes], area_bins: int) -> dict[str, int]:
    """0 for an image without a mask; for the others 1 to `area_bins`, groups of equal size by the rank of the area."""
    positives = sorted((each for each in images if each.area), key=lambda each: (each.area, order[each.image_id]))
    strata = {each.image_id: 0 for each in images}
    for rank, each in enumerate(positives):
        strata[each.image_id] = 1 + rank * area_bins // len(positives)
    return strata


def without_placeholders(data: Data, config: Config, say: Callable[[str], None]) -> Data:
    """The same data, with an unknown patient where the PatientID is a placeholder; see `folds.placeholder_share`.

    Decided on all images that are divided into folds and holdout, once; `say` is called with what was decided.
    """
    images, share = _labelled(data), config.folds.placeholder_share
    sizes = Counter(each.patient for each in images if each.patient)
    placeholders = {patient for patient, size in sizes.items() if size > share * len(images)}
    affected = sum(sizes[patient] for patient in placeholders)
    if placeholders:
        same = "the same PatientID" if len(placeholders) == 1 else f"one of {len(placeholders)} PatientIDs"
        say(
            f"{affected} of {len(images)} images have {same}, more than folds.placeholder_share of {share:g}: taken "
            "for a placeholder, so each of these images counts as a patient of its own; set the share to 1 if they "
            "are of one patient"
        )
        known = tuple("" if patient in placeholders else patient for patient in data.train.patients)
        data = replace(data, train=replace(data.train, patients=known))
    groups = len({_group(each) for each in _labelled(data)})
    say(f"{len(images)} images of {groups} patients are divided into folds")
    return data


def _labelled(data: Data) -> list[LabelledImage]:
    """The images that are divided into folds and holdout."""
    return [
        LabelledImage(data.train.ids[index], data.area(index), data.train.patients[index]) for index in data.validated
    ]


def make_folds(config: Config, data: Data) -> dict[str, int]:
    """The fold of each labelled image, or HOLDOUT, by its ImageId; extra images have no entry.

    Raises ValueError when the holdout would have no image with a mask, or a fold no image.
    """
    images = _labelled(data)
    n, share, area_bins = config.folds.n, config.folds.holdout, config.folds.area_bins
    seed = config.seed if config.folds.seed is None else config.folds.seed
    held = dict.fromkeys(choose_holdout(images, share=share, seed=seed, area_bins=area_bins), HOLDOUT)
    if share and not any(each.area for each in images if each.image_id in held):
        raise ValueError(
            f"folds.holdout of {share:g} takes {len(held)} of {len(images)} images and none with a mask; "
            "use a larger share or more images"
        )
    left = [each for each in images if each.image_id not in held]
    groups = len({_group(each) for each in left})
    if groups < n:
        raise ValueError(
            f"folds.n is {n}, but the images are of {groups} patient{'s' * (groups != 1)}"
            f"{', without the holdout' * bool(held)}, and a patient is never in two folds; "
            + (f"set folds.n to at most {groups}, use " if groups > 1 else "use ")
            + f"images of more patients{' or a smaller folds.holdout' * bool(held)}, or, if PatientID does not tell "
            "patients apart here, set folds.placeholder_share to 0: then every image is a patient of its own"
        )
    return assign_folds(left, n=n, seed=seed, area_bins=area_bins) | held


def holdout_positions(data: Data, fold_of: Mapping[str, int]) -> list[int]:
    """Positions of the images in the holdout."""
    return [index for index in data.validated if fold_of[data.train.ids[index]] == HOLDOUT]


def train_and_validation(data: Data, fold_of: Mapping[str, int], fold: int) -> tuple[list[int], list[int]]:
    """Positions of the training images and of the validation images of a fold.

    An extra image of a patient who has images in the validation set or in the holdout is in neither.
    """
    ids, patients = data.train.ids, data.train.patients
    validation = [index for index in data.validated if fold_of[ids[index]] == fold]
    unseen = {patients[index] for index in (*validation, *holdout_positions(data, fold_of))} - {""}
    train = [index for index in data.validated if fold_of[ids[index]] not in (fold, HOLDOUT)]
    train += [index for index in range(len(data.validated), len(ids)) if patients[index] not in unseen]
    return train, validation


def fold_rows(data: Data, fold_of: Mapping[str, int]) -> Iterator[tuple[str, int | str, str, int, int]]:
    """The rows of folds.csv, one per labelled image, with the columns of FOLDS_HEADER; extra images have no fold."""
    for index, image_id in enumerate(data.train.ids):
        patient, covered = data.train.patients[index], data.area(index)
        fold = fold_of.get(image_id, "")
        yield image_id, "holdout" if fold == HOLDOUT else fold, patient, int(covered > 0), covered
