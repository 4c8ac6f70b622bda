"""Competitions: what they take, how it is scored, and what is refused, through Kaggle's own client."""

import csv
import gzip
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests
from kagglesdk.competitions.services.competition_api_service import CompetitionApiClient
from kagglesdk.competitions.types.competition_api_service import (
    ApiCreateCodeSubmissionRequest,
    ApiCreateSubmissionRequest,
    ApiDownloadDataFileRequest,
    ApiDownloadDataFilesRequest,
    ApiDownloadSubmissionRequest,
    ApiGetCompetitionRequest,
    ApiGetSubmissionLimitsRequest,
    ApiGetSubmissionRequest,
    ApiListCompetitionsRequest,
    ApiListDataFilesRequest,
    ApiListSubmissionsRequest,
    ApiStartSubmissionUploadRequest,
)
from kagglesdk.competitions.types.competition_enums import SubmissionGroup, SubmissionSortBy

from runner_test import submissions
from runner_test.competitions import Rules, solution_of
from runner_test.errors import BadCompetition, MissingFolder
from runner_test.server import running_server
from tests.runner_test.local import WAITS_FOR_GO, Local, eventually, fill

# The share of the ids with the right label.
SCORER = """
import csv, os, sys, time

def rows(path):
    with open(path, newline="") as file:
        return dict(row for row in csv.reader(file))

def accuracy(submission, solution, ids):
    given, right = rows(submission), rows(solution)
    if missing := right.keys() - given.keys():
        raise ValueError(f"{submission} has no row for {sorted(missing)[0]}")
    if "die" in given:
        os.kill(os.getpid(), 9)
    if "break" in given:
        raise KeyError("oops")
    if "nan" in given:
        return float("nan")
    while "wait" in given and not os.path.exists("go"):
        time.sleep(0.01)
    return sum(given[each] == right[each] for each in ids) / len(ids)

NOT_CALLABLE = 3
"""
SOLUTION = [("id", "label"), *((f"n{n}", str(n % 2)) for n in range(10))]


@dataclass
class Contest:
    """A competition that has been registered, on a running local Kaggle."""

    local: Local
    folder: Path

    def api(self, user: str = "me") -> Any:
        return CompetitionApiClient(self.local.http(user))

    def send(self, rows: list[tuple[str, str]], user: str = "me", name: str = "mine.csv") -> Any:
        """Announce a file, send it, submit it: the answer."""
        content = "".join(f"{','.join(row)}\n" for row in rows).encode()
        start = fill(
            ApiStartSubmissionUploadRequest(), competition_name="parity", file_name=name, content_length=len(content)
        )
        upload = self.api(user).start_submission_upload(start)
        assert requests.put(upload.create_url, data=content, timeout=10).status_code == 200
        return self.submit(upload.token, user)

    def submit(self, token: str, user: str = "me") -> Any:
        request = fill(
            ApiCreateSubmissionRequest(),
            competition_name="parity",
            blob_file_tokens=token,
            submission_description="a try",
        )
        return self.api(user).create_submission(request)

    def code(self, slug: str, user: str = "me", **fields: Any) -> Any:
        """Submit a kernel's output."""
        named = {"competition_name": "parity", "kernel_owner": "me", "kernel_slug": slug}
        return self.api(user).create_code_submission(fill(ApiCreateCodeSubmissionRequest(), **named | fields))

    def get(self, ref: int, user: str = "me") -> Any:
        return self.api(user).get_submission(fill(ApiGetSubmissionRequest(), ref=ref))

    def scored(self, ref: int) -> tuple[str, str, str, str]:
        """Wait for the end: status, public and private score, error."""
        eventually(lambda: self.get(ref).status.name != "PENDING", "it is scored")
        found = self.get(ref)
        return found.status.name, found.public_score, found.private_score, found.error_description

    def limits(self, user: str = "me") -> tuple[int, int, int]:
        answer = self.api(user).get_submission_limits(fill(ApiGetSubmissionLimitsRequest(), competition_name="parity"))
        return answer.num_today, answer.num_total, answer.num_allowed_now

    def listed(self, **fields: Any) -> list[int]:
        request = fill(ApiListSubmissionsRequest(), competition_name="parity")
        return [each.ref for each in self.api().list_submissions(fill(request, **fields)).submissions]


def rules(project: Path, **changes: Any) -> Rules:
    return Rules(**{"scorer": "metric:accuracy", "project": str(project), "python": sys.executable} | changes)


