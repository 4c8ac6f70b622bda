"""Loading the data of a run: the cache, extra images, labels that do not fit, and the report."""

from __future__ import annotations

import csv
import json
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pydicom
import pytest

from model_src.config import DataConfig, FoldsConfig, TrainConfig
from model_src.data.labels import read_labels
from model_src.data.load import cache_folder, load_data
from model_src.data.pictures import find_dicoms
from tests.model_src.session_root import PROJECT, TINY, attach, changed, train


def test_cache_inside_the_output_is_refused(tmp_path: Path) -> None:
    """The cache would become the output of the kernel, also behind a symbolic link."""
    (tmp_path / "working").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "working")
    for folder in (tmp_path / "working", tmp_path / "working" / "a" / "b", tmp_path / "link" / "a"):
        with pytest.raises(ValueError, match=r"data\.cache_dir .* would become the output of the run"):
            cache_folder(DataConfig(cache_dir=str(folder)), tmp_path)
    assert cache_folder(DataConfig(cache_dir=str(tmp_path / "else")), tmp_path) == tmp_path / "else"
    assert not cache_folder(DataConfig(), Path("/kaggle")).is_relative_to("/kaggle")


def test_extra_pictures(sample_data: Path, tmp_path: Path) -> None:
    """Labelled images of another source come last; an ImageId in both sources is an error that names it."""
    attach(tmp_path, sample_data)
    extra = tmp_path / "input" / "datasets" / "ann" / "more"
    command = [sys.executable, "-m", "runner_test.samples", str(extra)]
    options = ["--images", "6", "--test-images", "2", "--size", "64", "--positive", "0.5", "--seed", "8"]
    subprocess.run(command + options, check=True, cwd=PROJECT, capture_output=True)
    said: list[str] = []

    base = DataConfig(image_size=64, num_workers=0, cache_dir=str(tmp_path / "cache"), extra_labels="train-rle.csv")

    def check_extra(config: DataConfig) -> None:
        data = load_data(config, root=tmp_path, say=said.append)
        assert len(data.validated) == 16
        assert (data.extra, data.counts["extra"], data.counts["extra_positive"]) == (6, 6, 3)
        assert not set(data.train.ids[:16]) & set(data.train.ids[16:])
        assert sum(data.is_positive(index) for index in range(16, 22)) == 3
        assert all((data.area(index) > 0) == data.is_positive(index) for index in range(22))

    check_extra(replace(base, extra_source="ann/more"))
    check_extra(replace(base, extra_source="ann/more", extra_folder="dicom-images-train"))
    assert not any("too high" in line for line in said)
    with pytest.raises(ValueError, match=r"16 extra images are in seesee/siim-train-test as well, such as 2\.25"):
        load_data(base, root=tmp_path, say=said.append)
    # Labels of test images are allowed, with a message.
    test_ids = list(find_dicoms(sample_data / "dicom-images-test"))
    (extra / "test.csv").write_text("ImageId,EncodedPixels\n" + "".join(f"{each},-1\n" for each in test_ids))
    (extra / "again").symlink_to(sample_data / "dicom-images-test")
    config = replace(base, extra_source="ann/more", extra_labels="test.csv", extra_folder="again")
    assert load_data(config, root=tmp_path, say=said.append).counts["extra"] == 3
    assert re.search("3 labelled images, such as .*, are test images", said[-1])
    (extra / "none.csv").write_text("ImageId,EncodedPixels\nunknown,-1\n")
    with pytest.raises(ValueError, match=r"none\.csv labels no image in "):
        load_data(replace(base, extra_source="ann/more", extra_labels="none.csv"), root=tmp_path, say=said.append)


def test_flat_pictures_are_counted_and_said(sample_data: Path, tmp_path: Path) -> None:
    """An image of one grey value is no error: it is counted, also when it comes from the cache, and one is named."""
    source = tmp_path / "source"
    shutil.copytree(sample_data, source)
    for image_id, path in list(find_dicoms(source / "dicom-images-train").items())[2:4]:
        dataset = pydicom.dcmread(path)
        dataset.decompress()
        dataset.PixelData = bytes([90]) * len(dataset.PixelData)
        dataset.save_as(path)
        last = image_id
    attach(tmp_path, source)
    config = DataConfig(image_size=64, num_workers=0, cache_dir=str(tmp_path / "cache"))
    for how in ("decoded", "kept_before"):
        said: list[str] = []
        counts = load_data(config, root=tmp_path, say=said.append).counts
        assert (counts["flat"], counts[how]) == (2, 16 + 3)
        (line,) = [line for line in said if "one grey value" in line]
        assert re.fullmatch(r"2 images, such as \S+, have one grey value only: .*", line)
        assert line.split()[4].rstrip(",") < last
    whole = tmp_path / "whole"
    attach(whole, sample_data)
    said = []
    assert load_data(config, root=whole, say=said.append).counts["flat"] == 0
    assert not any("one grey value" in line for line in said)


