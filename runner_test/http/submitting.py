"""CompetitionApiService, the methods that submit files and outputs of kernels, and show submissions."""

from pathlib import Path
from typing import Any

from kagglesdk.competitions.types.competition_api_service import (
    ApiCreateCodeSubmissionRequest,
    ApiCreateCodeSubmissionResponse,
    ApiCreateSubmissionRequest,
    ApiCreateSubmissionResponse,
    ApiDownloadSubmissionRequest,
    ApiGetSubmissionLimitsRequest,
    ApiGetSubmissionRequest,
    ApiListSubmissionsRequest,
    ApiListSubmissionsResponse,
    ApiStartSubmissionUploadRequest,
    ApiStartSubmissionUploadResponse,
    ApiSubmission,
    ApiSubmissionLimits,
)
from kagglesdk.competitions.types.competition_enums import SubmissionGroup, SubmissionSortBy
from kagglesdk.competitions.types.submission_status import SubmissionStatus

from runner_test.errors import LocalKaggleError
from runner_test.http import access
from runner_test.http.competing import MAX_PAGE, competition_data
from runner_test.http.rpc import Answer, Caller, Redirect, Refusal, date, new
from runner_test.http.uploading import upload_url
from runner_test.state import Entry, NewSubmission, Result, Rules, State, Version, competitions, submissions, uploads
from runner_test.store import Store

MAX_SUBMISSION = 1 << 30  # bytes


def start_submission_upload(caller: Caller, request: ApiStartSubmissionUploadRequest) -> Answer:
    """Announce a file; the answer has a token, and the address to send the file to."""
    slug, _ = _open(caller, request.competition_name)
    if not 0 < request.content_length <= MAX_SUBMISSION:
        raise Refusal(400, f"A submission has 1 to {MAX_SUBMISSION:,} bytes, not {request.content_length:,}")
    assert caller.user is not None
    upload = uploads.start_upload(
        caller.store.root,
        caller.user,
        uploads.of_competition(slug),
        Path(request.file_name).name or "submission.csv",
        request.content_length,
        lifetime=caller.url_lifetime,
    )
    return new(ApiStartSubmissionUploadResponse, token=upload.token, create_url=upload_url(caller, upload))


def create_submission(caller: Caller, request: ApiCreateSubmissionRequest) -> Answer:
    """Submit an uploaded file."""
    slug, rules = _open(caller, request.competition_name)
    if rules.kernels_only:
        raise Refusal(400, "This competition accepts submissions from notebooks and scripts only")
    root = caller.store.root
    upload = uploads.upload_of(root, request.blob_file_tokens)
    if upload is None or (upload.user, upload.purpose) != (caller.user, uploads.of_competition(slug)):
        raise Refusal(400, "There is no such upload: it has expired, or was never started")
    content = uploads.upload_content(root, upload.token)
    if not content.is_file():
        raise Refusal(400, f"The upload of {upload.file_name!r} is not complete")
    new_submission = NewSubmission(slug, upload.user, request.submission_description, upload.file_name, kernel="")
    entry = _submit(caller, rules, content, new_submission)
    uploads.end_upload(root, upload.token)
    return new(ApiCreateSubmissionResponse, message=f"Successfully submitted to {slug}", ref=entry.number)


def create_code_submission(caller: Caller, request: ApiCreateCodeSubmissionRequest) -> Answer:
    """Submit an output file of a kernel's version, whose session must be COMPLETE.

    If the competition has hidden data, the version runs again with them, and that run's file counts.
    """
    slug, rules = _open(caller, request.competition_name)
    kernel = access.kernel(caller, request.kernel_owner, request.kernel_slug)
    if kernel.owner != caller.user:
        raise access.denied("kernels.update")
    version = access.version(caller, kernel, f"v{request.kernel_version}" if request.kernel_version else "")
    label = f"{kernel.reference} version {version.number}"
    state = caller.store.progress(version).state
    if state is not State.COMPLETE:
        raise Refusal(400, f"{label} can't be submitted: it is {state.value}, not COMPLETE")
    if rules.kernels_only and version.enable_internet:
        raise Refusal(400, f"{label} can't be submitted: this competition requires the internet to be off")
    name = request.file_name or "submission.csv"
    path = caller.store.output(version, name)
    if path is None:
        raise Refusal(400, f"{label} has no output {name!r}")
    new_submission = NewSubmission(
        competition=slug,
        user=kernel.owner,
        description=request.submission_description,
        file_name=name,
        kernel=f"{kernel.reference}/{version.number}",
    )
    if rules.reruns:
        entry = _run_again(caller, rules, version, new_submission)
    else:
        entry = _submit(caller, rules, path, new_submission)
    return new(ApiCreateCodeSubmissionResponse, message=f"Successfully submitted to {slug}", ref=entry.number)


def _submit(caller: Caller, rules: Rules, content: Path, new: NewSubmission) -> Entry:
    """Submit a file. Raises Refusal, in Kaggle's words, if the day's limit is reached."""
    return _accepted(submissions.submit(caller.store.root, rules, content, new), rules)