def write(path: Path, rows: Sequence[Sequence[str]]) -> Path:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    return path


@pytest.fixture
def contest(local: Local, tmp_path: Path) -> Contest:
    """`parity`: ten rows, n0 and n1 public, n2 to n7 private, the others ignored; three submissions a day."""
    (tmp_path / "project").mkdir()
    (tmp_path / "project" / "metric.py").write_text(SCORER)
    (tmp_path / "data" / "images").mkdir(parents=True)
    (tmp_path / "data" / "images" / "a b.txt").write_text("picture")
    (tmp_path / "data" / "train.csv").write_text("id,label\n")
    usage = ["Usage", "Public", "Public", *["Private"] * 6, "Ignored", "Ignored"]
    solution = [(*row, part) for row, part in zip(SOLUTION, usage, strict=True)]
    local.store.add_competition(
        "parity",
        tmp_path / "data",
        write(tmp_path / "solution.csv", solution),
        rules(tmp_path / "project", daily_limit=3),
    )
    return Contest(local, tmp_path)


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
    """PENDING as long as the scorer works; it is a process of its own, which outlives the server."""
    with running_server(contest.local.store.root) as server:
        other = Contest(Local(server.url, contest.local.store), contest.folder)
        ref = other.send([*SOLUTION, ("wait", "")]).ref
        assert other.get(ref).status.name == "PENDING"
    assert contest.limits() == (1, 1, 2)
    (contest.folder / "project" / "go").touch()
    assert contest.scored(ref) == ("COMPLETE", "1.00000", "1.00000", "")


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (SOLUTION[:5], "mine.csv has no row for n4"),
        ([*SOLUTION, ("break", "")], "The scorer broke: KeyError: 'oops'"),
        ([*SOLUTION, ("nan", "")], "The score is not a number"),
        ([*SOLUTION, ("die", "")], submissions.LOST),
    ],
)
def test_what_can_not_be_scored(contest: Contest, rows: list[tuple[str, str]], message: str) -> None:
    """ERROR with a description, and it doesn't count against the day's limit."""
    status, public, private, error = contest.scored(contest.send(rows).ref)
    assert (status, public, private) == ("ERROR", "", "")
    assert message in error
    assert contest.limits() == (0, 0, 3)


def test_the_days_limit(contest: Contest) -> None:
    """The fourth submission of a day is refused in Kaggle's words; another user has a limit of their own."""
    for _ in range(3):
        contest.send(SOLUTION)
    assert contest.limits()[2] == 0
    with pytest.raises(requests.HTTPError, match=r"used its daily Submission allowance \(3\) today"):
        contest.send(SOLUTION)
    assert contest.limits("anna") == (0, 0, 3)
    for ref in (1, 2, 3):
        contest.scored(ref)


def test_a_kernels_output_is_submitted(contest: Contest) -> None:
    """A complete version's file is scored; what isn't complete, isn't there or isn't mine is refused."""
    text = "".join(f"{','.join(row)}\n" for row in SOLUTION)
    contest.local.run("solver", f"open('submission.csv', 'w').write({text!r})")
    contest.local.run("solver", "raise SystemExit(1)")
    contest.local.push("runs-on", WAITS_FOR_GO)
    assert contest.scored(contest.code("solver", kernel_version=1).ref)[:3] == ("COMPLETE", "1.00000", "1.00000")
    assert contest.get(1).url.endswith("/code/me/solver")
    for slug, fields, message in (
        ("solver", {"kernel_version": 2}, "it is ERROR, not COMPLETE"),
        ("solver", {"kernel_version": 1, "file_name": "../source.py"}, "has no output '../source.py'"),
        ("solver", {"kernel_version": 9}, "has no version 9"),
        ("runs-on", {}, "not COMPLETE"),
        ("nothing", {}, "was denied"),
    ):
        with pytest.raises(requests.HTTPError, match=message):
            contest.code(slug, **fields)
    with pytest.raises(requests.HTTPError, match="was denied"):
        contest.code("solver", user="anna", kernel_version=1)
    assert contest.listed() == [1]


def test_a_code_competition(contest: Contest) -> None:
    """It takes no files, and no kernel that had the internet."""
    contest.local.store.add_competition(
        "parity",
        contest.folder / "data",
        contest.folder / "solution.csv",
        rules(contest.folder / "project", kernels_only=True),
    )
    text = "".join(f"{','.join(row)}\n" for row in SOLUTION)
    source = f"open('submission.csv', 'w').write({text!r})"
    contest.local.run("online", source, enable_internet=True)
    contest.local.run("offline", source, enable_internet=False)
    with pytest.raises(requests.HTTPError, match="from notebooks and scripts only"):
        contest.send(SOLUTION)
    with pytest.raises(requests.HTTPError, match="wants the internet off"):
        contest.code("online")
    assert contest.scored(contest.code("offline").ref)[0] == "COMPLETE"


