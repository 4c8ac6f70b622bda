"""A submission that Kaggle would refuse is not written."""

from __future__ import annotations

from pathlib import Path

import pytest

from model_src.data.labels import read_labels
from model_src.output.outputs import write_submission
from model_src.output.submission import check_submission

SHAPES = {"a": (3, 4), "b": (4, 4), "c": (3, 3)}
"""Heights and widths of three test images."""
GOOD = [("a", "10 2"), ("b", "-1"), ("c", "0 9")]


def test_good_submission_is_written(tmp_path: Path) -> None:
    """One row per image, in any order, also with a run up to the last pixel; no rows without images."""
    path = tmp_path / "submission.csv"
    write_submission(path, iter(reversed(GOOD)), SHAPES)
    assert path.read_text() == "ImageId,EncodedPixels\na,10 2\nb,-1\nc,0 9\n"
    assert read_labels(path) == {"c": ("0 9",), "b": (), "a": ("10 2",)}
    write_submission(path, GOOD[1:], {key: SHAPES[key] for key in "bc"}, skipped=["a"])
    assert path.read_text() == "ImageId,EncodedPixels\na,-1\nb,-1\nc,0 9\n"
    write_submission(path, [], {})
    assert path.read_text() == "ImageId,EncodedPixels\n"


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (GOOD[:2], "no row for c"),
        ([*GOOD, ("d", "-1")], "a row that was not asked for: d"),
        ([*GOOD, ("a", "0 1")], "more than one row for a"),
        ([*GOOD[:2], ("c", "")], "neither a mask nor -1 for c"),
        ([*GOOD[:2], ("c", "0 10")], r"c \(3x3 pixels\): run-length code ends at pixel 10 of 9"),
        ([("a", "11 2"), *GOOD[1:]], r"a \(4x3 pixels\): .* ends at pixel 13 of 12"),
        ([*GOOD[:2], ("c", "4 2 -1 1")], "c .* runs overlap"),
        ([*GOOD[:2], ("c", "4")], "c .* must hold pairs"),
        ([*GOOD[:2], ("c", "nan")], "c .* invalid literal"),
    ],
)
def test_bad_submission_is_not(tmp_path: Path, rows: list[tuple[str, str]], message: str) -> None:
    """The message names the image and the problem; an earlier file is unchanged."""
    path = tmp_path / "submission.csv"
    path.write_text("before")
    with pytest.raises(ValueError, match=message):
        write_submission(path, rows, SHAPES)
    assert [each.name for each in tmp_path.iterdir()] == ["submission.csv"]
    assert path.read_text() == "before"


def test_every_problem_is_told_at_once() -> None:
    """One line per kind of problem, with the names of a few images."""
    shapes = {f"{number:03}": (2, 2) for number in range(40)}
    rows = [(image_id, "3 2") for image_id in list(shapes)[:20]]
    with pytest.raises(ValueError, match="Kaggle would refuse it") as caught:
        check_submission(rows, shapes)
    lines = str(caught.value).splitlines()
    assert lines[1] == "no row for 020, 021, 022, 023, 024 and 15 more"
    assert lines[2].startswith("000 (2x2 pixels)")
    assert lines[-1] == "and 15 malformed masks more"
    assert len(lines) == 8
