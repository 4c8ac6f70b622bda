"""Folds: grouped by image and patient, balanced, reproducible."""

from __future__ import annotations

import csv
import gzip
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import given, strategies as st

from model_src.config import Config, FoldsConfig
from model_src.data.folds import (
    FOLDS_HEADER,
    HOLDOUT,
    LabelledImage,
    assign_folds,
    choose_holdout,
    fold_rows,
    holdout_positions,
    make_folds,
    train_and_validation,
    without_placeholders,
)
from model_src.data.load import Data
from model_src.data.rle import area, parse, unite
from model_src.files import write_csv
from tests.model_src.labelled import made_up


@pytest.fixture(scope="module")
def real_images(real_codes: Mapping[str, tuple[str, ...]]) -> list[LabelledImage]:
    """The competition's 12 047 images with their areas."""
    return [LabelledImage(image_id, area(unite(list(map(parse, codes))))) for image_id, codes in real_codes.items()]


def spread(fold_of: dict[str, int], images: Iterable[LabelledImage], n: int) -> int:
    """The difference between the folds with most and with fewest of these images."""
    counts = Counter(fold_of[each.image_id] for each in images)
    sizes = [counts[fold] for fold in range(n)]
    return max(sizes) - min(sizes)


def test_no_image_straddles_on_the_real_file(real_labels: Path, real_images: list[LabelledImage]) -> None:
    """All rows of an image are in one fold."""
    fold_of = assign_folds(real_images, n=5, seed=0, area_bins=5)
    folds_of_rows: dict[str, set[int]] = {}
    with gzip.open(real_labels, "rt") as file:
        for row in list(csv.reader(file))[1:]:
            folds_of_rows.setdefault(row[0], set()).add(fold_of[row[0].strip()])
    assert len(folds_of_rows) == 12047
    assert all(len(folds) == 1 for folds in folds_of_rows.values())


