"""The label file, its run-length code down to the last pixel, and what the file holds."""

from __future__ import annotations

import gzip
import importlib.util
import json
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from benchmarks.official import mask_to_rle, rle_to_mask
from model_src.labels import check_codes, choose, main, read_ids, read_labels, statistics_of
from model_src.rle import Mask, area, decode, draw, encode, find_runs, parse, span, times_covered, union, unite, write

from .conftest import PROJECT

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
    """Any mask comes back, those that touch the last pixel and empty ones included."""
    assert np.array_equal(decode(encode(mask), *mask.shape), mask)


@given(masks)
def test_means_what_the_description_says(mask: Mask) -> None:
    """What is encoded, read pixel by pixel as the format is described, is the mask."""
    encoded = encode(mask)
    expected = decoded_pixel_by_pixel("" if encoded == "-1" else encoded, *mask.shape)
    assert np.array_equal(expected, mask)


@given(several_masks)
def test_union(several: list[Mask]) -> None:
    """The union covers what any covers; the union of none is empty. Runs and pixels agree."""
    expected = np.any(several, axis=0) if several else np.zeros((5, 4), bool)
    codes = [encode(mask) for mask in several]
    assert np.array_equal(union(codes, 5, 4), expected)
    assert write(unite([parse(code) for code in codes])) == encode(expected)


@given(several_masks)
def test_areas_and_depths_without_a_pixel(several: list[Mask]) -> None:
    """Areas, and how many pixels lie in one, two, three masks, are those that counting gives."""
    runs = [find_runs(mask) for mask in several]
    assert [area(each) for each in runs] == [mask.sum() for mask in several]
    depth = np.sum(several, axis=0).ravel() if several else np.zeros(0, int)
    found = {times: n for times, n in enumerate(times_covered(runs).tolist()) if times and n}
    assert found == {times: n for times, n in Counter(depth.tolist()).items() if times}


@given(masks)
def test_the_competitions_algorithm_agrees(mask: Mask) -> None:
    """What the benchmark measures us against, pixel by pixel, reads and writes the same."""
    height, width = mask.shape
    image = np.where(mask.T, 255, 0).astype(np.uint8)
    assert (mask_to_rle(image, width, height) or "-1") == encode(mask)
    if mask.any():
        assert np.array_equal(rle_to_mask(encode(mask), width, height), image)


@given(masks, st.data())
def test_a_part_is_what_the_whole_holds_there(mask: Mask, data: st.DataObject) -> None:
    """The span is tight, or has all rows where a run goes on in the next column; any part around it can be drawn."""
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
    """Also where one ends with its column and the next begins with the next column."""
    runs = parse("1 1 0 1 0 2")
    assert np.array_equal(draw(runs, 3, *span(runs, 3)), decode("1 4", 3, 4)[:, :2])


def test_benchmark_runs(tmp_path: Path, real_labels: Path) -> None:
    """On two images; it checks first that the ways agree, and goes on without pycocotools."""
    labels = read_labels(real_labels)
    two = sorted(labels, key=lambda image_id: len(labels[image_id]))[-2:]
    path = tmp_path / "two.csv"
    path.write_text("\n".join(["ImageId,EncodedPixels", *(f"{each},{code}" for each in two for code in labels[each])]))
    done = run(path, "--images", 2, "--repetitions", 1, module="benchmarks.rle")
    assert done.returncode == 0, done.stderr
    assert re.search(r"\| official algorithm +\| +[\d.]+ \| +[\d.]+ \|", done.stdout)
    installed = importlib.util.find_spec("pycocotools") is not None
    assert ("pycocotools: skipped" in done.stdout) != installed


def test_runs_that_touch_are_one() -> None:
    """A gap of 0 between two runs is allowed, and gone once they are united or drawn."""
    assert write(unite([parse("3 2 0 4")])) == encode(decode("3 2 0 4", 6, 3)) == "3 6"


def test_real_masks_round_trip(real_labels: Path) -> None:
    """All 3 576 masks of the competition re-encode to the same text, by way of pixels and by way of runs."""
    codes = [code for each in read_labels(real_labels).values() for code in each]
    assert len(codes) == 3576
    for code in codes:
        assert encode(decode(code, 1024, 1024)) == write(unite([parse(code)])) == " ".join(code.split())


def test_real_shapes_of_the_file(tmp_path: Path) -> None:
    """A byte order mark, blanks around everything, several rows an image, the two ways to say none; plain, gzipped."""
    path, packed = tmp_path / "train-rle.csv", tmp_path / "train-rle.csv.gz"
    path.write_text("\ufeffImageId, EncodedPixels\r\na, 1 2 3 4\n b , -1\na,5 1\nc,\n\n", encoding="utf-8")
    packed.write_bytes(gzip.compress(path.read_bytes()))
    assert read_labels(path) == read_labels(packed) == {"a": ("1 2 3 4", "5 1"), "b": (), "c": ()}