def test_the_list_of_submissions(contest: Contest) -> None:
    """Mine alone, the newest first, by score or name if asked, in pages, with the failed ones left out if asked."""
    contest.send(SOLUTION[:5], name="c.csv")
    contest.send([SOLUTION[0], *((each, "1") for each, _ in SOLUTION[1:])], name="b.csv")
    contest.send(SOLUTION, name="a.csv")
    contest.send(SOLUTION, user="anna")
    for ref in (1, 2, 3):
        contest.scored(ref)
    assert contest.listed() == [3, 2, 1]
    assert contest.listed(group=SubmissionGroup.SUBMISSION_GROUP_SUCCESSFUL) == [3, 2]
    assert contest.listed(group=SubmissionGroup.SUBMISSION_GROUP_SELECTED) == []
    assert contest.listed(sort_by=SubmissionSortBy.SUBMISSION_SORT_BY_PUBLIC_SCORE) == [3, 2, 1]
    assert contest.listed(sort_by=SubmissionSortBy.SUBMISSION_SORT_BY_NAME) == [3, 2, 1]
    assert contest.listed(page_size=2) == [3, 2]
    assert contest.listed(page_size=2, page_token="2") == [1]
    assert contest.listed(page_size=2, page=2) == [1]
    with pytest.raises(requests.HTTPError, match="was denied"):
        contest.get(4)
    contest_of_anna = contest.get(4, "anna")
    assert contest_of_anna.submitted_by == "anna"
    eventually(lambda: contest.get(4, "anna").status.name == "COMPLETE", "it is scored")


def test_an_upload_that_is_not_whole(contest: Contest) -> None:
    """What was announced has to come, all of it and no more, in time and from the one who announced it."""
    start = fill(ApiStartSubmissionUploadRequest(), competition_name="parity", file_name="../x.csv", content_length=5)
    upload = contest.api().start_submission_upload(start)
    with pytest.raises(requests.HTTPError, match=r"'x.csv' is not complete"):
        contest.submit(upload.token)
    for content in (b"1234", b"123456"):
        assert requests.put(upload.create_url, data=content, timeout=10).status_code == 400
    with pytest.raises(requests.HTTPError, match=r"is not complete"):
        contest.submit(upload.token)
    assert requests.put(upload.create_url, data=b"12345", timeout=10).status_code == 200
    for token, user in ((upload.token, "anna"), ("0" * 32, "me"), ("../../secret", "me"), ("", "me")):
        with pytest.raises(requests.HTTPError, match="no such upload"):
            contest.submit(token, user)
    assert requests.put(f"{contest.local.url}/uploads/{'0' * 32}", data=b"1", timeout=10).status_code == 404
    with running_server(contest.local.store.root, url_lifetime=0) as hasty:
        late = Contest(Local(hasty.url, contest.local.store), contest.folder).api().start_submission_upload(start)
        assert requests.put(late.create_url, data=b"12345", timeout=10).status_code == 404
    with pytest.raises(requests.HTTPError, match="1 to"):
        contest.api().start_submission_upload(fill(start, content_length=0))


def test_a_competitions_data(contest: Contest) -> None:
    """Its description, its files in pages, one of them, and all of them in an archive; no solution among them."""
    api = contest.api()
    found = api.get_competition(fill(ApiGetCompetitionRequest(), competition_name="Parity"))
    assert (found.title, found.max_daily_submissions, found.submissions_disabled) == ("parity", 3, False)
    files = api.list_data_files(fill(ApiListDataFilesRequest(), competition_name="parity"))
    assert [(file.name, file.total_bytes) for file in files.files] == [("images/a b.txt", 7), ("train.csv", 9)]
    assert requests.get(files.files[0].url, timeout=10).text == "picture"
    request = fill(ApiDownloadDataFileRequest(), competition_name="parity", file_name="images/a b.txt")
    assert api.download_data_file(request).text == "picture"
    whole = api.download_data_files(fill(ApiDownloadDataFilesRequest(), competition_name="parity"))
    assert b"images/a b.txt" in whole.content
    assert b"solution" not in whole.content
    for name in ("../solution.csv", "nothing"):
        with pytest.raises(requests.HTTPError, match="has no file"):
            api.download_data_file(fill(request, file_name=name))
    listed = api.list_competitions(fill(ApiListCompetitionsRequest(), search="par")).competitions
    assert [each.title for each in listed] == ["parity"]
    assert not api.list_competitions(fill(ApiListCompetitionsRequest(), search="titanic")).competitions


