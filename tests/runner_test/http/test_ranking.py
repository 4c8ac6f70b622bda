"""The leaderboard, made of submissions."""

import csv
import dataclasses
import io
import zipfile

import pytest
import requests
from kagglesdk.competitions.types.competition_api_service import (
    ApiDownloadLeaderboardRequest,
    ApiGetCompetitionRequest,
    ApiGetLeaderboardRequest,
    ApiListCompetitionTopicsRequest,
)

from runner_test.state import competitions
from tests.runner_test.contest import SOLUTION, Contest, rules
from tests.runner_test.local import eventually, fill

WRONG = [SOLUTION[0], *((name, str(1 - int(label))) for name, label in SOLUTION[1:])]
HALF = [*SOLUTION[:2], ("n1", "0"), *SOLUTION[3:]]  # of the public part, n0 and n1


def board(contest: Contest, **fields: object) -> tuple[list[tuple[int, str, str]], str]:
    """(team's number, name, score) of each row, and the next page's token."""
    request = fill(ApiGetLeaderboardRequest(), competition_name="parity")
    answer = contest.api("zoe").get_leaderboard(fill(request, **fields))
    return [(row.team_id, row.team_name, row.score) for row in answer.submissions], answer.next_page_token


def scored(contest: Contest, ref: int, user: str) -> None:
    """Wait for the result."""
    eventually(lambda: contest.get(ref, user).status.name != "PENDING", "it is scored")


def test_the_best_public_score_of_each_user_counts(contest: Contest) -> None:
    """The best first, of two with the same score the earlier one; malformed submissions do not count."""
    assert board(contest) == ([], "")
    for user, rows in (
        ("ann", WRONG),
        ("bob", HALF),
        ("ann", HALF),
        ("cid", SOLUTION),
        ("cid", WRONG),
        ("dan", [("x", "y")]),
    ):
        scored(contest, contest.send(rows, user).ref, user)
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
    lower = dataclasses.replace(rules(contest.folder / "project"), mode="min")
    competitions.register(
        contest.local.store.root, "parity", contest.folder / "data", contest.folder / "solution.csv", lower
    )
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