@pytest.mark.parametrize(("n", "tolerance"), [(2, 0.05), (5, 0.1), (10, 0.15)])
def test_presence_and_area_are_balanced_on_the_real_file(
    real_images: list[LabelledImage], n: int, tolerance: float
) -> None:
    """Sizes and positives differ by one image at most, deciles of the area by three, mean areas by a few percent.

    Without strata of areas the largest mean is up to 1.07, 1.23 and 1.41 times the smallest.
    """
    fold_of = assign_folds(real_images, n=n, seed=0, area_bins=10)
    positives = sorted((each for each in real_images if each.area), key=lambda each: each.area)
    assert len(positives) == 2669
    assert spread(fold_of, real_images, n) <= 1
    assert spread(fold_of, positives, n) <= 1
    # One per stratum; the deciles of the test differ a little, because images of equal area have no order.
    for tenth in range(10):
        first, last = (len(positives) * (tenth + end) // 10 for end in (0, 1))
        assert spread(fold_of, positives[first:last], n) <= 3
    means = [np.mean([each.area for each in positives if fold_of[each.image_id] == fold]) for fold in range(n)]
    assert max(means) / min(means) < 1 + tolerance


@given(
    st.dictionaries(st.text(max_size=5), st.integers(0, 3), min_size=1),
    st.integers(2, 6),
    st.integers(0, 9),
    st.integers(1, 4),
)
def test_shares_are_fair(areas: dict[str, int], n: int, seed: int, area_bins: int) -> None:
    """For any images of different patients: all have a fold, sizes and positives differ by one at most."""
    images = [LabelledImage(image_id, area) for image_id, area in areas.items()]
    fold_of = assign_folds(images, n=n, seed=seed, area_bins=area_bins)
    assert fold_of.keys() == areas.keys()
    assert spread(fold_of, images, n) <= 1
    assert spread(fold_of, [each for each in images if each.area], n) <= 1


@given(
    st.dictionaries(st.text(max_size=4), st.tuples(st.integers(0, 3), st.sampled_from(["", "p", "q", "r", "s"]))),
    st.integers(2, 4),
    st.randoms(use_true_random=False),
)
def test_no_patient_straddles(facts: dict[str, tuple[int, str]], n: int, random: Random) -> None:
    """For any images and patients, in any order: one fold per patient."""
    images = [LabelledImage(image_id, area, patient) for image_id, (area, patient) in facts.items()]
    fold_of = assign_folds(images, n=n, seed=0, area_bins=3)
    assert fold_of.keys() == facts.keys()
    for patient in "pqrs":
        assert len({fold_of[each.image_id] for each in images if each.patient == patient}) <= 1
    random.shuffle(images)
    assert assign_folds(images, n=n, seed=0, area_bins=3) == fold_of


def patients(rng: np.random.Generator, count: int) -> list[LabelledImage]:
    """Images of `count` patients with 1 to 6 images each; masks are correlated within a patient."""
    images = []
    for patient in range(count):
        is_ill = rng.random() < 0.3
        for number in range(rng.integers(1, 7)):
            covered = int(rng.gamma(1, 8000)) + 1 if is_ill and rng.random() < 0.7 else 0
            images.append(LabelledImage(f"{patient}.{number}", covered, f"patient{patient}"))
    return images


@pytest.mark.parametrize("seed", range(5))
def test_patients_are_kept_together(seed: int) -> None:
    """One fold per patient; sizes and positives are equal within 2 %, strata within three images."""
    images = patients(np.random.default_rng(seed), 500)
    fold_of = assign_folds(images, n=5, seed=seed, area_bins=4)
    folds_of: dict[str, set[int]] = {}
    for each in images:
        folds_of.setdefault(each.patient, set()).add(fold_of[each.image_id])
    assert all(len(folds) == 1 for folds in folds_of.values())
    positives = sorted((each for each in images if each.area), key=lambda each: each.area)
    assert spread(fold_of, images, 5) <= 0.02 * len(images) / 5 + 1
    assert spread(fold_of, positives, 5) <= 0.02 * len(positives) / 5 + 1
    for quarter in range(4):
        part = positives[len(positives) * quarter // 4 : len(positives) * (quarter + 1) // 4]
        assert spread(fold_of, part, 5) <= 3


def test_same_on_every_machine_and_in_every_order() -> None:
    """The folds are a part of results, so the test has their values; they depend on the seed, not on the order."""
    images = [LabelledImage(f"image{number}", number % 3 * 100 + number % 2, f"{number // 2}") for number in range(18)]
    fold_of = assign_folds(images, n=3, seed=0, area_bins=2)
    assert "".join(str(fold_of[f"image{number}"]) for number in range(18)) == "221111110000002222"
    assert assign_folds(images[::-1], n=3, seed=0, area_bins=2) == fold_of
    assert assign_folds(images, n=3, seed=1, area_bins=2) != fold_of


def test_extra_pictures_are_trained_on_and_never_validated() -> None:
    """They are in no fold; images of a validated patient are not trained on in that fold."""
    data = made_up(
        [("a", "0 3", "p"), ("b", "", "q"), ("c", "1 5", "r"), ("d", "", "s"), ("x", "2 2", "p"), ("y", "", "")],
        extra=2,
    )
    fold_of = make_folds(Config(folds=FoldsConfig(n=2)), data)
    assert fold_of.keys() == {"a", "b", "c", "d"}
    for fold in (0, 1):
        train, validation = train_and_validation(data, fold_of, fold)
        assert [data.train.ids[index] for index in validation] == [each for each in "abcd" if fold_of[each] == fold]
        assert not set(train) & set(validation)
        trained = {data.train.ids[index] for index in train}
        assert "y" in trained
        assert ("x" in trained) == (fold_of["a"] != fold)
    rows = list(fold_rows(data, fold_of))
    assert rows[0] == ("a", fold_of["a"], "p", 1, 3)
    assert rows[4:] == [("x", "", "p", 1, 2), ("y", "", "", 0, 0)]


def test_folds_have_a_seed_of_their_own() -> None:
    """If folds.seed is set, runs with other seeds have the same folds and the same holdout."""
    data = made_up(
        [(f"{number:02}", f"{number} 3" if number % 2 else "", f"p{number}") for number in range(24)], extra=0
    )

    def folds(run: int, own: int | None) -> dict[str, int]:
        return make_folds(Config(seed=run, folds=FoldsConfig(n=3, holdout=0.25, seed=own)), data)

    assert folds(0, None) == folds(5, 0) == folds(6, 0)
    assert folds(0, None) != folds(5, None) == folds(0, 5)


@pytest.mark.parametrize("share", [0.02, 0.1, 0.25, 0.5])
def test_holdout_is_a_fair_share_of_the_real_file(real_images: list[LabelledImage], share: float) -> None:
    """Its size and its positives differ from the share by half an image, deciles of the area by two at most."""
    held = set(choose_holdout(real_images, share=share, seed=0, area_bins=10))
    positives = sorted((each for each in real_images if each.area), key=lambda each: each.area)
    assert abs(len(held) - share * len(real_images)) <= 0.5 + 1e-6
    assert abs(sum(each.image_id in held for each in positives) - share * len(positives)) <= 0.5 + 1e-6
    for tenth in range(10):
        first, last = (len(positives) * (tenth + end) // 10 for end in (0, 1))
        part = positives[first:last]
        # One per stratum; the deciles of the test differ a little, because images of equal area have no order.
        assert abs(sum(each.image_id in held for each in part) - share * len(part)) <= 2


@given(
    st.dictionaries(st.text(max_size=4), st.tuples(st.integers(0, 3), st.sampled_from(["", "p", "q", "r", "s"]))),
    st.floats(0, 0.9),
    st.randoms(use_true_random=False),
)
def test_holdout_keeps_patients_together(facts: dict[str, tuple[int, str]], share: float, random: Random) -> None:
    """For any images and patients, in any order: all images of a patient or none; none without a share."""
    images = [LabelledImage(image_id, area, patient) for image_id, (area, patient) in facts.items()]
    held = choose_holdout(images, share=share, seed=0, area_bins=3)
    assert len(set(held)) == len(held)
    for patient in "pqrs":
        of_patient = {each.image_id for each in images if each.patient == patient}
        assert len(of_patient & set(held)) in (0, len(of_patient))
    random.shuffle(images)
    assert choose_holdout(images, share=share, seed=0, area_bins=3) == held
    assert choose_holdout(images, share=0.0, seed=0, area_bins=3) == []


@pytest.mark.parametrize("seed", range(3))
def test_holdout_of_patients_is_fair(seed: int) -> None:
    """With one to six images per patient, images and positives differ by at most three from the share."""
    images = patients(np.random.default_rng(seed), 500)
    held = set(choose_holdout(images, share=0.2, seed=seed, area_bins=4))
    assert abs(len(held) - 0.2 * len(images)) <= 3
    positives = [each for each in images if each.area]
    assert abs(sum(each.image_id in held for each in positives) - 0.2 * len(positives)) <= 3
    assert held != set(choose_holdout(images, share=0.2, seed=seed + 1, area_bins=4))


def test_nobody_sees_the_holdout() -> None:
    """No fold trains on it or validates it, or trains on extra images of its patients; folds.csv marks it."""
    images = [(f"{number:02}", f"{number} 3" if number % 2 else "", f"p{number // 2}") for number in range(24)]
    data = made_up(
        [*images, *(("x" + patient, "", patient) for patient in ("", *(f"p{n}" for n in range(12))))], extra=13
    )
    config = Config(folds=FoldsConfig(n=2, holdout=0.25))
    fold_of = make_folds(config, data)
    held = {data.train.ids[index] for index in holdout_positions(data, fold_of)}
    whose = {patient for image_id, _, patient in images if image_id in held}
    assert held == {image_id for image_id, _, patient in images if patient in whose}
    assert (len(held), len(whose)) == (6, 3)
    seen: list[str] = []
    for fold in (0, 1):
        train, validation = (
            [data.train.ids[index] for index in part] for part in train_and_validation(data, fold_of, fold)
        )
        assert not held & {*train, *validation}
        assert not {f"x{patient}" for patient in whose} & set(train)
        assert "x" in train
        assert len([each for each in train if each[0] != "x"]) + len(validation) == 18
        seen += validation
    assert sorted([*seen, *held]) == [image_id for image_id, *_ in images]
    marked = {row[0] for row in fold_rows(data, fold_of) if row[1] == "holdout"}
    assert marked == held
    assert {row[1] for row in fold_rows(data, fold_of) if row[0] not in held} == {0, 1, ""}
    assert HOLDOUT not in make_folds(Config(folds=FoldsConfig(n=2)), data).values()


def of_patients(sizes: list[int], *, positive: float = 0.3) -> Data:
    """Images of patients with these numbers of images; this share of each patient's has a mask."""
    return made_up(
        [
            (f"{patient}.{number}", "0 3" if number < max(1, positive * size) else "", f"p{patient}")
            for patient, size in enumerate(sizes)
            for number in range(size)
        ],
        extra=0,
    )


@pytest.mark.parametrize(
    ("sizes", "n", "holdout"),
    [([9, 8, 8, 8, 7], 5, 0.0), ([20, *[1] * 80], 5, 0.1), ([30, *[1] * 50], 2, 0.3), ([40, 30, 20, 10], 3, 0.0)],
)
def test_patients_with_more_images_than_a_fold_stay_whole(sizes: list[int], n: int, holdout: float) -> None:
    """For every seed each patient is in one fold or in the holdout, also one with more than 1/n of the images."""
    data = of_patients(sizes)
    for seed in range(8):
        fold_of = make_folds(Config(seed=seed, folds=FoldsConfig(n=n, holdout=holdout)), data)
        for patient in range(len(sizes)):
            assert len({fold for image, fold in fold_of.items() if image.startswith(f"{patient}.")}) == 1
        assert set(fold_of.values()) - {HOLDOUT} == set(range(n))


@pytest.mark.parametrize(
    ("sizes", "settings", "message"),
    [
        (
            [4, 4, 4],
            {"n": 5},
            r"folds\.n is 5, but the images are of 3 patients.*folds\.n to at most 3.*placeholder_share",
        ),
        (
            [1] * 6,
            {"n": 5, "holdout": 0.4},
            r"folds\.n is 5, but .* of 4 patients, without the holdout.*folds\.holdout",
        ),
        ([40], {"n": 2, "placeholder_share": 1.0}, r"folds\.n is 2, but the images are of 1 patient,"),
    ],
)
def test_too_few_patients_are_refused(sizes: list[int], settings: dict[str, Any], message: str) -> None:
    """Instead of a patient in two folds, or of a fold without an image: the error says what can be changed."""
    config = Config(folds=FoldsConfig(**settings))
    with pytest.raises(ValueError, match=message):
        make_folds(config, without_placeholders(of_patients(sizes), config, lambda _: None))


def test_what_was_decided_about_patients_is_said() -> None:
    """Once, on all images: a PatientID of more than half of the images is no patient, in extra images neither."""
    images = [(f"{number:02}", "0 3" if number % 2 else "", "ANON" if number < 12 else "p") for number in range(20)]
    data = made_up([*images, ("x", "", "ANON"), ("y", "", "p")], extra=2)
    said: list[str] = []
    known = without_placeholders(data, Config(folds=FoldsConfig(n=4, holdout=0.2)), said.append)
    assert said == [
        "12 of 20 images have the same PatientID, more than folds.placeholder_share of 0.5: taken for a placeholder, "
        "so each of these images counts as a patient of its own; set the share to 1 if they are of one patient",
        "20 images of 13 patients are divided into folds",
    ]
    assert known.train.patients == (*[""] * 12, *["p"] * 8, "", "p")
    said.clear()
    kept = without_placeholders(data, Config(folds=FoldsConfig(n=2, placeholder_share=0.6)), said.append)
    assert kept.train.patients == data.train.patients
    assert said == ["20 images of 2 patients are divided into folds"]
    none = without_placeholders(data, Config(folds=FoldsConfig(n=2, placeholder_share=0.0)), said.append)
    assert set(none.train.patients) == {""}


def test_extra_pictures_with_a_placeholder_are_trained_on() -> None:
    """The same placeholder does not make them images of the validated patient."""
    images = [(f"{number}", "0 3" if number % 2 else "", "ANON") for number in range(8)]
    config = Config(folds=FoldsConfig(n=2))
    data = without_placeholders(made_up([*images, ("x", "", "ANON")], extra=1), config, lambda _: None)
    fold_of = make_folds(config, data)
    assert [8 in train_and_validation(data, fold_of, fold)[0] for fold in (0, 1)] == [True, True]


def test_holdout_without_a_mask_is_refused() -> None:
    """A share of too few images is an error."""
    data = made_up([(f"{number}", "0 3" if number < 3 else "", "") for number in range(20)], extra=0)
    with pytest.raises(ValueError, match=r"folds\.holdout of 0\.1 takes 2 of 20 images and none with a mask; use a"):
        make_folds(Config(folds=FoldsConfig(n=2, holdout=0.1)), data)


def test_folds_csv_byte_by_byte(tmp_path: Path) -> None:
    """A fold, the holdout, and an extra image, which has no fold."""
    data = made_up([("a", "0 3", "p"), ("b", "", ""), ("x", "2 2", "p")], extra=1)
    write_csv(tmp_path / "folds.csv", FOLDS_HEADER, fold_rows(data, {"a": 1, "b": HOLDOUT}))
    expected = b"ImageId,fold,patient,positive,area\na,1,p,1,3\nb,holdout,,0,0\nx,,p,1,2\n"
    assert (tmp_path / "folds.csv").read_bytes() == expected
