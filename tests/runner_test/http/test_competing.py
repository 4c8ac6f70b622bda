"""The methods that show competitions and their data."""

import pytest
import requests
from kagglesdk.competitions.types.competition_api_service import (
    ApiDownloadDataFileRequest,
    ApiDownloadDataFilesRequest,
    ApiGetCompetitionRequest,
    ApiGetSubmissionLimitsRequest,
    ApiListCompetitionsRequest,
    ApiListDataFilesRequest,
)

from tests.runner_test.contest import Contest
from tests.runner_test.local import fill


def test_a_competitions_data(contest: Contest) -> None:
    """Its description, its files in pages, a single file, and an archive of all; the solution is not among them."""
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
    """Its data can be read and attached, but it accepts no submissions. Unregistered competitions: 404."""
    contest.local.store.add_competition("old-one", contest.folder / "data")
    found = contest.api().get_competition(fill(ApiGetCompetitionRequest(), competition_name="old-one"))
    assert found.submissions_disabled
    for name, message in (
        ("old-one", "without a solution"),
        ("titanic", "no competition"),
        ("../x", "not a valid name"),
    ):
        with pytest.raises(requests.HTTPError, match=message):
            contest.api().get_submission_limits(fill(ApiGetSubmissionLimitsRequest(), competition_name=name))
