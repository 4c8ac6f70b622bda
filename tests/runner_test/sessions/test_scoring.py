"""How submissions are scored: in a process of their own, on both parts of the solution."""

import json
import os

import pytest
from kagglesdk.competitions.types.competition_api_service import (
    ApiDownloadSubmissionRequest,
)

from runner_test.server import running_server
from runner_test.state import submissions
from tests.runner_test.contest import SOLUTION, Contest, rules
from tests.runner_test.local import Local, fill


def test_a_file_is_scored_on_both_parts(contest: Contest) -> None:
    """Half of the public rows and two thirds of the private ones are right; the ignored ones don't count."""
    guess = [("id", "label"), *((f"n{n}", "0" if n < 6 else str(n % 2)) for n in range(8)), ("n8", "x"), ("n9", "x")]
    answer = contest.send(guess)
    assert (answer.message, answer.ref) == ("Successfully submitted to parity", 1)
    assert contest.scored(1) == ("COMPLETE", "0.50000", "0.66667", "")
    found = contest.get(1)
    assert (found.file_name, found.description, found.submitted_by) == ("mine.csv", "a try", "me")
    assert found.total_bytes == len("".join(f"{','.join(row)}\n" for row in guess))
    content = contest.api().download_submission(fill(ApiDownloadSubmissionRequest(), submission_id=1)).text
    assert content.startswith("id,label\nn0,0\n")
    assert list((contest.local.store.root / "uploads").iterdir()) == []


def test_a_submission_waits_for_its_score(contest: Contest) -> None:
    """PENDING as long as the scorer runs; its process outlives the server."""
    with running_server(contest.local.store.root) as server:
        other = Contest(Local(server.url, contest.local.store), contest.folder)
        ref = other.send([*SOLUTION, ("wait", "0")]).ref
        assert other.get(ref).status.name == "PENDING"
    assert contest.limits() == (1, 1, 2)
    (contest.folder / "project" / "go").touch()
    assert contest.scored(ref) == ("COMPLETE", "1.00000", "1.00000", "")


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (SOLUTION[:5], "mine.csv has no row for n4"),
        ([*SOLUTION, ("break", "0")], "The scorer failed: KeyError: 'oops'"),
        ([*SOLUTION, ("nan", "0")], "The score is not a number"),
        ([*SOLUTION, ("die", "0")], submissions.LOST),
    ],
)
def test_what_can_not_be_scored(contest: Contest, rows: list[tuple[str, str]], message: str) -> None:
    """ERROR with a description, and it doesn't count against the day's limit."""
    status, public, private, error = contest.scored(contest.send(rows).ref)
    assert (status, public, private) == ("ERROR", "", "")
    assert message in error
    assert contest.limits() == (0, 0, 3)


def test_the_scorer_gets_no_credentials(contest: Contest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its process gets the variables of a session, and no others of the user's."""
    monkeypatch.setenv("KAGGLE_KEY", "secret")
    (contest.folder / "project" / "spy.py").write_text(
        "import json, os\ndef spy(submission, solution, ids):\n"
        "    raise ValueError(json.dumps([sorted(os.environ), open(solution).readline(), submission.suffix]))\n"
    )
    contest.local.store.add_competition(
        "parity",
        contest.folder / "data",
        contest.folder / "solution.csv",
        rules(contest.folder / "project", scorer="spy:spy"),
    )
    names, header, suffix = json.loads(contest.scored(contest.send(SOLUTION).ref)[3])
    assert "KAGGLE_KEY" in os.environ
    assert "KAGGLE_KEY" not in names
    assert (header, suffix) == ("id,label\n", ".csv")  # without the column Usage
