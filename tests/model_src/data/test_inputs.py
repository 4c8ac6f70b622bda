"""Finding attached inputs, in every layout that Kaggle has had."""

from __future__ import annotations

from pathlib import Path

import pytest

from model_src.data.inputs import InputMissing, find_file, find_inside, find_source


@pytest.mark.parametrize(
    ("source", "mount"),
    [
        ("ann/xrays", "datasets/ann/xrays"),
        ("ann/xrays", "notebooks/ann/xrays"),
        ("ann/xrays", "xrays"),
        ("ann/xrays", "elsewhere/deeper/xrays"),
        ("xray-cup", "competitions/xray-cup"),
        ("xray-cup", "xray-cup"),
    ],
)
def test_every_layout_is_found(tmp_path: Path, source: str, mount: str) -> None:
    """The new layout, the old one, and otherwise a folder of that name anywhere."""
    folder = tmp_path / "input" / mount
    folder.mkdir(parents=True)
    assert find_source(source, tmp_path) == folder


def test_owner_decides_between_data_sets_of_one_name(tmp_path: Path) -> None:
    """A path with the owner has precedence over a search by name."""
    for owner in ("ann", "bob"):
        (tmp_path / "input" / "datasets" / owner / "xrays").mkdir(parents=True)
    assert find_source("bob/xrays", tmp_path).parent.name == "bob"


def test_missing_source_shows_what_is_there(tmp_path: Path) -> None:
    """The message says what was searched, where, and what is there."""
    (tmp_path / "input" / "datasets" / "ann" / "kidneys").mkdir(parents=True)
    with pytest.raises(InputMissing, match=r"(?s)ann/xrays is not attached.*datasets/ann/kidneys/"):
        find_source("ann/xrays", tmp_path)


def test_nothing_attached_at_all(tmp_path: Path) -> None:
    """Without an input folder the message says that."""
    with pytest.raises(InputMissing, match=r"(?s)ann/xrays is not attached.*does not exist"):
        find_source("ann/xrays", tmp_path)


def test_nested_files_are_found_nearest_first(tmp_path: Path) -> None:
    """Data sets may have folders in folders; the least deep file is taken."""
    for folder in ("a/b", "z"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "train-rle.csv").touch()
    assert find_inside(tmp_path, "train-rle.csv") == tmp_path / "z" / "train-rle.csv"


def test_weights_are_found_in_an_attached_model(tmp_path: Path) -> None:
    """Models are mounted six folders deep; an existing path is used directly."""
    deep = tmp_path / "input/models/ann/detector/pytorch/small/1/weights.pth"
    deep.parent.mkdir(parents=True)
    deep.touch()
    assert find_file("weights.pth", tmp_path) == deep
    assert find_file(str(deep), Path("/nowhere")) == deep
