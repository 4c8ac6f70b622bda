"""Random transformations of training images."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, strategies as st

from model_src.data.augment import Preset, augment
from model_src.data.dataset import target


@pytest.mark.parametrize(("preset", "most"), [("little", 1.0), ("more", 1.3), ("strong", 2.0)])
def test_augmentation_moves_picture_and_masks_together(preset: Preset, most: float) -> None:
    """A bright square and its mask move together; there is a change; the same seed gives the same change."""
    picture, masks = square()
    changed = False
    for seed in range(20):
        moved, moved_masks = augment(picture, masks, preset, np.random.default_rng(seed))
        inside, outside = moved[moved_masks[0]], moved[~moved_masks[0]]
        assert inside.mean() > outside.mean() + 60
        assert 0.9 / most < moved_masks.sum() / masks.sum() < 1.1 * most
        changed |= not np.array_equal(moved_masks, masks)
        again, _ = augment(picture, masks, preset, np.random.default_rng(seed))
        assert np.array_equal(moved, again)
    assert changed


def test_strong_augmentation_turns_bends_and_changes_gamma() -> None:
    """A bar in the middle turns by more than 30 degrees, its edges are not straight, and grey values change."""
    masks = np.zeros((1, 128, 128), bool)
    masks[0, 60:68, 24:104] = True
    picture = np.where(masks[0], 200, 100).astype(np.uint8)
    angles, residues, greys = [], [], []
    for seed in range(30):
        moved, (mask,) = augment(picture, masks, "strong", np.random.default_rng(seed))
        rows, columns = np.nonzero(mask)
        slope, start = np.polyfit(columns, rows, 1)
        angles.append(abs(np.degrees(np.arctan(slope))))
        middle = [rows[columns == column].mean() for column in np.unique(columns)]
        residues.append(np.std(middle - (slope * np.unique(columns) + start)))
        greys.append(np.median(moved[mask]))
    assert max(angles) > 30
    assert min(residues) > 0.3
    assert max(greys) - min(greys) > 40


def test_no_augmentation_and_healthy_pictures() -> None:
    """The preset "none" changes nothing; images without masks can be augmented too."""
    picture, masks = square()
    same, same_masks = augment(picture, masks, "none", np.random.default_rng(0))
    assert np.array_equal(same, picture)
    assert np.array_equal(same_masks, masks)
    _, none = augment(picture, masks[:0], "more", np.random.default_rng(0))
    assert none.shape == (0, 64, 64)


rectangles = st.tuples(*[st.integers(0, 31)] * 2, *[st.integers(1, 32)] * 2)


@given(
    st.lists(rectangles, max_size=4),
    st.sampled_from(["none", "little", "more", "strong"]),
    st.integers(0, 2**31),
    st.integers(),
)
def test_boxes_are_those_of_the_masks(
    areas: list[tuple[int, int, int, int]], preset: Preset, seed: int, index: int
) -> None:
    """Transformed masks, also at the border and of one pixel, have tight boxes.

    A mask that leaves the image has no box and no label; every box has an area and is inside the image.
    """
    masks = np.zeros((len(areas), 32, 32), bool)
    for mask, (row, column, height, width) in zip(masks, areas, strict=True):
        mask[row : row + height, column : column + width] = True
    picture, moved = augment(np.full((32, 32), 90, np.uint8), masks, preset, np.random.default_rng(seed))
    assert (picture.shape, moved.shape) == ((32, 32), masks.shape)
    assert (str(picture.dtype), str(moved.dtype)) == ("uint8", "bool")
    each = target(moved, index % 2**31)
    left = [mask for mask in moved if mask.any()]
    assert len(each["boxes"]) == len(each["labels"]) == len(each["masks"]) == len(left)
    for (x1, y1, x2, y2), mask, expected in zip(each["boxes"].tolist(), each["masks"].numpy(), left, strict=True):
        assert np.array_equal(mask, expected)
        rows, columns = np.nonzero(expected)
        assert (x1, y1, x2, y2) == (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
        assert 0 <= x1 < x2 <= 32
        assert 0 <= y1 < y2 <= 32


def test_a_mask_that_is_moved_out_is_dropped() -> None:
    """A pixel in the corner leaves the image for some seeds; a mask in the middle never does."""
    masks = np.zeros((2, 64, 64), bool)
    masks[0, 0, 0] = masks[1, 28:36, 28:36] = True
    picture = np.zeros((64, 64), np.uint8)
    left = [
        len(target(augment(picture, masks, "more", np.random.default_rng(seed))[1], 0)["boxes"]) for seed in range(40)
    ]
    assert set(left) == {1, 2}


def square() -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.bool_]]:
    """A bright square outside the centre, and its mask."""
    masks = np.zeros((1, 64, 64), bool)
    masks[0, 20:36, 8:24] = True
    return np.where(masks[0], 200, 50).astype(np.uint8), masks