def test_long_codes_are_read(tmp_path: Path) -> None:
    """A mask of single pixels has a code longer than what csv reads when nobody tells it to."""
    checkered = encode(np.indices((512, 512)).sum(0) % 2 == 0)
    path = tmp_path / "labels.csv"
    path.write_text(f"ImageId,EncodedPixels\na,{checkered}\n")
    assert len(checkered) > 2**17
    assert read_labels(path, shape=(512, 512)) == {"a": (checkered,)}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the header must be ImageId,EncodedPixels, is ''"),
        ("id,mask\n", "the header must be ImageId,EncodedPixels, is 'id,mask'"),
        ("ImageId,EncodedPixels\na,-1\nb\n", "line 3: an ImageId and one value are expected"),
        ("ImageId,EncodedPixels\n,-1\n", "line 2: an ImageId and one value are expected"),
        ("ImageId,EncodedPixels\na,-1\n\nb,1 2 3\n", "line 4, ImageId b: .* must hold pairs, holds 3 numbers"),
        ("ImageId,EncodedPixels\na,1 2 -1 3\n", "line 2, ImageId a: .* gaps >= 0, or runs overlap; holds a gap of -1"),
        ("ImageId,EncodedPixels\na,1 0\n", "line 2, ImageId a: .* lengths >= 1"),
        ("ImageId,EncodedPixels\na,1 2\na,10 3\n", "line 3, ImageId a: .* ends at pixel 13 of 12"),
        ("ImageId,EncodedPixels\na,1 2\xa0\n", "invalid start byte"),
    ],
)
def test_refuses_other_files(tmp_path: Path, text: str, message: str) -> None:
    """What isn't a label file, and a code that can't be a mask, is refused by file, line and ImageId."""
    path = tmp_path / "train-rle.csv"
    path.write_text(text, encoding="latin-1")
    with pytest.raises(ValueError, match=message) as caught:
        read_labels(path, shape=(3, 4))
    assert str(path) in str(caught.value)


def test_refuses_half_a_download(tmp_path: Path, real_labels: Path) -> None:
    """A gzipped file that ends too early is an error, not a shorter file."""
    path = tmp_path / "labels.csv.gz"
    path.write_bytes(real_labels.read_bytes()[:200_000])
    with pytest.raises(ValueError, match=r"labels.csv.gz, line \d+: Compressed file ended"):
        read_labels(path)


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
        ("-99999999999999999999 1", "no picture is large enough"),
        ("1 x", "invalid literal"),
        ("1.0 2", "invalid literal"),
        ("1_0 2", "whole numbers and blanks only"),
        ("١ 2", "whole numbers and blanks only"),
    ],
)
def test_refuses_malformed_codes(encoded: str, message: str) -> None:
    """What can't be a mask is not taken for one."""
    with pytest.raises(ValueError, match=message):
        decode(encoded, 3, 4)


@given(st.text(alphabet="0123456789 -\t_.x١", max_size=12))
def test_reads_or_refuses_anything(encoded: str) -> None:
    """Whatever the text, it is a mask of the picture, run by run as described, or a ValueError; nothing else."""
    try:
        mask = decode(encoded, 3, 4)
    except ValueError:
        return
    assert np.array_equal(mask, decoded_pixel_by_pixel("" if encoded.strip() == "-1" else encoded, 3, 4))


def test_codes_are_checked_against_their_pictures() -> None:
    """When the pictures' sizes are known, a code that leads outside its own is refused by ImageId."""
    labels = {"a": ("10 2",), "b": ("0 9", "10 2")}
    check_codes(labels, {"a": (3, 4), "unlabelled": (1, 1)})
    with pytest.raises(ValueError, match=r"ImageId b, 3x3 pixels: mask 2 of 2: .* ends at pixel 12 of 9"):
        check_codes(labels, {"a": (3, 4), "b": (3, 3)})


def test_ids_of_a_file(tmp_path: Path) -> None:
    """The first column, with or without a header, each id once; any label file or submission will do."""
    path = tmp_path / "ids.csv"
    path.write_text("\ufeffImageId, EncodedPixels\nb, -1\n a ,1 2\nb,5 6\n")
    assert read_ids(path) == ["b", "a"]
    path.write_text("b\na\n")
    assert read_ids(path) == ["b", "a"]


