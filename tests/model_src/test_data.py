"""What a run reads: where it keeps pictures, extra ones, labels that don't fit, and what of it the run reports."""

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

import pytest

from model_src.config import DataConfig, FoldsConfig, TrainConfig
from model_src.data import cache_folder, load_data
from model_src.labels import read_labels
from model_src.pictures import find_dicoms

from .conftest import PROJECT, TINY, attach, changed, train


def test_cache_inside_the_output_is_refused(tmp_path: Path) -> None:
    """Thirteen gigabytes of pictures would become the kernel's output, through a link, too."""
    (tmp_path / "working").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "working")
    for folder in (tmp_path / "working", tmp_path / "working" / "a" / "b", tmp_path / "link" / "a"):
        with pytest.raises(ValueError, match=r"data\.cache_dir .* would become the run's output"):
            cache_folder(DataConfig(cache_dir=str(folder)), tmp_path)
    assert cache_folder(DataConfig(cache_dir=str(tmp_path / "else")), tmp_path) == tmp_path / "else"
    assert not cache_folder(DataConfig(), Path("/kaggle")).is_relative_to("/kaggle")


def test_extra_pictures(sample_data: Path, tmp_path: Path) -> None:
    """Labelled pictures of another source come after the others; those of one ImageId are refused by name."""
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
    assert not any("not honest" in line for line in said)
    with pytest.raises(ValueError, match=r"16 extra pictures are in seesee/siim-train-test as well, such as 2\.25"):
        load_data(base, root=tmp_path, say=said.append)
    # Labels of the pictures to predict: allowed, but said.
    test_ids = list(find_dicoms(sample_data / "dicom-images-test"))
    (extra / "test.csv").write_text("ImageId,EncodedPixels\n" + "".join(f"{each},-1\n" for each in test_ids))
    (extra / "again").symlink_to(sample_data / "dicom-images-test")
    config = replace(base, extra_source="ann/more", extra_labels="test.csv", extra_folder="again")
    assert load_data(config, root=tmp_path, say=said.append).counts["extra"] == 3
    assert re.search("3 extra pictures, such as .*, are predicted as well", said[-1])
    (extra / "none.csv").write_text("ImageId,EncodedPixels\nunknown,-1\n")
    with pytest.raises(ValueError, match=r"none\.csv labels no picture in "):
        load_data(replace(base, extra_source="ann/more", extra_labels="none.csv"), root=tmp_path, say=said.append)


def test_run_with_extra_pictures(sample_data: Path, tmp_path: Path) -> None:
    """They are trained on and listed without a fold; out of fold there are none of them. The ratio slides.

    And the program decodes nothing that another process has kept, says so, and leaves no picture in its output.
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
    # 4 positives of the other fold and 4 extra ones in batches of two: alone, then with as many negatives.
    assert [event["step"] for event in events if event["event"] == "epoch"] == [4, 4 + 8]


def test_labels_that_do_not_fit_their_picture(sample_data: Path, tmp_path: Path) -> None:
    """A code for a larger picture is refused before anything is trained, and names the picture."""
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
        ({"extra_labels": ""}, "extra_labels must be null or a name, is empty"),
        ({"extra_source": "ann/more"}, "extra_labels must name a file when extra_source or extra_folder is given"),
    ],
)
def test_data_settings_that_are_refused(values: dict[str, Any], message: str) -> None:
    """Each with the setting's name and what it may be."""
    with pytest.raises(ValueError, match=message):
        DataConfig(**values)


def test_other_settings_that_are_refused() -> None:
    """Strata and the end of the sliding ratio."""
    with pytest.raises(ValueError, match="area_bins must be >= 1, is 0"):
        FoldsConfig(area_bins=0)
    with pytest.raises(ValueError, match=r"negatives_per_positive_end must be >= 0 or null, is -0\.5"):
        TrainConfig(negatives_per_positive_end=-0.5)
