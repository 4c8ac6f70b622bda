"""The methods that accept submissions, and what they refuse."""

import pytest
import requests
from kagglesdk.competitions.types.competition_api_service import (
    ApiStartSubmissionUploadRequest,
)
from kagglesdk.competitions.types.competition_enums import SubmissionGroup, SubmissionSortBy

from runner_test.server import running_server
from tests.runner_test.contest import SOLUTION, Contest, rules
from tests.runner_test.local import WAITS_FOR_GO, Local, eventually, fill


def test_the_days_limit(contest: Contest) -> None:
    """The fourth submission of a day is refused in Kaggle's words; each user has a limit of their own."""
    for _ in range(3):
        contest.send(SOLUTION)
    assert contest.limits()[2] == 0
    with pytest.raises(requests.HTTPError, match=r"used its daily Submission allowance \(3\) today"):
        contest.send(SOLUTION)
    assert contest.limits("anna") == (0, 0, 3)
    for ref in (1, 2, 3):
        contest.scored(ref)


def test_a_kernels_output_is_submitted(contest: Contest) -> None:
    """A complete version's file is scored; incomplete, missing and other users' versions are refused."""
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
    """It accepts no files, and no kernels with the internet on."""
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
    with pytest.raises(requests.HTTPError, match="requires the internet to be off"):
        contest.code("online")
    assert contest.scored(contest.code("offline").ref)[0] == "COMPLETE"


def test_the_list_of_submissions(contest: Contest) -> None:
    """Only the caller's, newest first, or by score or name, in pages, and without failed ones if requested."""
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


def test_an_upload_that_is_not_complete(contest: Contest) -> None:
    """An upload must have the announced size, and arrive in time from the user who announced it."""
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
