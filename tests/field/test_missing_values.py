"""Values of a submission that pandas takes for missing or infinite, and Kaggle does not score.

Seen: pandas-dev/pandas#10647 and #55032 (NA, quoted or not, read as a missing value); here, `labels[0] = "None"`
passed the check and was scored by the local Kaggle.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pandas as pd
import pytest

from coordinator.errors import DependencyError, SubmissionError
from coordinator.submissions import file as submission_file
from runner_test.sessions.null_values import null_values

MISSING = [
    *("", "NaN", "nan", "-nan", "-NaN", "NA", "N/A", "n/a", "#N/A", "#NA", "#N/A N/A", "<NA>", "null", "NULL", "None"),
    *("1.#IND", "-1.#IND", "1.#QNAN", "-1.#QNAN"),
]
INFINITE = ["inf", "-inf", "+inf", "Inf", "INF", "Infinity", "-infinity", "1e999", "-1e400"]
MEANT = ["NAN", "+nan", "none", "NONE", "Null", "<na>", " nan ", " None", " inf ", " "]
"""What pandas takes for text: no number, all the same."""

NUMBERS = "id,label\na,0\nb,0.5\nc,1\n"
TRUTH = "id,label\na,1\nb,0\nc,1\n"
TEXTS = "id,label\na,cat\nb,dog\nc,cat\n"
FORMS = ["{}", '"{}"']


def _refused(tmp_path: Path, text: str, sample: str | None) -> list[str]:
    file, other = tmp_path / "submission.csv", tmp_path / "sample.csv"
    file.write_text(text)
    other.write_text(sample or "")
    expected = None if sample is None else submission_file.form(other)
    try:
        submission_file.check(file, expected, name="submission.csv", several_rows=False)
    except SubmissionError as error:
        return [line.strip() for line in error.what.splitlines()[1:]]
    return []


def _unscored(tmp_path: Path, text: str, solution: str) -> str:
    """What the local Kaggle finds missing."""
    file, other = tmp_path / "file.csv", tmp_path / "solution.csv"
    file.write_text(text)
    other.write_text(solution)
    return null_values(file, other)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("value", [*MISSING, *INFINITE])
def test_what_is_no_number_is_refused(tmp_path: Path, value: str, form: str) -> None:
    """In a column of numbers, by `coord submit` and by the local Kaggle, as pandas reads it."""
    text = f"id,label\na,1\nb,{form.format(value)}\nc,0\n"
    (tmp_path / "as.csv").write_text(text)
    number = pd.to_numeric(pd.read_csv(tmp_path / "as.csv")["label"], errors="coerce")[1]
    assert pd.isna(number) or abs(number) == float("inf")
    kind = "missing" if value in MISSING else "infinite"
    expected = f"line 3: label is {value}, which is read as {kind}" if value else "line 3: label is empty"
    for sample in (NUMBERS, None):
        assert _refused(tmp_path, text, sample) == [expected]
    assert _unscored(tmp_path, text, TRUTH) == "label of row 2"


@pytest.mark.parametrize("value", MEANT)
def test_what_only_looks_like_a_text(tmp_path: Path, value: str) -> None:
    """Nobody means it as a value where the sample has numbers."""
    assert len(_refused(tmp_path, f"id,label\na,1\nb,{value}\nc,0\n", NUMBERS)) == 1


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("value", [*MISSING[1:], *INFINITE, *MEANT[:6]])
def test_where_the_sample_has_texts_they_are_texts(tmp_path: Path, value: str, form: str) -> None:
    """NA is a country, and None a class."""
    text = f"id,label\na,dog\nb,{form.format(value)}\nc,cat\n"
    assert _refused(tmp_path, text, TEXTS) == _refused(tmp_path, text, None) == []
    assert _unscored(tmp_path, text, TEXTS) == ""


@pytest.mark.parametrize("form", FORMS)
def test_an_empty_text_is_missing(tmp_path: Path, form: str) -> None:
    """Unless the sample has some itself."""
    text = f"id,label\na,dog\nb,{form.format('')}\nc,cat\n"
    assert _refused(tmp_path, text, TEXTS) == ["line 3: label is empty"]
    assert _unscored(tmp_path, text, TEXTS) == "label of row 2"
    with_empty = TEXTS.replace("dog", "")
    assert _refused(tmp_path, text, with_empty) == []
    assert _unscored(tmp_path, text, with_empty) == ""


@pytest.mark.parametrize(
    ("text", "sample"),
    [
        ("id,rle\na,1 5 9 2\nb,-1\nc,7 1\n", "id,rle\na,-1\nb,-1\nc,-1\n"),  # masks where the sample has numbers
        ("id,rle\na,1 5\nb,\nc,None\n", "id,rle\na,\nb,\nc,\n"),  # the sample has nothing but missing values
        ("id,x\nNA,1\nNone,2\nnan,3\n", "id,x\nNA,0\nNone,0\nnan,0\n"),  # ids are what the sample says
        ("id,x\na,True\nb,False\n", "id,x\na,False\nb,False\n"),
        ("id,x,x\na,1,2\nb,3,4\n", "id,x,x\na,0,0\nb,0,0\n"),  # two columns of one name
        ("id,x\na,1_000\nb,0x1F\n", "id,x\na,0\nb,0\n"),  # no numbers to pandas, but not missing either
        ("id,when\na,2026-11-01\nb,NaT\n", "id,when\na,2026-01-01\nb,2026-01-02\n"),
    ],
)
def test_what_passes(tmp_path: Path, text: str, sample: str) -> None:
    """Odd, but what the sample allows."""
    assert _refused(tmp_path, text, sample) == []


@pytest.mark.parametrize(
    ("text", "sample", "line"),
    [
        ("id,rle\na,1 5 9 2\nb,NA\nc,7 1\n", "id,rle\na,-1\nb,-1\nc,-1\n", "line 3: rle is NA"),
        ("id,rle\na,1 5 9 2\nb,inf\nc,7 1\n", "id,rle\na,-1\nb,-1\nc,-1\n", "line 3: rle is inf"),
        ("id,x\na,True\nb,None\n", "id,x\na,False\nb,False\n", "line 3: x is None"),
        ("id,x,x\na,1,2\nb,3,NA\n", "id,x,x\na,0,0\nb,0,0\n", "line 3: x is NA"),
        ('id,x\n"a\nb",1\nc,NULL\n', 'id,x\n"a\nb",0\nc,0\n', "line 4: x is NULL"),
        (f"id,x\na,1\nb,{'9' * 400}\n", "id,x\na,0\nb,0\n", f"line 3: x is {'9' * 400}"),  # no float is so large
        ("id,x\n\na,1\n\nb,n/a\n", "id,x\na,0\nb,0\n", "line 5: x is n/a"),
    ],
)
def test_among_other_values(tmp_path: Path, text: str, sample: str, line: str) -> None:
    """With the line that an editor shows."""
    (found,) = _refused(tmp_path, text, sample)
    assert found.startswith(f"{line}, which is read as ")


def test_more_rows_than_are_read_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A column is one of numbers if it is in all of them; lines and ids go on."""
    monkeypatch.setattr(submission_file, "_AT_ONCE", 2)
    sample = "id,x,y\na,0,0\nb,0,0\nc,0,cat\n"
    assert _refused(tmp_path, "id,x,y\na,1,None\nb,2,NA\nc,None,dog\n", sample) == [
        "line 4: x is None, which is read as missing"
    ]


def test_without_pandas(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The base install lacks it: the message says what to install."""
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(DependencyError, match="pandas is not installed") as error:
        _refused(tmp_path, NUMBERS, NUMBERS)
    assert error.value.hint == "Run: pip install 'coord[submit]'"