def test_statistics_are_what_counting_pixels_gives(real_labels: Path) -> None:
    """On the images with the most masks, every figure again from masks of a million pixels."""
    labels = read_labels(real_labels)
    few = {image_id: labels[image_id] for image_id in sorted(labels, key=lambda each: -len(labels[each]))[:12]}
    few["none"] = ()
    found = statistics_of(few, shape=(1024, 1024), mean_over=20)
    drawn = [np.array([decode(code, 1024, 1024) for code in codes]) for codes in few.values() if codes]
    depth = np.array([each.sum(0) for each in drawn])
    assert (found.images, found.positives, found.masks) == (13, 12, sum(map(len, drawn)))
    assert found.pixels_covered == {times: n for times, n in Counter(depth.ravel().tolist()).items() if times}
    assert found.union_mean == (depth > 0).sum() / (20 * 1024**2)
    assert found.instance_sum_mean == depth.sum() / (20 * 1024**2)
    assert found.image_area[50] == np.median((depth > 0).sum((1, 2)))
    assert found.mask_area[100] == max(each.sum((1, 2)).max() for each in drawn)


def run(*arguments: object, module: str = "model_src.labels") -> subprocess.CompletedProcess[str]:
    """A command line in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", module, *map(str, arguments)],
        check=False,
        capture_output=True,
        text=True,
        cwd=PROJECT,
    )


def test_figures_of_the_whole_file(real_labels: Path) -> None:
    """The published file's figures, as JSON: 12 047 images, 2 669 positive, 3 576 masks."""
    done = run(real_labels, "--json")
    assert (done.returncode, done.stderr) == (0, "")
    found = json.loads(done.stdout)
    assert (found["images"], found["positives"], found["masks"], found["mean_over"]) == (12047, 2669, 3576, 12047)
    assert sum(found["masks_an_image"].values()) == 2669
    assert found["pixels_covered"]["1"] == 36795914
    assert found["masks_an_image"]["10"] == 1
    assert found["union_mean"] < found["instance_sum_mean"]


def test_the_diarys_figures(real_labels: Path, competition_files: Path) -> None:
    """The first stage's training images, and of these the first 995 as 1 000: the diary's five figures, exactly."""
    sample = competition_files / "stage1_sample_submission.csv"
    everything = json.loads(run(real_labels, "--exclude", sample, "--json").stdout)
    assert (everything["images"], everything["positives"]) == (10675, 2379)
    masks_an_image = {"1": 1755, "2": 447, "3": 112, "4": 40, "5": 18, "6": 3, "7": 1, "8": 2, "10": 1}
    assert everything["masks_an_image"] == masks_an_image
    lines = run(real_labels, "--exclude", sample, "--first", 995, "--images", 1000).stdout.splitlines()
    assert lines[0].split() == ["images", "995"]
    for text in (
        "pixels covered n times         1: 3184089  2: 141360  3: 4270",
        "union mean                     0.0031754674911499024",
        "instance-sum mean              0.0033184232711791994",
    ):
        assert text in lines


def test_choice_of_images(tmp_path: Path, real_labels: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Some and all but the others are the same images; the first n are the first as texts, not as numbers."""
    labels = read_labels(real_labels)
    ids = list(labels)
    some, others = tmp_path / "some.csv", tmp_path / "others.csv"
    some.write_text("ImageId\n" + "\n".join(ids[:3000]) + "\nunannotated\n")
    others.write_text("\n".join(ids[3000:]))
    texts = []
    for arguments in (["--ids", str(some)], ["--exclude", str(others)]):
        assert main([str(real_labels), *arguments, "--json"]) == 0
        texts.append(capsys.readouterr().out)
    found, same = map(json.loads, texts)
    assert (found.pop("unannotated"), same.pop("unannotated")) == (1, 0)
    assert found == same
    assert found["positives"] == sum(bool(labels[each]) for each in ids[:3000])
    assert list(choose({"b.10": (), "a": (), "b.9": ("1 2",)}, first=2, exclude=["a"])) == ["b.10", "b.9"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere.csv"], "No such file"),
        (["labels.csv", "--images", "1"], "the means must be over at least one image and all 2 labelled ones"),
        (["labels.csv", "--ids", "nobody.csv"], "the means must be over at least one image"),
        (["labels.csv", "--size", "2"], "labels.csv, line 3, ImageId b: .* ends at pixel 6 of 4"),
    ],
)
def test_errors_of_the_command_line(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: Sequence[str],
    message: str,
) -> None:
    """One line on standard error, nothing on standard output, the code 1."""
    monkeypatch.chdir(tmp_path)
    Path("labels.csv").write_text("ImageId,EncodedPixels\na,-1\nb,4 2\n")
    Path("nobody.csv").write_text("x\n")
    assert main(arguments) == 1
    out, error = capsys.readouterr()
    assert out == ""
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    assert re.search(message, error)
