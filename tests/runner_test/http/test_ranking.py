"""The leaderboard, made of submissions."""

import csv
import io
import json
import zipfile

import pytest
import requests
from kagglesdk.competitions.types.competition_api_service import (
    ApiDownloadLeaderboardRequest,
    ApiGetCompetitionRequest,
    ApiGetLeaderboardRequest,
    ApiListCompetitionTopicsRequest,
)

from tests.runner_test.contest import Contest
from tests.runner_test.local import fill


def board(contest: Contest, **fields: object) -> tuple[list[tuple[int, str, str]], str]:
    """(team's number, name, score) of each row, and the next page's token."""
    request = fill(ApiGetLeaderboardRequest(), competition_name="parity")
    answer = contest.api("zoe").get_leaderboard(fill(request, **fields))
    return [(row.team_id, row.team_name, row.score) for row in answer.submissions], answer.next_page_token


def test_the_best_public_score_of_each_user_counts(contest: Contest) -> None:
    """The best first, of two with the same score the earlier one; malformed submissions do not count."""
    assert board(contest) == ([], "")
    for user, score in (("ann", 0.0), ("bob", 0.5), ("ann", 0.5), ("cid", 1.0), ("cid", 0.0), ("dan", None)):
        contest.record(user, score)
    places = [(4, "cid", "1.00000"), (2, "bob", "0.50000"), (1, "ann", "0.50000")]
    assert board(contest) == (places, "")
    assert board(contest, page_size=2) == (places[:2], "2")
    assert board(contest, page_size=2, page_token="2") == (places[2:], "")

    found = contest.api("bob").get_competition(fill(ApiGetCompetitionRequest(), competition_name="parity"))
    assert (found.team_count, found.user_rank) == (3, 2)

    whole = contest.api().download_leaderboard(fill(ApiDownloadLeaderboardRequest(), competition_name="parity"))
    with zipfile.ZipFile(io.BytesIO(whole.content)) as archive:
        (name,) = archive.namelist()
        lines = list(csv.DictReader(io.StringIO(archive.read(name).decode())))
    assert name.startswith("parity-publicleaderboard-")
    keys = ("Rank", "TeamId", "TeamName", "Score", "SubmissionCount", "TeamMemberUserNames")
    assert [tuple(row[key] for key in keys) for row in lines] == [
        ("1", "4", "cid", "1.00000", "2", "cid"),
        ("2", "2", "bob", "0.50000", "1", "bob"),
        ("3", "1", "ann", "0.50000", "2", "ann"),
    ]

    # Where the lower score is the better one, the same submissions have other places.
    file = contest.local.store.root / "competition-rules" / "parity" / "rules.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"mode": "min"}))
    assert board(contest)[0] == [(1, "ann", "0.00000"), (4, "cid", "0.00000"), (2, "bob", "0.50000")]


def test_a_competition_without_a_leaderboard(contest: Contest) -> None:
    """404 without a solution, and for a competition that is not there. Nobody discusses either."""
    contest.local.store.add_competition("plain", contest.folder / "data")
    for name, message in (("plain", "plain has no leaderboard"), ("titanic", "no competition 'titanic'")):
        for ask, request in (
            (contest.api().get_leaderboard, ApiGetLeaderboardRequest()),
            (contest.api().download_leaderboard, ApiDownloadLeaderboardRequest()),
        ):
            with pytest.raises(requests.HTTPError, match=message):
                ask(fill(request, competition_name=name))
    topics = contest.api().list_competition_topics(fill(ApiListCompetitionTopicsRequest(), competition_name="parity"))
    assert (topics.topics, topics.total_count) == ([], 0)
