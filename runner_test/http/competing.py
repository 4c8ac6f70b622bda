"""CompetitionApiService, the methods that show competitions and their data."""

from pathlib import Path
from typing import Any

from kagglesdk.competitions.types.competition_api_service import (
    ApiCompetition,
    ApiDataFile,
    ApiDownloadDataFileRequest,
    ApiDownloadDataFilesRequest,
    ApiGetCompetitionRequest,
    ApiListCompetitionsRequest,
    ApiListCompetitionsResponse,
    ApiListCompetitionTopicsRequest,
    ApiListCompetitionTopicsResponse,
    ApiListDataFilesRequest,
    ApiListDataFilesResponse,
)

from runner_test.errors import BadName
from runner_test.http import access
from runner_test.http.rpc import Answer, Caller, Redirect, Refusal, date, new
from runner_test.state import check_name, competitions, leaderboard, sources, tree
from runner_test.store import Store

MAX_PAGE = 200


def get_competition(caller: Caller, request: ApiGetCompetitionRequest) -> Answer:
    """A registered competition."""
    slug, _ = competition_data(caller, request.competition_name)
    return _competition(caller, slug)


def list_competitions(caller: Caller, request: ApiListCompetitionsRequest) -> Answer:
    """The registered competitions, by name."""
    wanted = (request.search or "").lower()
    found = [slug for slug in sources.competitions(caller.store.root) if wanted in slug]
    size = access.page_size(request.page_size, MAX_PAGE)
    start = access.offset(request.page_token) if request.page_token else (max(request.page, 1) - 1) * size
    return new(
        ApiListCompetitionsResponse,
        competitions=[_competition(caller, slug) for slug in found[start : start + size]],
        next_page_token=access.next_token(start + size, len(found)),
    )


def _competition(caller: Caller, slug: str) -> Any:
    rules = competitions.rules_of(caller.store.root, slug)
    users = [team.user for team in leaderboard.leaderboard(caller.store.root, slug)] if rules else []
    return new(
        ApiCompetition,
        id=1 + sources.competitions(caller.store.root).index(slug),
        ref=f"{caller.url}/competitions/{slug}",
        url=f"{caller.url}/competitions/{slug}",
        title=slug,
        user_has_entered=True,
        team_count=len(users),
        user_rank=users.index(caller.user) + 1 if caller.user in users else None,
        max_daily_submissions=rules.daily_limit if rules else None,
        evaluation_metric=rules.scorer if rules else None,
        is_kernels_submissions_only=rules.kernels_only if rules else None,
        submissions_disabled=rules is None,
    )


def list_data_files(caller: Caller, request: ApiListDataFilesRequest) -> Answer:
    """One page of a competition's data files, by name."""
    slug, folder = competition_data(caller, request.competition_name)
    found = tree.readable_files(folder)
    start = access.offset(request.page_token)
    size = access.page_size(request.page_size, MAX_PAGE)
    files = [
        new(
            ApiDataFile,
            ref=name,
            name=name,
            total_bytes=status.st_size,
            url=access.signed_url(caller, f"data/{slug}", name),
            creation_date=date(status.st_mtime),
        )
        for name, status in found[start : start + size]
    ]
    return new(ApiListDataFilesResponse, files=files, next_page_token=access.next_token(start + size, len(found)))


def download_data_file(caller: Caller, request: ApiDownloadDataFileRequest) -> Answer:
    """A redirect to the address of one data file."""
    slug, folder = competition_data(caller, request.competition_name)
    if tree.file(folder, request.file_name) is None:
        raise Refusal(404, f"{slug} has no file {request.file_name!r}")
    return Redirect(access.signed_url(caller, f"data/{slug}", request.file_name))


def download_data_files(caller: Caller, request: ApiDownloadDataFilesRequest) -> Answer:
    """A redirect to the address of an archive of all data files."""
    slug, _ = competition_data(caller, request.competition_name)
    return Redirect(access.signed_url(caller, "archives/competitions", f"{slug}.zip"))


def list_competition_topics(caller: Caller, request: ApiListCompetitionTopicsRequest) -> Answer:
    """No topics: nobody discusses a competition here."""
    competition_data(caller, request.competition_name)
    return new(ApiListCompetitionTopicsResponse, topics=[], total_count=0)


def data_file(store: Store, slug: str, name: str) -> Path:
    """The path of the file at such an address. Raises Refusal."""
    folder = sources.competition(store.root, slug)
    path = tree.file(folder, name) if folder is not None else None
    if path is None:
        raise Refusal(404, f"There is no file {name!r} any more")
    return path


def data_files(store: Store, slug: str) -> list[tuple[str, Path]]:
    """All data files of a competition, as (name, path). Raises Refusal."""
    folder = sources.competition(store.root, slug)
    if folder is None:
        raise Refusal(404, f"There is no competition {slug!r} any more")
    found = ((name, tree.file(folder, name)) for name, _ in tree.readable_files(folder))
    return [(name, path) for name, path in found if path is not None]


def competition_data(caller: Caller, name: str) -> tuple[str, Path]:
    """A competition's slug and folder. Raises Refusal."""
    try:
        slug = check_name(name)
    except BadName as error:
        raise Refusal(404, str(error)) from error
    folder = sources.competition(caller.store.root, slug)
    if folder is None:
        raise Refusal(404, f"There is no competition {slug!r}")
    return slug, folder
