"""The competition's run-length code."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from benchmarks.official import mask_to_rle, rle_to_mask
from model_src.data.rle import (
    Mask,
    area,
    decode,
    draw,
    encode,
    find_runs,
    parse,
    span,
    times_covered,
    union,
    unite,
    write,
)
from tests.model_src.session_root import PROJECT

masks = arrays(np.bool_, array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=12))


several_masks = st.lists(arrays(np.bool_, (5, 4)), max_size=5)


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
    """Any mask is restored, also with the last pixel, and also an empty one."""
    assert np.array_equal(decode(encode(mask), *mask.shape), mask)


@given(masks)
def test_means_what_the_description_says(mask: Mask) -> None:
    """The code, decoded pixel by pixel as the format is described, gives the mask."""
    encoded = encode(mask)
    expected = decoded_pixel_by_pixel("" if encoded == "-1" else encoded, *mask.shape)
    assert np.array_equal(expected, mask)


@given(several_masks)
def test_union(several: list[Mask]) -> None:
    """The union by runs equals the union by pixels; the union of no masks is empty."""
    expected = np.any(several, axis=0) if several else np.zeros((5, 4), bool)
    codes = [encode(mask) for mask in several]
    assert np.array_equal(union(codes, 5, 4), expected)
    assert write(unite([parse(code) for code in codes])) == encode(expected)


@given(several_masks)
def test_areas_and_depths_without_a_pixel(several: list[Mask]) -> None:
    """Areas, and numbers of pixels in one, two, three masks, equal those by counting pixels."""
    runs = [find_runs(mask) for mask in several]
    assert [area(each) for each in runs] == [mask.sum() for mask in several]
    depth = np.sum(several, axis=0).ravel() if several else np.zeros(0, int)
    found = {times: n for times, n in enumerate(times_covered(runs).tolist()) if times and n}
    assert found == {times: n for times, n in Counter(depth.tolist()).items() if times}


@given(masks)
def test_the_competitions_algorithm_agrees(mask: Mask) -> None:
    """The official algorithm of the benchmark reads and writes the same codes."""
    height, width = mask.shape
    image = np.where(mask.T, 255, 0).astype(np.uint8)
    assert (mask_to_rle(image, width, height) or "-1") == encode(mask)
    if mask.any():
        assert np.array_equal(rle_to_mask(encode(mask), width, height), image)


@given(masks, st.data())
def test_a_part_is_what_the_whole_holds_there(mask: Mask, data: st.DataObject) -> None:
    """The span is tight, or has all rows if a run continues in the next column; any larger part can be drawn."""
    height, width = mask.shape
    runs = find_runs(mask)
    rows, columns = span(runs, height)
    if not mask.any():
        assert (rows, columns) == (slice(0, 0), slice(0, 0))
    else:
        covered = np.nonzero(mask)
        tight = [slice(int(places.min()), int(places.max()) + 1) for places in covered]
        goes_on = any(begin // height != (end - 1) // height for begin, end in runs.reshape(-1, 2).tolist())
        assert (rows, columns) == (slice(0, height) if goes_on else tight[0], tight[1])
    around = tuple(
        slice(data.draw(st.integers(0, part.start)), data.draw(st.integers(part.stop, edge)))
        for part, edge in ((rows, height), (columns, width))
    )
    for part in ((rows, columns), around):
        drawn = draw(runs, height, *part)
        assert drawn.dtype == bool
        assert np.array_equal(drawn, mask[part])


def test_runs_that_touch_are_drawn() -> None:
    """Also when one ends at the end of a column and the next begins with the next column."""
    runs = parse("1 1 0 1 0 2")
    assert np.array_equal(draw(runs, 3, *span(runs, 3)), decode("1 4", 3, 4)[:, :2])


def test_benchmark_runs(tmp_path: Path, real_codes: Mapping[str, tuple[str, ...]]) -> None:
    """With two images; it checks first that the results agree, and does not need pycocotools."""
    two = sorted(real_codes, key=lambda image_id: len(real_codes[image_id]))[-2:]
    path = tmp_path / "two.csv"
    path.write_text(
        "\n".join(["ImageId,EncodedPixels", *(f"{each},{code}" for each in two for code in real_codes[each])])
    )
    done = run(path, "--images", 2, "--repetitions", 1, module="benchmarks.rle")
    assert done.returncode == 0, done.stderr
    assert re.search(r"\| official algorithm +\| +[\d.]+ \| +[\d.]+ \|", done.stdout)
    installed = importlib.util.find_spec("pycocotools") is not None
    assert ("pycocotools: skipped" in done.stdout) != installed


def test_runs_that_touch_are_one() -> None:
    """A gap of 0 between two runs is allowed; the union, and a drawn mask, have one run."""
    assert write(unite([parse("3 2 0 4")])) == encode(decode("3 2 0 4", 6, 3)) == "3 6"


def test_real_masks_round_trip(real_codes: Mapping[str, tuple[str, ...]]) -> None:
    """All 3 576 masks of the competition are encoded to the same text again, by pixels and by runs."""
    codes = [code for each in real_codes.values() for code in each]
    assert len(codes) == 3576
    for code in codes:
        assert encode(decode(code, 1024, 1024)) == write(unite([parse(code)])) == " ".join(code.split())


def run(*arguments: object, module: str = "model_src.data.labels") -> subprocess.CompletedProcess[str]:
    """Run a command line in a new process."""
    return subprocess.run(
        [sys.executable, "-m", module, *map(str, arguments)],
        check=False,
        capture_output=True,
        text=True,
        cwd=PROJECT,
    )


@pytest.mark.parametrize(
    ("encoded", "message"),
    [
        ("1 2 3", "must hold pairs, holds 3 numbers"),
        ("-2 2", "must hold gaps >= 0"),
        ("-1 2", "must hold gaps >= 0"),
        ("1 0", "lengths >= 1"),
        ("1 -3", "lengths >= 1"),
        ("3 2 -2 1", "must hold gaps >= 0"),
        ("10 3", "ends at pixel 13 of 12"),
        ("12 1", "ends at pixel 13 of 12"),
        ("9223372036854775807 9223372036854775807", "ends at pixel 18446744073709551614 of 12"),
        ("99999999999999999999 1", "ends at pixel"),
        ("-99999999999999999999 1", "no image is large enough"),
        ("1 x", "invalid literal"),
        ("1.0 2", "invalid literal"),
        ("1_0 2", "whole numbers and blanks only"),
        ("١ 2", "whole numbers and blanks only"),
    ],
)
def test_refuses_malformed_codes(encoded: str, message: str) -> None:
    """A malformed code is an error."""
    with pytest.raises(ValueError, match=message):
        decode(encoded, 3, 4)


@given(st.text(alphabet="0123456789 -\t_.x١", max_size=12))
def test_reads_or_refuses_anything(encoded: str) -> None:
    """Any text gives the mask as described by the format, or a ValueError."""
    try:
        mask = decode(encoded, 3, 4)
    except ValueError:
        return
    assert np.array_equal(mask, decoded_pixel_by_pixel("" if encoded.strip() == "-1" else encoded, 3, 4))
