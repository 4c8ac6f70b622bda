"""What is found in what two sessions left, without any session."""

from __future__ import annotations

import pytest

from coordinator.project.project import Project
from coordinator.rehearsal.evidence import LastError, Rows, last_error, says_no_internet
from coordinator.rehearsal.findings import FindingKind, JudgedRerun, Session, expected_seconds, of_rerun, of_run
from coordinator.results import Sources
from coordinator.target.protocol import LogRecord

THREE = Rows(("n0", "n1", "n2"))
THIRTY = Rows(tuple(f"n{n}" for n in range(30)))
VISIBLE = Session(10.0, THREE, THREE)

TRACEBACK = """\
Traceback (most recent call last):
  File "/tmp/coord-x1/sources/tiny_model/engine.py", line 3, in <module>
    old()
KeyError: 'an older one'

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "/kaggle/working/infer.py", line 7, in <module>
    predict(frame)
  File "/tmp/coord-x1/sources/tiny_model/engine.py", line 12, in predict
    frame["label"] = labels
    ~~~~~^^^^^^^^^
  File "/usr/local/lib/python3.12/dist-packages/pandas/core/frame.py", line 4091, in __setitem__
    raise ValueError(
ValueError: Length of values (3) does not match length of index (30)
"""


def rerun(failure: str = "", given: Rows | None = None, error: str = "", *, seconds: float = 20.0) -> JudgedRerun:
    session = Session(seconds, THIRTY, given, LastError("infer.py:7", error) if error else None)
    return JudgedRerun(session, 3600.0, failure, "why", (), "", is_scored=not failure)


def records(text: str, stream: str = "stderr") -> list[LogRecord]:
    return [LogRecord(stream=stream, time=1.0, data=line) for line in text.splitlines(keepends=True)]


def test_the_error_that_ended_a_session(tiny: Project) -> None:
    """The last traceback counts, and of its lines the innermost one in a file of the project."""
    sources = Sources(tiny.root, {})
    found = last_error([*records("50%\r100%\n"), *records(TRACEBACK), *records("and more\n", "stdout")], sources)
    assert found is not None
    assert str(found) == (
        "tiny_model/engine.py:12: ValueError: Length of values (3) does not match length of index (30)"
    )
    assert found.names(3, 30)
    assert not found.names(3, 20)
    assert last_error(records("all is well\n"), sources) is None


@pytest.mark.parametrize(
    "line",
    [
        "urllib.error.URLError: <urlopen error [Errno -3] Temporary failure in name resolution>",
        "OSError: We couldn't connect to 'https://huggingface.co' to load the files",
        "ERROR: No matching distribution found for timm\n\nthe pip that is installed is old",
        "fatal: unable to access 'https://github.com/a/b/': Could not resolve host: github.com",
    ],
)
def test_no_internet(line: str) -> None:
    """What libraries print that find no network."""
    assert says_no_internet(records(line + "\n"))
    assert says_no_internet(records("ValueError: the net has no name\n")) is None


@pytest.mark.parametrize(
    ("seen", "kind", "line"),
    [
        (
            rerun("Notebook Threw Exception", error="ValueError: Length of values (3) does not match (30)"),
            FindingKind.ROWS,
            "3 rows are visible, and 30 hidden (infer.py:7: ValueError: Length of values (3) does not match (30)).",
        ),
        (
            rerun("Notebook Threw Exception", error="ValueError: 30 x 13"),
            FindingKind.ERROR,
            "the rerun fails: Notebook Threw Exception (infer.py:7: ValueError: 30 x 13).",
        ),
        (
            rerun("Submission Scoring Error", Rows(("n7", "n8", "n9"))),
            FindingKind.ROWS,
            "the rerun's file has as many rows as the visible run's: 3 rows (n7, n8, n9) (27 of the 30 hidden ids",
        ),
        (
            rerun("Submission Scoring Error", THIRTY),
            FindingKind.FILE,
            "the rerun fails: Submission Scoring Error (why).",
        ),
        (rerun("Submission Scoring Error"), FindingKind.FILE, "the rerun fails: Submission Scoring Error (why)."),
        (rerun("Notebook Exceeded Allowed Compute"), FindingKind.COMPUTE, "Allowed Compute (why). Keep less in memory"),
        (rerun("Notebook Inference Server Never Started"), FindingKind.GATEWAY, "Call the server's serve()"),
        (rerun("Notebook Inference Server Error"), FindingKind.GATEWAY, "Call the server's serve()"),
        (
            rerun("Notebook Inference Server Error", error="KeyError: 'x'"),
            FindingKind.ERROR,
            "(infer.py:7: KeyError: 'x').",
        ),
        (rerun("Kaggle Error"), FindingKind.HOST, "Look at the competition's gateway"),
        (rerun("Some New Error"), FindingKind.ERROR, "the rerun fails: Some New Error (why)."),
    ],
)
def test_why_a_rerun_failed(seen: JudgedRerun, kind: FindingKind, line: str) -> None:
    """Each of Kaggle's names has a kind, and one that is not known is told, too."""
    (finding,) = of_rerun(VISIBLE, seen)
    assert finding.kind is kind
    assert line in str(finding)
    assert finding.fails


@pytest.mark.parametrize(
    ("seen", "rows", "seconds"),
    [
        (rerun(given=THIRTY), 30, 20.0),
        (rerun(given=THIRTY, seconds=37.0), 3030, 3037.0),
        (rerun(given=THIRTY, seconds=9.0), 3030, None),
        (rerun("Notebook Threw Exception"), 3000, 10000.0),
    ],
)
def test_how_long_all_rows_would_take(seen: JudgedRerun, rows: int, seconds: float | None) -> None:
    """What does not depend on the rows is not multiplied, if two numbers of rows were measured."""
    assert expected_seconds(VISIBLE, seen, rows) == (None if seconds is None else pytest.approx(seconds))
    late = [each for each in of_rerun(VISIBLE, seen, rows_of_kaggle=rows) if each.kind is FindingKind.TIME]
    assert len(late) == (seconds is not None and seconds > 3600)
    assert not any(each.fails for each in late)  # an estimate that takes loading for work is no more than a warning


def test_the_run_on_the_visible_data() -> None:
    """Its internet is told although it is complete; a run that failed is told with its error."""
    assert [each.kind for each in of_run(VISIBLE, has_internet=True, state="")] == [FindingKind.INTERNET]
    failed = Session(1.0, THREE, None, LastError("infer.py:7", "KeyError: 'x'"))
    (finding,) = of_run(failed, has_internet=False, state="has failed")
    assert str(finding).startswith("the run on the visible data has failed (infer.py:7: KeyError: 'x').")
