"""The label file and its run-length code, down to the last pixel."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from model_src.labels import Mask, decode, encode, read_labels, union

masks = arrays(np.bool_, array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=12))


def decoded_pixel_by_pixel(encoded: str, height: int, width: int) -> Mask:
    """The format's description taken literally, one pixel at a time."""
    mask = np.zeros((height, width), bool)
    position = 0
    numbers = [int(each) for each in encoded.split()]
    for gap, length in zip(numbers[::2], numbers[1::2], strict=True):
        position += gap
        for _ in range(length):
            mask[position % height, position // height] = True
            position += 1
    return mask


@given(masks)
def test_round_trip(mask: Mask) -> None:
    """Any mask comes back, those that touch the last pixel and empty ones included."""
    assert np.array_equal(decode(encode(mask), *mask.shape), mask)


@given(masks)
def test_means_what_the_description_says(mask: Mask) -> None:
    """What is encoded, read pixel by pixel as the format is described, is the mask."""
    encoded = encode(mask)
    expected = decoded_pixel_by_pixel("" if encoded == "-1" else encoded, *mask.shape)
    assert np.array_equal(expected, mask)


@given(st.lists(masks.filter(lambda mask: mask.shape == (3, 4)) | arrays(np.bool_, (3, 4)), max_size=4))
def test_union(several: list[Mask]) -> None:
    """The union covers what any covers; the union of none is empty."""
    same = [mask for mask in several if mask.shape == (3, 4)]
    expected = np.any(same, axis=0) if same else np.zeros((3, 4), bool)
    assert np.array_equal(union(map(encode, same), 3, 4), expected)


def test_real_masks_round_trip(real_labels: Path) -> None:
    """All 3 576 masks of the competition re-encode to the same text."""
    codes = [code for each in read_labels(real_labels).values() for code in each]
    assert len(codes) == 3576
    assert all(encode(decode(code, 1024, 1024)) == " ".join(code.split()) for code in codes)


def test_real_file_counts(real_labels: Path) -> None:
    """Images, positives and masks an image are those of the published file."""
    labels = read_labels(real_labels)
    assert (len(labels), sum(map(bool, labels.values()))) == (12047, 2669)
    counts = Counter(map(len, labels.values()))
    assert counts[0] == 12047 - 2669
    assert max(counts) == 10


def test_real_shapes_of_the_file(tmp_path: Path) -> None:
    """A byte order mark, blanks around everything, several rows an image, the two ways to say none."""
    path = tmp_path / "train-rle.csv"
    path.write_text("\ufeffImageId, EncodedPixels\na, 1 2 3 4\n b , -1\na,5 1\nc,\n\n", encoding="utf-8")
    assert read_labels(path) == {"a": ("1 2 3 4", "5 1"), "b": (), "c": ()}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the header must be ImageId,EncodedPixels, is ''"),
        ("id,mask\n", "the header must be ImageId,EncodedPixels, is 'id,mask'"),
        ("ImageId,EncodedPixels\na,-1\nb\n", "line 3: an ImageId and one value are expected"),
        ("ImageId,EncodedPixels\n,-1\n", "line 2: an ImageId and one value are expected"),
    ],
)
def test_refuses_other_files(tmp_path: Path, text: str, message: str) -> None:
    """A file that isn't a label file is refused by name and line."""
    path = tmp_path / "train-rle.csv"
    path.write_text(text)
    with pytest.raises(ValueError, match=message):
        read_labels(path)


@pytest.mark.parametrize(
    ("encoded", "message"),
    [
        ("1 2 3", "must hold pairs, holds 3 numbers"),
        ("-2 2", "must hold gaps >= 0"),
        ("1 0", "lengths >= 1"),
        ("3 2 -2 1", "must hold gaps >= 0"),
        ("10 3", "ends at pixel 13 of 12"),
        ("1 x", "invalid literal"),
    ],
)
def test_refuses_malformed_codes(encoded: str, message: str) -> None:
    """What can't be a mask is not taken for one."""
    with pytest.raises(ValueError, match=message):
        decode(encoded, 3, 4)