def _run_again(caller: Caller, rules: Rules, version: Version, new: NewSubmission) -> Entry:
    """Submit a version for a rerun. Raises Refusal, also if a source of it no longer exists."""
    root, saved = caller.store.root, caller.store.paths(version)
    try:
        return _accepted(submissions.submit_again(root, rules, version, saved, new), rules)
    except LocalKaggleError as error:
        raise Refusal(400, f"{version.reference} version {version.number} can't be submitted: {error}") from error


def _accepted(entry: Entry | None, rules: Rules) -> Entry:
    """The entry. Raises Refusal, in Kaggle's words, if there is none because the day's limit is reached."""
    if entry is None:
        limit = f"its daily Submission allowance ({rules.daily_limit}) today"
        raise Refusal(400, f"Submission not allowed: your team has used {limit}, please try again tomorrow UTC")
    return entry


def _open(caller: Caller, name: str) -> tuple[str, Rules]:
    """The slug and the rules of a competition that accepts submissions. Raises Refusal."""
    slug, _ = competition_data(caller, name)
    rules = competitions.rules_of(caller.store.root, slug)
    if rules is None:
        raise Refusal(400, f"{slug} accepts no submissions: it was registered without a solution")
    return slug, rules


# Reading


def get_submission(caller: Caller, request: ApiGetSubmissionRequest) -> Answer:
    """A submission of the caller."""
    return _submission(caller, _mine(caller, request.ref))


def list_submissions(caller: Caller, request: ApiListSubmissionsRequest) -> Answer:
    """The caller's submissions to a competition, the newest first."""
    slug, _ = competition_data(caller, request.competition_name)
    root = caller.store.root
    rows = [(entry, submissions.result_of(root, entry)) for entry in submissions.entries(root, slug, caller.user or "")]
    if request.group is SubmissionGroup.SUBMISSION_GROUP_SUCCESSFUL:
        rows = [row for row in rows if row[1].status == "COMPLETE"]
    elif request.group is SubmissionGroup.SUBMISSION_GROUP_SELECTED:
        rows = []  # submissions can't be selected here
    _sort(rows, request.sort_by)
    size = access.page_size(request.page_size, MAX_PAGE)
    start = access.offset(request.page_token) if request.page_token else (max(request.page, 1) - 1) * size
    return new(
        ApiListSubmissionsResponse,
        submissions=[_submission(caller, entry) for entry, _ in rows[start : start + size]],
        next_page_token=access.next_token(start + size, len(rows)),
    )


def _sort(rows: list[tuple[Entry, Result]], by: SubmissionSortBy) -> None:
    """Sort in place by name, or by a score (highest first, without one last); otherwise they stay sorted by date."""
    if by is SubmissionSortBy.SUBMISSION_SORT_BY_NAME:
        rows.sort(key=lambda row: row[0].file_name)
    elif by is SubmissionSortBy.SUBMISSION_SORT_BY_PUBLIC_SCORE:
        rows.sort(key=lambda row: (row[1].public is None, -(row[1].public or 0.0)))
    elif by is SubmissionSortBy.SUBMISSION_SORT_BY_PRIVATE_SCORE:
        rows.sort(key=lambda row: (row[1].private is None, -(row[1].private or 0.0)))


def get_submission_limits(caller: Caller, request: ApiGetSubmissionLimitsRequest) -> Answer:
    """How many submissions the caller has made today, and how many more are allowed."""
    slug, rules = _open(caller, request.competition_name)
    root, user = caller.store.root, caller.user or ""
    return new(
        ApiSubmissionLimits,
        num_today=submissions.today(root, slug, user),
        num_total=len(submissions.valid(root, slug, user)),
        num_allowed_now=submissions.allowed_today(root, rules, slug, user),
    )


def download_submission(caller: Caller, request: ApiDownloadSubmissionRequest) -> Answer:
    """A redirect to the address of the submitted file."""
    entry = _mine(caller, request.submission_id)
    if entry.rerun:
        raise Refusal(403, "The file of a rerun on hidden data can't be downloaded")
    return Redirect(access.signed_url(caller, f"submissions/{entry.number}", entry.file_name))


def submission_file(store: Store, number: int) -> Path:
    """The path of the file at such an address. Raises Refusal."""
    entry = submissions.entry_of(store.root, number)
    if entry is None:
        raise Refusal(404, f"There is no submission {number} any more")
    return submissions.submitted_file(store.root, entry)


def _mine(caller: Caller, number: int) -> Entry:
    entry = submissions.entry_of(caller.store.root, number)
    if entry is None or entry.user != caller.user:
        raise access.denied("competitions.getSubmission")
    return entry


def _submission(caller: Caller, entry: Entry) -> Any:
    result = submissions.result_of(caller.store.root, entry)
    return new(
        ApiSubmission,
        ref=entry.number,
        total_bytes=entry.size,
        date=date(entry.created),
        description=entry.description,
        error_description=result.error,
        file_name=entry.file_name,
        public_score=_figure(result.public),
        private_score=_figure(result.private),
        status=SubmissionStatus[result.status],
        submitted_by=entry.user,
        submitted_by_ref=entry.user,
        team_name=entry.user,
        url=f"{caller.url}/code/{entry.kernel.rpartition('/')[0]}" if entry.kernel else None,
    )


def _figure(score: float | None) -> str | None:
    """A score in Kaggle's format."""
    return None if score is None else f"{score:.5f}"
