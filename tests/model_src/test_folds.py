"""Folds: whole images, fair shares, the same everywhere."""

from __future__ import annotations

import csv
import gzip
from collections import Counter
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from model_src.folds import assign_folds
from model_src.labels import read_labels


def test_no_image_straddles_on_the_real_file(real_labels: Path) -> None:
    """Every row of an image lands in one fold, and each fold has its share of images and of positives."""
    is_positive = {image_id: bool(codes) for image_id, codes in read_labels(real_labels).items()}
    fold_of = assign_folds(is_positive, n=5, seed=0)
    folds_of_rows: dict[str, set[int]] = {}
    with gzip.open(real_labels, "rt") as file:
        for row in list(csv.reader(file))[1:]:
            folds_of_rows.setdefault(row[0], set()).add(fold_of[row[0].strip()])
    assert all(len(folds) == 1 for folds in folds_of_rows.values())
    sizes = Counter(fold_of.values())
    positives = Counter(fold for image_id, fold in fold_of.items() if is_positive[image_id])
    assert sorted(sizes) == [0, 1, 2, 3, 4]
    assert max(sizes.values()) - min(sizes.values()) <= 1
    assert max(positives.values()) - min(positives.values()) <= 1


@given(st.dictionaries(st.text(max_size=5), st.booleans(), min_size=1), st.integers(2, 6), st.integers(0, 9))
def test_shares_are_fair(is_positive: dict[str, bool], n: int, seed: int) -> None:
    """For any images: all are dealt, sizes differ by one at most, positives by one at most."""
    fold_of = assign_folds(is_positive, n=n, seed=seed)
    assert fold_of.keys() == is_positive.keys()
    for group in (list(is_positive), [image_id for image_id, has_mask in is_positive.items() if has_mask]):
        counts = Counter(fold_of[image_id] for image_id in group)
        sizes = [counts[fold] for fold in range(n)]
        assert max(sizes) - min(sizes) <= 1


def test_same_on_every_machine_and_in_every_order() -> None:
    """The folds are part of a result, so they are pinned; the order of the file doesn't matter, the seed does."""
    is_positive = {f"image{number}": number % 3 == 0 for number in range(12)}
    fold_of = assign_folds(is_positive, n=3, seed=0)
    assert "".join(str(fold_of[f"image{number}"]) for number in range(12)) == "122221001010"
    assert assign_folds(dict(reversed(is_positive.items())), n=3, seed=0) == fold_of
    assert assign_folds(is_positive, n=3, seed=1) != fold_of
