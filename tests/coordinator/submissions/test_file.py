"""A submission's file against the sample: what would be refused, with the line."""

from __future__ import annotations

from pathlib import Path

import pytest

from coordinator.errors import SubmissionError
from coordinator.submissions import file as submission_file

SAMPLE = "id,a,b\nx,0,\ny,0,\nz,0,1\n"
FITS = "id,a,b\nz,1,\nx,2,3\ny,0.5,\n"


def _problems(
    tmp_path: Path, text: str | bytes, sample: str | None = SAMPLE, *, several_rows: bool = False
) -> list[str]:
    (tmp_path / "sample.csv").write_text(sample or "")
    file = tmp_path / "mine.csv"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    expected = None if sample is None else submission_file.form(tmp_path / "sample.csv")
    try:
        submission_file.check(file, expected, name="mine.csv", several_rows=several_rows)
    except SubmissionError as error:
        return [line.strip() for line in error.what.splitlines()]
    return []


@pytest.mark.parametrize("text", [FITS, "\ufeff" + FITS, FITS.replace("\n", "\r\n"), FITS.replace("b\n", " b\n\n", 1)])
def test_what_fits(tmp_path: Path, text: str) -> None:
    """In any order, with a byte order mark, CRLF and blank lines, and empty where the sample is, too."""
    assert _problems(tmp_path, text) == []


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "it is empty"),
        ("id,a,b\n", "it has no rows"),
        (FITS.replace("id,a,b", "id,b,a"), "line 1: the columns are id, b, a, the sample has id, a, b"),
        (FITS.replace("x,2,3", "x,2"), "line 3: 2 values for 3 columns"),
        (FITS + "x,2,3\n", 'line 5: "x" is there more than once'),
        (FITS + "w,2,3\n", 'line 5: "w" is not an id of the sample'),
        (FITS.replace("x,2", "x,"), "line 3: a is empty"),
        (FITS.replace("x,2", "x,NaN"), "line 3: a is NaN, which is read as missing"),
        (FITS.replace("x,2", "x,-inf"), "line 3: a is -inf, which is read as infinite"),
        (FITS.replace("x,2,3\n", ""), "2 rows, the sample has 3; missing: x"),
        ('id,a,b\nx,"1\n', "mine.csv is not a CSV file, after line 2: unexpected end of data"),
        (b"id,a,b\n\xff\xfe", "mine.csv is not a CSV file: it is not UTF-8 text"),
    ],
)
def test_what_would_be_refused(tmp_path: Path, text: str | bytes, problem: str) -> None:
    """Each with its line."""
    found = _problems(tmp_path, text)
    assert any(line.startswith(problem) for line in found), found


def test_a_quoted_value_counts_its_lines(tmp_path: Path) -> None:
    """The line is that of an editor, although a value goes over two."""
    found = _problems(tmp_path, 'id,a,b\nx,"1\n2",\ny,null,\nz,1,1\n')
    assert found[1:] == ["line 4: a is null, which is read as missing"]


def test_only_the_first_problems_are_shown(tmp_path: Path) -> None:
    """A file of the wrong ids is one mistake, not a thousand lines."""
    rows = "".join(f"w{number},1,1\n" for number in range(1000))
    found = _problems(tmp_path, "id,a,b\n" + rows)
    assert found[0] == "mine.csv has 1001 problems:"
    assert (len(found), found[-1]) == (7, "and 996 more")


def test_several_rows_of_an_id(tmp_path: Path) -> None:
    """Where the settings or the sample itself say that they may be."""
    text = FITS + "x,5,6\n"
    assert _problems(tmp_path, text, several_rows=True) == []
    twice = SAMPLE + "x,0,\n"
    assert _problems(tmp_path, text, twice) == []
    assert _problems(tmp_path, FITS, twice)[1:] == ["3 rows, the sample has 4; missing: x"]


def test_without_a_sample(tmp_path: Path) -> None:
    """Only what is wrong in any competition."""
    assert _problems(tmp_path, "q,r\n1,2\n1,2\n", None) == []
    assert _problems(tmp_path, "q,r\n1,nan\n", None)[1:] == ["line 2: r is nan, which is read as missing"]


def test_a_sample_that_is_none(tmp_path: Path) -> None:
    """It is not taken for a form that nothing fits."""
    with pytest.raises(SubmissionError, match=r"the sample submission none.csv cannot be read: No such file"):
        submission_file.form(tmp_path / "none.csv")
    (tmp_path / "empty.csv").write_text("id,a\n")
    with pytest.raises(SubmissionError, match=r"the sample submission empty.csv has no rows"):
        submission_file.form(tmp_path / "empty.csv")
