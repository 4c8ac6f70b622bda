"""The out-of-fold rows that a run leaves."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from coordinator.errors import TargetError
from coordinator.results import oof

ROWS = "ImageId,fold,dice\nb,1,0.5\na,0,0.25\nc,1,\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "oof.csv"
    file.write_text(ROWS)
    return file


@pytest.mark.parametrize("metric", ["cv/dice", "oof/dice", "dice"])
def test_images_with_their_folds_and_values(file: Path, metric: str) -> None:
    """The column has the last part of the metric's name; an image without a value still has a fold."""
    found = oof.read(file, metric)
    assert found is not None
    assert found.folds == {"b": "1", "a": "0", "c": "1"}
    assert found.values == {"b": 0.5, "a": 0.25}


@pytest.mark.parametrize("metric", ["holdout/dice", "cv/auc", ""])
def test_a_metric_without_a_column(file: Path, metric: str) -> None:
    """A metric that was not measured out of fold has no values here; the folds are known."""
    found = oof.read(file, metric)
    assert found is not None
    assert (len(found.folds), found.values) == (3, {})


def test_values_that_are_not_finite_are_left_out(file: Path) -> None:
    """NaN or infinity would make the mean useless."""
    file.write_text("ImageId,fold,dice\na,0,nan\nb,0,inf\nc,0,0.5\n")
    found = oof.read(file, "cv/dice")
    assert found is not None
    assert found.values == {"c": 0.5}


@pytest.mark.parametrize("content", ["", "ImageId,fold,dice\n", "ImageId,dice\na,0.5\n"])
def test_a_file_without_rows_or_folds(file: Path, content: str) -> None:
    """The result is None, not an error."""
    file.write_text(content)
    assert oof.read(file, "cv/dice") is None


def test_a_run_without_the_file(tmp_path: Path) -> None:
    """The result is None, not an error."""
    assert oof.read(tmp_path / "oof.csv", "cv/dice") is None


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"ImageId,fold,dice\na,0,0.5\na,1,0.5\n", "has two rows for a"),
        (b"ImageId,fold,dice\na,0,half\n", "cannot be read as out-of-fold rows"),
        (b"ImageId,fold,dice\n\xff,0,0.5\n", "cannot be read as out-of-fold rows"),
    ],
)
def test_a_file_that_is_no_such_table(file: Path, content: bytes, message: str) -> None:
    """The error names the file and what is wrong with it."""
    file.write_bytes(content)
    with pytest.raises(TargetError, match=f"oof.csv {message}"):
        oof.read(file, "cv/dice")


def test_a_mask_may_be_longer_than_the_csv_module_allows(file: Path) -> None:
    """The run lengths of a large mask take more than 128 KiB; the limit of the module is restored afterwards."""
    file.write_text(f"ImageId,fold,EncodedPixels,dice\na,0,{'1 2 ' * 50_000},0.5\n")
    before = csv.field_size_limit(131_072)
    try:
        found = oof.read(file, "cv/dice")
        assert csv.field_size_limit() == 131_072
    finally:
        csv.field_size_limit(before)
    assert found is not None
    assert found.values == {"a": 0.5}


def test_equal_assignments(file: Path) -> None:
    """Two runs with the same images in the same folds have the same digest, whatever the order and the values."""
    first = oof.read(file, "cv/dice")
    file.write_text("ImageId,fold,auc\na,0,0.1\nb,1,0.2\nc,1,0.3\n")
    second = oof.read(file, "cv/auc")
    file.write_text("ImageId,fold,auc\na,1,0.1\nb,1,0.2\nc,1,0.3\n")
    third = oof.read(file, "cv/auc")
    assert first is not None
    assert second is not None
    assert third is not None
    assert first.assignment == second.assignment != third.assignment