def test_images_in_train_and_test_are_said(sample_data: Path, tmp_path: Path) -> None:
    """By their name, and by their file when they have another name: the submission's score would be too high."""
    source = tmp_path / "source"
    shutil.copytree(sample_data, source)
    trained = list(find_dicoms(source / "dicom-images-train").items())
    shutil.copy(trained[0][1], source / "dicom-images-test")
    shutil.copy(trained[1][1], source / "dicom-images-test" / "renamed.dcm")
    attach(tmp_path, source)
    config = DataConfig(image_size=64, num_workers=0, cache_dir=str(tmp_path / "cache"))
    said: list[str] = []
    counts = load_data(config, root=tmp_path, say=said.append).counts
    assert counts["train_in_test"] == 2
    assert said[-1] == (
        f"2 labelled images, such as {trained[0][0]}, are test images, too: the submission's score will be too high"
    )
    whole = tmp_path / "whole"
    attach(whole, sample_data)
    assert load_data(config, root=whole, say=said.append).counts["train_in_test"] == 0
    assert "are test images" not in said[-1]


def test_run_with_extra_pictures(sample_data: Path, tmp_path: Path) -> None:
    """They are trained on and have no fold; they are not in oof.csv. The ratio of negatives changes.

    And the program decodes nothing that another process has kept, says so, and leaves no image in its output.
    """
    attach(tmp_path, sample_data)
    extra = tmp_path / "input" / "datasets" / "ann" / "more"
    command = [sys.executable, "-m", "runner_test.samples", str(extra), "--images", "8", "--test-images", "0"]
    options = ["--size", "64", "--positive", "0.5", "--seed", "8"]
    subprocess.run(command + options, check=True, cwd=PROJECT, capture_output=True)
    given: dict[str, Any] = {
        "extra_source": "ann/more",
        "extra_labels": "train-rle.csv",
        "cache_dir": str(tmp_path / "cache"),
    }
    before = load_data(DataConfig(image_size=64, num_workers=0, **given), root=tmp_path, say=print).counts
    assert [before[name] for name in ("decoded", "kept_before")] == [16 + 3 + 8, 0]
    settings: dict[str, Any] = {
        "data": given,
        "folds": {"run": [0]},
        "train": {"epochs": 2, "negatives_per_positive": 0.0, "negatives_per_positive_end": 1.0},
        "evaluate": {"oracle": False, "ablation": False, "worst": 0},
    }
    done = train(tmp_path, changed(TINY, **settings))
    assert done.returncode == 0, done.stderr
    working = tmp_path / "working"
    counts = json.loads((working / "metrics.json").read_text())["counts"]
    assert [counts[name] for name in ("decoded", "kept_before", "not_kept", "cache_refused")] == [0, 16 + 3 + 8, 0, 0]
    assert not list(working.rglob("*.px"))
    with (working / "folds.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    labels = read_labels(sample_data / "train-rle.csv")
    assert list(rows[0]) == ["ImageId", "fold", "patient", "positive", "area"]
    assert [row["ImageId"] for row in rows[:16]] == sorted(labels)
    assert [row["fold"] == "" for row in rows] == [False] * 16 + [True] * 8
    assert all((row["positive"] == "1") == (int(row["area"]) > 0) for row in rows)
    assert all(len(row["patient"]) == 16 for row in rows)
    with (working / "oof.csv").open(newline="") as file:
        predicted = {row["ImageId"] for row in csv.DictReader(file)}
    assert predicted == {row["ImageId"] for row in rows if row["fold"] == "0"}
    events = [json.loads(line) for line in (working / "metrics.jsonl").read_text().splitlines()]
    # 4 positives of the other fold and 4 extra ones in batches of two: first alone, then with equally many negatives.
    assert [event["step"] for event in events if event["event"] == "epoch"] == [4, 4 + 8]


def test_labels_that_do_not_fit_their_picture(sample_data: Path, tmp_path: Path) -> None:
    """A code for a larger image is an error before the training, which names the image."""
    source = tmp_path / "source"
    shutil.copytree(sample_data, source)
    labels = source / "train-rle.csv"
    image_id = next(iter(read_labels(labels)))
    labels.write_text(labels.read_text() + f"{image_id},4090 10\n")
    attach(tmp_path, source)
    config = DataConfig(image_size=64, num_workers=0, cache_dir=str(tmp_path / "cache"))
    with pytest.raises(ValueError, match=f"ImageId {image_id}, 64x64 pixels: .*4100"):
        load_data(config, root=tmp_path, say=print)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"cache_dir": "cache"}, "cache_dir must be an absolute path or null, is 'cache'"),
        ({"cache_gib": -1.0}, "cache_gib must be >= 0, is -1.0"),
        ({"cache_gib": float("nan")}, "cache_gib must be >= 0, is nan"),
        ({"extra_labels": ""}, "extra_labels must name a file or be null, is empty"),
        ({"extra_source": "ann/more"}, "extra_labels must name a file when extra_source or extra_folder is given"),
    ],
)
def test_data_settings_that_are_refused(values: dict[str, Any], message: str) -> None:
    """Each with the setting's name and what it may be."""
    with pytest.raises(ValueError, match=message):
        DataConfig(**values)


def test_other_settings_that_are_refused() -> None:
    """Strata and the final ratio of negatives."""
    with pytest.raises(ValueError, match="area_bins must be >= 1, is 0"):
        FoldsConfig(area_bins=0)
    with pytest.raises(ValueError, match=r"negatives_per_positive_end must be >= 0 or null, is -0\.5"):
        TrainConfig(negatives_per_positive_end=-0.5)
