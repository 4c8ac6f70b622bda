"""The label file: reading, checks, statistics."""

from __future__ import annotations

import gzip
import json
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest

from model_src.data.labels import check_codes, choose, main, read_ids, read_labels, statistics_of
from model_src.data.rle import (
    decode,
    encode,
)
from tests.model_src.session_root import PROJECT


def test_real_shapes_of_the_file(tmp_path: Path) -> None:
    """Byte order mark, blanks, several rows per image, both codes of an empty mask; plain and gzipped."""
    path, packed = tmp_path / "train-rle.csv", tmp_path / "train-rle.csv.gz"
    path.write_text("\ufeffImageId, EncodedPixels\r\na, 1 2 3 4\n b , -1\na,5 1\nc,\n\n", encoding="utf-8")
    packed.write_bytes(gzip.compress(path.read_bytes()))
    assert read_labels(path) == read_labels(packed) == {"a": ("1 2 3 4", "5 1"), "b": (), "c": ()}


def test_long_codes_are_read(tmp_path: Path) -> None:
    """The code of a mask of single pixels is longer than the default limit of the csv module."""
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
    """Another file, or a malformed code, is an error with file, line and ImageId."""
    path = tmp_path / "train-rle.csv"
    path.write_text(text, encoding="latin-1")
    with pytest.raises(ValueError, match=message) as caught:
        read_labels(path, shape=(3, 4))
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("place", [0, 3, 12, -6, -1])
def test_damaged_gzip_file_is_one_line(tmp_path: Path, place: int, capsys: pytest.CaptureFixture[str]) -> None:
    """A wrong byte anywhere is an error that names the file, in the reader and in the program."""
    rows = "".join(f"{number},{number} {1 + number % 7}\n" for number in range(5000))
    content = bytearray(gzip.compress(f"ImageId,EncodedPixels\n{rows}".encode()))
    content[place] ^= 0xFF
    if place == 12:
        content[40:60] = b"\0" * 20
    path = tmp_path / "labels.csv.gz"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"labels\.csv\.gz, line \d+: the compressed file is damaged: "):
        read_labels(path)
    assert main([str(path)]) == 1
    assert re.fullmatch(r"error: \S+labels\.csv\.gz, line \d+: .*\n", capsys.readouterr().err)


def test_refuses_half_a_download(tmp_path: Path, real_labels: Path) -> None:
    """A gzipped file that ends too early is an error, not a shorter file."""
    path = tmp_path / "labels.csv.gz"
    path.write_bytes(real_labels.read_bytes()[:200_000])
    with pytest.raises(
        ValueError, match=r"labels.csv.gz, line \d+: the compressed file is damaged: Compressed file ended"
    ):
        read_labels(path)


def test_codes_are_checked_against_their_pictures() -> None:
    """A code that ends outside its image is an error with the ImageId."""
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


def test_statistics_are_what_counting_pixels_gives(real_codes: Mapping[str, tuple[str, ...]]) -> None:
    """On the images with the most masks, all values equal those from drawn masks."""
    most = sorted(real_codes, key=lambda each: -len(real_codes[each]))[:12]
    few = {image_id: real_codes[image_id] for image_id in most}
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


def run(*arguments: object, module: str = "model_src.data.labels") -> subprocess.CompletedProcess[str]:
    """Run a command line in a new process."""
    return subprocess.run(
        [sys.executable, "-m", module, *map(str, arguments)],
        check=False,
        capture_output=True,
        text=True,
        cwd=PROJECT,
    )


def test_figures_of_the_whole_file(real_labels: Path) -> None:
    """The statistics of the published file as JSON: 12 047 images, 2 669 positive, 3 576 masks."""
    done = run(real_labels, "--json")
    assert (done.returncode, done.stderr) == (0, "")
    found = json.loads(done.stdout)
    assert (found["images"], found["positives"], found["masks"], found["mean_over"]) == (12047, 2669, 3576, 12047)
    assert sum(found["masks_an_image"].values()) == 2669
    assert found["pixels_covered"]["1"] == 36795914
    assert found["masks_an_image"]["10"] == 1
    assert found["union_mean"] < found["instance_sum_mean"]


def test_published_statistics(real_labels: Path, competition_files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The training images of the first stage, and their first 995 of 1 000: five published values, exactly."""
    chosen = [str(real_labels), "--exclude", str(competition_files / "stage1_sample_submission.csv")]
    assert main([*chosen, "--json"]) == 0
    everything = json.loads(capsys.readouterr().out)
    assert (everything["images"], everything["positives"]) == (10675, 2379)
    masks_an_image = {"1": 1755, "2": 447, "3": 112, "4": 40, "5": 18, "6": 3, "7": 1, "8": 2, "10": 1}
    assert everything["masks_an_image"] == masks_an_image
    assert main([*chosen, "--first", "995", "--images", "1000"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["images", "995"]
    for text in (
        "pixels covered n times         1: 3184089  2: 141360  3: 4270",
        "union mean                     0.0031754674911499024",
        "instance-sum mean              0.0033184232711791994",
    ):
        assert text in lines


def test_choice_of_images(
    tmp_path: Path, real_labels: Path, real_codes: Mapping[str, tuple[str, ...]], capsys: pytest.CaptureFixture[str]
) -> None:
    """--ids and --exclude select the same images; the first n are sorted as text, not as numbers."""
    ids = list(real_codes)
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
    assert found["positives"] == sum(bool(real_codes[each]) for each in ids[:3000])
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
    """One line on standard error, nothing on standard output, exit code 1."""
    monkeypatch.chdir(tmp_path)
    Path("labels.csv").write_text("ImageId,EncodedPixels\na,-1\nb,4 2\n")
    Path("nobody.csv").write_text("x\n")
    assert main(arguments) == 1
    out, error = capsys.readouterr()
    assert out == ""
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    assert re.search(message, error)
