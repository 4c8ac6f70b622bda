"""ListKernels, with its filters."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

from kagglesdk.kernels.types.kernels_api_service import ApiListKernelsRequest, ApiListKernelsResponse
from kagglesdk.kernels.types.kernels_enums import KernelsListSortType, KernelsListViewType

from runner_test.http import access
from runner_test.http.reading import metadata
from runner_test.http.rpc import Answer, Caller, Refusal, new
from runner_test.state import Kernel, Version, leaderboard

MAX_PAGE = 200
_LANGUAGES = ("all", "python", "r", "sqlite", "julia")
_TYPES = ("all", "script", "notebook")
_OUTPUTS = ("all", "visualization", "data")
_PICTURES = frozenset({".png", ".jpg", ".jpeg", ".gif", ".svg", ".html"})
_VIEWS = (
    KernelsListViewType.KERNELS_LIST_VIEW_TYPE_UNSPECIFIED,
    KernelsListViewType.PROFILE,
    KernelsListViewType.EVERYONE,
    KernelsListViewType.PUBLIC_AND_USERS_PRIVATE,
)


@dataclass(frozen=True)
class _Row:
    kernel: Kernel
    version: Version  # the newest
    ran: float  # when the newest version that was run was saved, in seconds since 1970; 0 if none was


def list_kernels(caller: Caller, request: ApiListKernelsRequest) -> Answer:
    """The kernels that the caller may see and that pass the filters, those that ran last first. Raises Refusal."""
    for value, known in (
        (request.language, _LANGUAGES),
        (request.kernel_type, _TYPES),
        (request.output_type, _OUTPUTS),
    ):
        if value and value not in known:
            raise Refusal(400, f"{value!r} is none of {', '.join(known)}")
    rows = _sorted(caller, request, [row for row in _rows(caller, request) if _passes(caller, row, request)])
    size = access.page_size(request.page_size, MAX_PAGE)
    start = access.offset(request.page_token) if request.page_token else (max(request.page, 1) - 1) * size
    return new(
        ApiListKernelsResponse,
        kernels=[metadata(caller, row.kernel, row.version) for row in rows[start : start + size]],
        next_page_token=access.next_token(start + size, len(rows)),
    )


def _rows(caller: Caller, request: ApiListKernelsRequest) -> list[_Row]:
    """The kernels of the requested view: all that the caller may see, or the caller's own."""
    if request.group not in _VIEWS:
        return []  # there are no votes, forks or collaborators here
    found = []
    for kernel in caller.store.kernels():
        is_wanted = request.group is not KernelsListViewType.PROFILE or kernel.owner == caller.user
        version = caller.store.newest(kernel.reference)
        if is_wanted and version and access.may_see(caller, kernel):
            ran = caller.store.last_run(kernel.reference)
            found.append(_Row(kernel, version, ran.created if ran else 0.0))
    return found


def _passes(caller: Caller, row: _Row, request: ApiListKernelsRequest) -> bool:
    title, slug = row.kernel.title.lower(), row.kernel.slug
    # A data set's version is not part of its name.
    datasets = ["/".join(name.split("/")[:2]) for name in row.version.dataset_sources]
    return (
        (not request.user or row.kernel.owner == request.user.lower())
        and all(word in title or word in slug for word in request.search.lower().split())
        and (not request.dataset or request.dataset.lower() in datasets)
        and (not request.competition or request.competition.lower() in row.version.competition_sources)
        and not request.parent_kernel  # no kernel was forked from another one
        and (request.language or "all") in ("all", "python")
        and (request.kernel_type or "all") in ("all", row.version.kernel_type)
        and _has_output(caller, row, request.output_type or "all")
    )


def _has_output(caller: Caller, row: _Row, kind: str) -> bool:
    """Whether the newest version has left files ("data"), or pictures among them ("visualization")."""
    if kind == "all":
        return True
    names = [output.name for output in caller.store.outputs(row.version)]
    return any(kind == "data" or PurePosixPath(name).suffix.lower() in _PICTURES for name in names)


def _sorted(caller: Caller, request: ApiListKernelsRequest, rows: list[_Row]) -> list[_Row]:
    """Without votes, views and comments, these orders are that of the last runs."""
    by = request.sort_by
    rows = sorted(rows, key=lambda row: (row.ran, row.version.created), reverse=True)
    if by in (KernelsListSortType.SCORE_ASCENDING, KernelsListSortType.SCORE_DESCENDING):
        scores = leaderboard.scores_of_kernels(caller.store.root, request.competition.lower() or None)
        sign = 1 if by is KernelsListSortType.SCORE_ASCENDING else -1
        return sorted(rows, key=lambda row: _by_score(row, scores, sign))
    order = _ORDERS.get(by)
    return sorted(rows, key=lambda row: order(row, request)) if order else rows


def _by_score(row: _Row, scores: Mapping[str, float], sign: int) -> tuple[bool, float]:
    """Kernels without a score come last."""
    score = scores.get(str(row.kernel.reference))
    return (score is None, sign * (score or 0.0))


def _relevance(row: _Row, request: ApiListKernelsRequest) -> float:
    """The share of the title that was not searched for."""
    return 1 - len(request.search) / max(len(row.kernel.title), 1)


_ORDERS: Mapping[KernelsListSortType, Callable[[_Row, ApiListKernelsRequest], float]] = {
    KernelsListSortType.DATE_CREATED: lambda row, _: -row.kernel.created,
    KernelsListSortType.RELEVANCE: _relevance,
}
