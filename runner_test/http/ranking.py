"""CompetitionApiService, the methods that show the leaderboard: the public one, because nothing ends here."""

import csv
import io
import tempfile
import zipfile
from datetime import UTC, datetime
from pathlib import Path

from kagglesdk.competitions.types.competition_api_service import (
    ApiDownloadLeaderboardRequest,
    ApiGetLeaderboardRequest,
    ApiGetLeaderboardResponse,
    ApiLeaderboardSubmission,
)

from runner_test.http import access
from runner_test.http.competing import MAX_PAGE, competition_data
from runner_test.http.rpc import Answer, Caller, Redirect, Refusal, date, new
from runner_test.state import competitions, leaderboard
from runner_test.store import Store

_COLUMNS = ("Rank", "TeamId", "TeamName", "LastSubmissionDate", "Score", "SubmissionCount", "TeamMemberUserNames")


def get_leaderboard(caller: Caller, request: ApiGetLeaderboardRequest) -> Answer:
    """One page of a competition's public leaderboard, the best team first."""
    teams = leaderboard.leaderboard(caller.store.root, _scoring(caller, request.competition_name))
    size = access.page_size(request.page_size, MAX_PAGE)
    start = access.offset(request.page_token)
    rows = [
        new(
            ApiLeaderboardSubmission,
            team_id=team.number,
            team_name=team.user,
            submission_date=date(team.best.created),
            score=f"{team.score:.5f}",
        )
        for team in teams[start : start + size]
    ]
    return new(ApiGetLeaderboardResponse, submissions=rows, next_page_token=access.next_token(start + size, len(teams)))


def download_leaderboard(caller: Caller, request: ApiDownloadLeaderboardRequest) -> Answer:
    """A redirect to the address of an archive with the leaderboard as one CSV file."""
    slug = _scoring(caller, request.competition_name)
    return Redirect(access.signed_url(caller, "archives/leaderboards", f"{slug}.zip"))


def leaderboard_archive(store: Store, slug: str) -> Path:
    """A temporary zip file with the whole leaderboard, as it is now."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for rank, team in enumerate(leaderboard.leaderboard(store.root, slug), start=1):
        last = datetime.fromtimestamp(team.last, UTC).strftime("%Y-%m-%d %H:%M:%S")
        writer.writerow((rank, team.number, team.user, last, f"{team.score:.5f}", team.count, team.user))
    name = f"{slug}-publicleaderboard-{datetime.now(UTC):%Y-%m-%dT%H:%M:%S}.csv"
    with tempfile.NamedTemporaryFile(prefix="coord-leaderboard-", suffix=".zip", delete=False) as file:
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as made:
            made.writestr(name, text.getvalue())
        return Path(file.name)


def _scoring(caller: Caller, name: str) -> str:
    """The slug of a competition that scores submissions. Raises Refusal."""
    slug, _ = competition_data(caller, name)
    if competitions.rules_of(caller.store.root, slug) is None:
        raise Refusal(404, f"{slug} has no leaderboard: it was registered without a solution")
    return slug
