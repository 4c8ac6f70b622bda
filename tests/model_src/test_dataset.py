"""What the detector is given: targets, sampling, augmentation, decoded pictures."""

from __future__ import annotations

import dataclasses
import itertools
import mmap
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import given, strategies as st
from PIL import Image

from model_src.augment import Preset, augment
from model_src.dataset import ChestXrays, scaled_masks, target
from model_src.labels import read_labels
from model_src.picture_cache import HEAD, PictureCache
from model_src.pictures import Pictures, find_dicoms, read_pictures
from model_src.rle import Mask, decode, encode, write
from model_src.sampling import epoch_order, ratio_at

from .conftest import PROJECT


@pytest.fixture(scope="module")
def pictures(sample_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Pictures:
    """The sample's training pictures, decoded."""
    files = find_dicoms(sample_data / "dicom-images-train").items()
    cache = PictureCache(tmp_path_factory.mktemp("cache"), limit=2**30)
    return read_pictures(files, cache=cache, image_size=64, unreadable="stop", threads=2)


def test_target_holds_all_instances_of_a_picture(sample_data: Path, pictures: Pictures) -> None:
    """As many boxes, labels and masks as the picture has rows, each box tight around its mask."""
    labels = read_labels(sample_data / "train-rle.csv")
    xrays = ChestXrays(pictures, labels, range(len(pictures.ids)))
    assert max(map(len, labels.values())) > 1
    for place, image_id in enumerate(pictures.ids):
        image, each = xrays[place]
        assert (image.shape, image.dtype) == ((1, 64, 64), torch.uint8)
        assert len(each["boxes"]) == len(each["labels"]) == len(each["masks"]) == len(labels[image_id])
        for (x1, y1, x2, y2), mask in zip(each["boxes"].int().tolist(), each["masks"], strict=True):
            inside = mask[y1:y2, x1:x2]
            assert inside.sum() == mask.sum()
            assert inside.any(0).all()
            assert inside[:, 0].any()
            assert inside[:, -1].any()


def test_target_without_instances() -> None:
    """A healthy picture has boxes of shape (0, 4), and masks that are gone leave no box behind."""
    for masks in (np.zeros((0, 8, 8), bool), np.zeros((2, 8, 8), bool)):
        each = target(masks, 5)
        assert each["boxes"].shape == (0, 4)
        assert each["masks"].shape == (0, 8, 8)
        assert each["labels"].shape == (0,)
        assert each["image_id"] == 5


def test_box_of_one_pixel_has_an_area() -> None:
    """The far edge counts, so no box is flat."""
    masks = np.zeros((1, 8, 8), bool)
    masks[0, 2, 3] = True
    assert target(masks, 0)["boxes"].tolist() == [[3, 2, 4, 3]]


def test_masks_shrink_with_the_picture() -> None:
    """At half the size a pixel counts when half of it is covered."""
    mask = np.zeros((8, 8), bool)
    mask[2:6, 2:5] = True
    small = scaled_masks([encode(mask)], (8, 8), 4)[0]
    assert np.argwhere(small).tolist() == [[1, 1], [1, 2], [2, 1], [2, 2]]


def scaled_as_a_whole(code: str, shape: tuple[int, int], size: int) -> Mask:
    """The plain way: all pixels drawn, all of them scaled."""
    whole = Image.fromarray(decode(code, *shape).astype(np.uint8) * 255)
    return np.asarray(whole.resize((size, size), Image.Resampling.BOX)) >= 128


@given(st.tuples(st.integers(1, 70), st.integers(1, 70)), st.sampled_from([32, 48]), st.data())
def test_scaling_a_part_is_scaling_the_whole(shape: tuple[int, int], size: int, data: st.DataObject) -> None:
    """Whatever the two sizes, and wherever the masks lie: what is left out while scaling was empty."""
    shape = data.draw(st.sampled_from([shape, (size, size), (2 * size, 2 * size)]))
    codes = [data.draw(st.sampled_from([rectangles_code, runs_code]))(shape, data) for _ in range(2)]
    expected = np.stack([scaled_as_a_whole(code, shape, size) for code in codes])
    scaled = scaled_masks(codes, shape, size)
    assert (str(scaled.dtype), scaled.shape) == ("bool", (2, size, size))
    assert np.array_equal(scaled, expected)


def rectangles_code(shape: tuple[int, int], data: st.DataObject) -> str:
    """Up to two rectangles, which may overlap."""
    mask = np.zeros(shape, bool)
    for _ in range(data.draw(st.integers(0, 2))):
        row, column = (data.draw(st.integers(0, edge - 1)) for edge in shape)
        mask[row : row + data.draw(st.integers(1, 70)), column : column + data.draw(st.integers(1, 70))] = True
    return encode(mask)


def runs_code(shape: tuple[int, int], data: st.DataObject) -> str:
    """Any runs: several in a column, some over many columns, some that touch."""
    edges = data.draw(st.lists(st.integers(0, shape[0] * shape[1]), max_size=8))
    pairs = [(begin, end) for begin, end in itertools.pairwise(sorted(edges)) if end > begin]
    pairs = pairs[:: data.draw(st.integers(1, 2))]
    return write(np.array(pairs, np.int64).reshape(-1))


@pytest.mark.parametrize("size", [1024, 512, 640])
def test_real_targets_are_those_of_whole_masks(real_labels: Path, size: int) -> None:
    """Masks of the competition, at the full size, half of it and one that does not divide it: every pixel and box."""
    positives = [codes for codes in read_labels(real_labels).values() if codes]
    for codes in positives[::90]:
        expected = np.stack([scaled_as_a_whole(code, (1024, 1024), size) for code in codes])
        each = target(scaled_masks(codes, (1024, 1024), size), 0)
        assert np.array_equal(each["masks"].numpy(), expected)
        places = [np.nonzero(mask) for mask in expected]
        boxes = [[columns.min(), rows.min(), columns.max() + 1, rows.max() + 1] for rows, columns in places]
        assert each["boxes"].tolist() == boxes


def test_kept_pictures_are_not_copied(sample_data: Path, pictures: Pictures) -> None:
    """A sample's picture lies in the mapped file, behind its head; writing to it leaves the file as it was."""
    xrays = ChestXrays(pictures, read_labels(sample_data / "train-rle.csv"), range(len(pictures.ids)))
    for place in range(len(xrays)):
        picture, _ = xrays[place]
        assert picture.data_ptr() % mmap.PAGESIZE == HEAD
        before = picture.clone()
        picture.fill_(7)
        assert torch.equal(xrays[place][0], before)


def test_pictures_that_are_not_kept_are_the_same(sample_data: Path, pictures: Pictures) -> None:
    """Decoded for each sample, mirrored or not, they are what the kept ones are, and can be written to."""
    labels = read_labels(sample_data / "train-rle.csv")
    unkept = dataclasses.replace(pictures, kept=(None,) * len(pictures.ids))
    presets: list[Preset] = ["none", "little", "more"]
    for preset in presets:
        here, there = (ChestXrays(each, labels, range(6), preset=preset, seeds=(1,)) for each in (pictures, unkept))
        for place in range(6):
            (picture, targets), (other, other_targets) = here[place], there[place]
            assert torch.equal(picture, other)
            assert all(torch.equal(targets[name], other_targets[name]) for name in targets)
            other.fill_(0)


@pytest.mark.parametrize("preset", ["little", "more"])
def test_augmentation_moves_picture_and_masks_together(preset: Preset) -> None:
    """A bright square stays where its mask is; something does change; the same seed changes the same."""
    picture, masks = square()
    changed = False
    for seed in range(20):
        moved, moved_masks = augment(picture, masks, preset, np.random.default_rng(seed))
        inside, outside = moved[moved_masks[0]], moved[~moved_masks[0]]
        assert inside.mean() > outside.mean() + 60
        assert 0.7 < moved_masks.sum() / masks.sum() < 1.3
        changed |= not np.array_equal(moved_masks, masks)
        again, _ = augment(picture, masks, preset, np.random.default_rng(seed))
        assert np.array_equal(moved, again)
    assert changed


def test_no_augmentation_and_healthy_pictures() -> None:
    """The preset "none" changes nothing; pictures without masks can be augmented too."""
    picture, masks = square()
    same, same_masks = augment(picture, masks, "none", np.random.default_rng(0))
    assert np.array_equal(same, picture)
    assert np.array_equal(same_masks, masks)
    _, none = augment(picture, masks[:0], "more", np.random.default_rng(0))
    assert none.shape == (0, 64, 64)


rectangles = st.tuples(*[st.integers(0, 31)] * 2, *[st.integers(1, 32)] * 2)


@given(
    st.lists(rectangles, max_size=4), st.sampled_from(["none", "little", "more"]), st.integers(0, 2**31), st.integers()
)
def test_boxes_are_those_of_the_masks(
    areas: list[tuple[int, int, int, int]], preset: Preset, seed: int, index: int
) -> None:
    """Whatever becomes of the masks, at the border and of one pixel too: those that are left have their tight boxes.

    A mask that is moved out of the picture takes its box and its label with it; no box is flat, none leads outside.
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
    """A pixel in the corner leaves the picture now and then; its neighbour in the middle never does."""
    masks = np.zeros((2, 64, 64), bool)
    masks[0, 0, 0] = masks[1, 28:36, 28:36] = True
    picture = np.zeros((64, 64), np.uint8)
    left = [
        len(target(augment(picture, masks, "more", np.random.default_rng(seed))[1], 0)["boxes"]) for seed in range(40)
    ]
    assert set(left) == {1, 2}


def square() -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.bool_]]:
    """A bright square, off the middle, and its mask."""
    masks = np.zeros((1, 64, 64), bool)
    masks[0, 20:36, 8:24] = True
    return np.where(masks[0], 200, 50).astype(np.uint8), masks


def test_epoch_takes_all_positives_and_a_share_of_negatives() -> None:
    """Nothing twice, the ratio kept as far as there are negatives, another order each time."""
    positives, negatives = range(10), range(10, 100)
    for ratio, count in [(0, 0), (0.5, 5), (2, 20), (50, 90)]:
        order = epoch_order(positives, negatives, negatives_per_positive=ratio, rng=np.random.default_rng(0))
        assert len(order) == len(set(order)) == 10 + count
        assert set(positives) <= set(order)
        assert set(order) <= set(positives) | set(negatives)
    first, second = (
        epoch_order(positives, negatives, negatives_per_positive=1, rng=np.random.default_rng(seed)) for seed in (0, 1)
    )
    assert first != second


def test_ratio_slides_from_the_first_epoch_to_the_last() -> None:
    """On a line; without an end, and with a single epoch, it stays where it starts."""
    assert [ratio_at(epoch, 5, start=0.25, end=1.25) for epoch in range(1, 6)] == [0.25, 0.5, 0.75, 1.0, 1.25]
    assert [ratio_at(epoch, 3, start=2, end=0) for epoch in (1, 2, 3)] == [2, 1, 0]
    assert [ratio_at(epoch, 3, start=2, end=None) for epoch in (1, 2, 3)] == [2, 2, 2]
    assert ratio_at(1, 1, start=2, end=0) == 2


def test_workers_change_nothing(sample_data: Path, pictures: Pictures) -> None:
    """With worker processes the augmented pictures are the same, in the same order."""
    labels = read_labels(sample_data / "train-rle.csv")
    xrays = ChestXrays(pictures, labels, range(6), preset="more", seeds=(1, 2))
    here, there = (
        [image for image, _ in torch.utils.data.DataLoader(xrays, batch_size=None, num_workers=workers)]
        for workers in (0, 2)
    )
    assert all(torch.equal(one, other) for one, other in zip(here, there, strict=True))
    assert not torch.equal(here[0], ChestXrays(pictures, labels, range(6), preset="more", seeds=(1, 3))[0][0])


def test_benchmark_runs(real_labels: Path) -> None:
    """On four pictures; it checks first that kept pictures and those decoded anew give the same samples."""
    arguments = [real_labels, "--images", 4, "--size", 64, "--repetitions", 1]
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.data", *map(str, arguments)],
        check=False,
        capture_output=True,
        text=True,
        cwd=PROJECT,
    )
    assert done.returncode == 0, done.stderr
    assert len(re.findall(r"^\| 64 pixels: .* \| +[\d.]+ \|$", done.stdout, re.MULTILINE)) == 5
    assert done.stdout.startswith("4 pictures, ")


def test_two_files_of_one_image_are_refused(sample_data: Path, tmp_path: Path) -> None:
    """Which of them would be the picture? Better to ask."""
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "1.dcm").touch()
    with pytest.raises(ValueError, match="two files of one ImageId"):
        find_dicoms(tmp_path)