def test_a_competition_without_a_solution(contest: Contest) -> None:
    """Its data can be read and attached; it takes no submissions. What isn't registered is 404."""
    contest.local.store.add_competition("old-one", contest.folder / "data")
    found = contest.api().get_competition(fill(ApiGetCompetitionRequest(), competition_name="old-one"))
    assert found.submissions_disabled
    for name, message in (("old-one", "without a solution"), ("titanic", "no competition"), ("../x", "not a name")):
        with pytest.raises(requests.HTTPError, match=message):
            contest.api().get_submission_limits(fill(ApiGetSubmissionLimitsRequest(), competition_name=name))


def test_parts_are_drawn_where_the_solution_names_none(local: Local, tmp_path: Path) -> None:
    """The same ids each time, of the share that was asked for, each in one part, with one row an id or several."""
    (tmp_path / "metric.py").write_text(SCORER)
    (tmp_path / "data").mkdir()
    rows = [("id", "label"), *((f"n{n}", str(m)) for n in range(40) for m in range(2))]
    plain = write(tmp_path / "solution.csv", rows)
    packed = tmp_path / "solution.csv.gz"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    drawn = []
    for path, share in ((plain, 0.25), (packed, 0.25), (plain, 0.001), (plain, 0.999)):
        local.store.add_competition("c", tmp_path / "data", path, rules(tmp_path, public_share=share))
        _, parts = solution_of(local.store.root, "c")
        assert sorted(parts["public"] + parts["private"]) == sorted(f"n{n}" for n in range(40))
        drawn.append(parts["public"])
    assert drawn[0] == drawn[1]
    assert [len(public) for public in drawn] == [10, 10, 1, 39]


@pytest.mark.parametrize(
    ("rows", "changes", "message"),
    [
        ([("id", "label")], {}, "needs a header, and rows"),
        ([("id", "label"), ("a",)], {}, "rows that are as long as it"),
        ([("id", "label"), ("a", "1")], {}, "too few rows"),
        ([("id", "Usage"), ("a", "Public"), ("b", "Secret")], {}, "not 'secret'"),
        ([("id", "Usage"), ("a", "Public"), ("b", "Public")], {}, "too few rows"),
        (SOLUTION, {"scorer": "metric"}, "not of the form module:function"),
        (SOLUTION, {"scorer": "none:accuracy"}, "No module named 'none'"),
        (SOLUTION, {"scorer": "metric:none"}, "has no attribute 'none'"),
        (SOLUTION, {"scorer": "metric:NOT_CALLABLE"}, "is no function"),
        (SOLUTION, {"daily_limit": 0}, "at least 1"),
        (SOLUTION, {"public_share": 1.0}, "between 0 and 1"),
    ],
)
def test_a_competition_that_could_not_score(
    local: Local, tmp_path: Path, rows: list[tuple[str, ...]], changes: dict[str, Any], message: str
) -> None:
    """Said when it is registered, in one line; nothing is registered."""
    (tmp_path / "metric.py").write_text(SCORER)
    (tmp_path / "data").mkdir()
    solution = write(tmp_path / "solution.csv", rows)
    with pytest.raises(BadCompetition) as error:
        local.store.add_competition("c", tmp_path / "data", solution, rules(tmp_path, **changes))
    assert message in str(error.value)
    assert "\n" not in str(error.value)
    assert not (local.store.root / "competitions").exists()


def test_a_solution_that_sessions_could_read(local: Local, tmp_path: Path) -> None:
    """A solution among the data, one that isn't there, and data that aren't there are refused."""
    write(tmp_path / "solution.csv", SOLUTION)
    for data, solution, error in (
        (tmp_path, tmp_path / "solution.csv", BadCompetition),
        (tmp_path, tmp_path.parent / "none.csv", BadCompetition),
        (tmp_path / "none", tmp_path / "solution.csv", MissingFolder),
    ):
        with pytest.raises(error):
            local.store.add_competition("c", data, solution, rules(tmp_path))


def test_the_scorer_gets_no_credentials(contest: Contest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its process sees what a session sees of the environment, and nothing of the pusher's."""
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
