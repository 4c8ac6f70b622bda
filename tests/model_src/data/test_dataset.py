"""The samples for the detector: images and targets."""

from __future__ import annotations

import dataclasses
import itertools
import mmap
import os
import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, strategies as st
from PIL import Image

from model_src.data.augment import Preset
from model_src.data.dataset import ChestXrays, scaled_masks, target
from model_src.data.labels import read_labels
from model_src.data.picture_cache import HEAD, PictureCache
from model_src.data.pictures import Pictures, find_dicoms, read_pictures
from model_src.data.rle import Mask, decode, encode, write
from tests.model_src.session_root import LOADED, PROJECT
from tests.warm import run_warm


@pytest.fixture(scope="module")
def pictures(sample_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Pictures:
    """The sample's training images, decoded."""
    files = find_dicoms(sample_data / "dicom-images-train").items()
    cache = PictureCache(tmp_path_factory.mktemp("cache"), limit=2**30)
    return read_pictures(files, cache=cache, image_size=64, unreadable="stop", threads=2)


def test_target_holds_all_instances_of_a_picture(sample_data: Path, pictures: Pictures) -> None:
    """As many boxes, labels and masks as the image has rows, each box tight around its mask."""
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
    """An image without a mask has boxes of shape (0, 4); an empty mask has no box."""
    for masks in (np.zeros((0, 8, 8), bool), np.zeros((2, 8, 8), bool)):
        each = target(masks, 5)
        assert each["boxes"].shape == (0, 4)
        assert each["masks"].shape == (0, 8, 8)
        assert each["labels"].shape == (0,)
        assert each["image_id"] == 5


def test_box_of_one_pixel_has_an_area() -> None:
    """The box ends behind the last pixel, so it has an area."""
    masks = np.zeros((1, 8, 8), bool)
    masks[0, 2, 3] = True
    assert target(masks, 0)["boxes"].tolist() == [[3, 2, 4, 3]]


def test_masks_shrink_with_the_picture() -> None:
    """At half the size a pixel is in the mask when at least half of it is covered."""
    mask = np.zeros((8, 8), bool)
    mask[2:6, 2:5] = True
    small = scaled_masks([encode(mask)], (8, 8), 4)[0]
    assert np.argwhere(small).tolist() == [[1, 1], [1, 2], [2, 1], [2, 2]]


def scaled_as_a_whole(code: str, shape: tuple[int, int], size: int) -> Mask:
    """The simple implementation: the whole mask is drawn and scaled."""
    whole = Image.fromarray(decode(code, *shape).astype(np.uint8) * 255)
    return np.asarray(whole.resize((size, size), Image.Resampling.BOX)) >= 128


@given(st.tuples(st.integers(1, 70), st.integers(1, 70)), st.sampled_from([32, 48]), st.data())
def test_scaling_a_part_is_scaling_the_whole(shape: tuple[int, int], size: int, data: st.DataObject) -> None:
    """For any sizes and positions of masks, the result is the same as without leaving out empty parts."""
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
    """Random runs: several in a column, over many columns, or touching each other."""
    edges = data.draw(st.lists(st.integers(0, shape[0] * shape[1]), max_size=8))
    pairs = [(begin, end) for begin, end in itertools.pairwise(sorted(edges)) if end > begin]
    pairs = pairs[:: data.draw(st.integers(1, 2))]
    return write(np.array(pairs, np.int64).reshape(-1))


@pytest.mark.parametrize("size", [1024, 512, 640])
def test_real_targets_are_those_of_whole_masks(real_codes: Mapping[str, tuple[str, ...]], size: int) -> None:
    """Masks of the competition, at the full size, half of it and one that does not divide it: every pixel and box."""
    positives = [codes for codes in real_codes.values() if codes]
    for codes in positives[::90]:
        expected = np.stack([scaled_as_a_whole(code, (1024, 1024), size) for code in codes])
        each = target(scaled_masks(codes, (1024, 1024), size), 0)
        assert np.array_equal(each["masks"].numpy(), expected)
        places = [np.nonzero(mask) for mask in expected]
        boxes = [[columns.min(), rows.min(), columns.max() + 1, rows.max() + 1] for rows, columns in places]
        assert each["boxes"].tolist() == boxes


def test_kept_pictures_are_not_copied(sample_data: Path, pictures: Pictures) -> None:
    """The image of a sample is in the memory of the mapped file; writing to it does not change the file."""
    xrays = ChestXrays(pictures, read_labels(sample_data / "train-rle.csv"), range(len(pictures.ids)))
    for place in range(len(xrays)):
        picture, _ = xrays[place]
        assert picture.data_ptr() % mmap.PAGESIZE == HEAD
        before = picture.clone()
        picture.fill_(7)
        assert torch.equal(xrays[place][0], before)


def test_pictures_that_are_not_kept_are_the_same(sample_data: Path, pictures: Pictures) -> None:
    """Decoded for each sample, mirrored or not, they equal the cached ones, and are writable."""
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


def test_workers_change_nothing(sample_data: Path, pictures: Pictures) -> None:
    """With worker processes the augmented images are the same, in the same order."""
    labels = read_labels(sample_data / "train-rle.csv")
    xrays = ChestXrays(pictures, labels, range(6), preset="more", seeds=(1, 2))
    here, there = (
        [image for image, _ in torch.utils.data.DataLoader(xrays, batch_size=None, num_workers=workers)]
        for workers in (0, 2)
    )
    assert all(torch.equal(one, other) for one, other in zip(here, there, strict=True))
    assert not torch.equal(here[0], ChestXrays(pictures, labels, range(6), preset="more", seeds=(1, 3))[0][0])


def test_benchmark_runs(real_labels: Path) -> None:
    """With four images; it checks first that cached and newly decoded images give the same samples."""
    arguments = [real_labels, "--images", 4, "--size", 64, "--repetitions", 1]
    done = run_warm("benchmarks.data", *map(str, arguments), cwd=PROJECT, env=os.environ, loaded=LOADED)
    assert done.returncode == 0, done.stderr
    assert len(re.findall(r"^\| 64 pixels: .* \| +[\d.]+ \|$", done.stdout, re.MULTILINE)) == 5
    assert done.stdout.startswith("4 pictures, ")
