"""The verb submit: a run's file, fetched and checked against the sample -> intent in the ledger -> one submission."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from coordinator.clock import Clock
from coordinator.errors import (
    CoordError,
    Later,
    NoAnswer,
    NotSent,
    RunFailed,
    SubmissionError,
    TargetError,
    UsageError,
    did_you_mean,
)
from coordinator.files import held
from coordinator.ledger import ARRIVAL_SECONDS, MERGED, NEVER_ARRIVED, Ledger, Run, Submission, now, submissions
from coordinator.runs import output_file, refresh_run
from coordinator.submissions import file as submission_file, scores
from coordinator.target import Competition, Competitions, RunState, SubmissionState
from coordinator.workspace import Workspace

MESSAGE_AT_MOST = 200
"""Characters of a message: the stamp that names the submission comes after it, and must not be cut off."""
_ASK_SECONDS = (1.0, 2.0, 4.0, 8.0, 15.0)
"""Waits between two questions whether a submission arrived; the last one is repeated."""


def submit_run(
    workspace: Workspace,
    run: Run,
    *,
    competition: str | None,
    file_name: str,
    message: str,
    is_upload: bool,
    force: bool,
) -> Submission:
    """Submits a file that a complete run left: by naming the kernel's version, or by sending the file (`is_upload`).

    If the answer is lost, the target is asked what exists: the submission whose description names this one is adopted.
    Nothing is sent twice.

    What is not here of the run's file and figures is fetched first.

    Raises RunFailed if the run is not complete, SubmissionError if it left no such file, or one that is not as it was
    fetched, would be refused, or was submitted before (unless `force`); Later if the day's submissions are spent;
    TargetError if the target refused, NoAnswer if it is not known whether it took it.
    """
    run = refresh_run(workspace, run, look_at_log=False)
    named = workspace.project.settings.submission.competition if competition is None else competition
    slug = _competition(run) if named is None else named
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]*", slug):
        hint = "It is the last part of its address: kaggle.com/competitions/NAME."
        raise UsageError(f'"{slug}" is no competition\'s name', hint=hint)
    if run.state is not RunState.COMPLETE:
        about = f": {run.message}" if run.message else ""
        wait = f"Wait for it: coord logs --exp {run.experiment} --follow" if run.state.is_active else None
        raise RunFailed(f"{run.label} is {run.state}, and only a complete run can be submitted{about}", hint=wait)
    if run.version == MERGED and not is_upload:
        raise SubmissionError(
            f"{run.label} was {run.message}: there is no version of a kernel to submit",
            hint=f"Where a file is taken: --upload. Else run all folds in one: coord push --exp {run.experiment}",
        )
    run, file = output_file.bring(workspace, run, file_name)
    if (ended := output_file.status_of(run)) != "complete":
        workspace.say(f"warning: {run.label} reports that it is {ended}")
    description = _message(run, message)
    known = [each.competition for each in submissions.all_submissions(workspace.ledger)]
    place = _open(workspace.target.competitions, slug, [*known, *run.metadata.get("competition_sources", [])])
    if is_upload and place.kernels_only:
        raise UsageError(f"{slug} takes versions of kernels, and no files", hint="Leave out --upload.")
    if place.kernels_only and run.metadata.get("enable_internet"):
        raise SubmissionError(
            f"{run.label} had the internet, and {slug} takes only kernels without",
            hint="Set enable_internet = false in [tool.coord.kernel], and push again.",
        )
    if not is_upload and not place.kernels_only and workspace.target.name != "local":
        workspace.say(f"note: {slug} is no code competition; if it wants a file, add --upload")
    _check_file(workspace, workspace.target.competitions, slug, run, file, file_name)
    digest = output_file.sha256(file)
    with held(workspace.project.submit_lock(workspace.target.name, slug), wait=True):
        _check_repeated(workspace, slug, run, file_name, digest, force=force)
        _check_allowance(workspace.target.competitions, slug, workspace.clock)
        token = workspace.target.competitions.upload(slug, file) if is_upload else ""
        each = _intent(workspace.ledger, run, slug, file_name, digest, description, is_upload=is_upload)
        workspace.say(f"submitting {file_name} of {run.label} to {slug}")

        def send() -> int | None:
            if is_upload:
                return workspace.target.competitions.submit_upload(slug, token, each.description)
            return workspace.target.competitions.submit_version(slug, run.ref, file_name, each.description)

        return _send(workspace, send, each)


def _competition(run: Run) -> str:
    attached = run.metadata.get("competition_sources") or []
    if len(attached) == 1:
        return str(attached[0])
    if attached:
        raise UsageError(
            f"{run.label} has {len(attached)} competitions", hint=f"--competition {' or '.join(attached)}?"
        )
    raise UsageError(
        f"to which competition? {run.label} has none attached",
        hint='Name it with --competition SLUG, or competition = "SLUG" in [tool.coord.submission].',
    )


def _message(run: Run, message: str) -> str:
    if len(message) > MESSAGE_AT_MOST:
        raise UsageError(f"--message has {len(message)} characters, of which {MESSAGE_AT_MOST} are taken")
    value = run.reported.primary_value
    if message or value is None:
        return message or run.label
    return f"{run.label}, {run.reported.primary_name} {value:.4f}"[:MESSAGE_AT_MOST]


def _open(competitions: Competitions, slug: str, known: list[str]) -> Competition:
    try:
        found = competitions.competition(slug)
    except TargetError as error:
        near = did_you_mean(slug, {each for each in known if each != slug})
        raise type(error)(error.what + near, hint=error.hint) from error
    if not found.is_open:
        raise TargetError(f"{slug} takes no submissions", hint=f"See {found.url}")
    return found


def _check_file(
    workspace: Workspace,
    competitions: Competitions,
    slug: str,
    run: Run,
    file: Path,
    name: str,
) -> None:
    settings = workspace.project.settings.submission
    with tempfile.TemporaryDirectory(prefix="coord-sample-") as folder:
        if settings.sample is not None:
            sample: Path | None = workspace.project.root / settings.sample
        else:
            sample = competitions.sample(slug, Path(folder))
        if sample is None:
            workspace.say(
                f"warning: {slug} has no file that is clearly its sample submission: ids and columns are not checked"
            )
            workspace.say('Name one: sample = "FILE" in [tool.coord.submission].')
        expected = None if sample is None else submission_file.form(sample)
    of_run = f"{name} of {run.label}"
    submission_file.check(file, expected, name=of_run, several_rows=settings.several_rows)


def _check_repeated(workspace: Workspace, slug: str, of: Run, file_name: str, digest: str, *, force: bool) -> None:
    """The same file scores the same, and costs one of the day's submissions.

    Of one that was taken in from the target the contents are not known here: it is what that run left by that name.
    """
    for each in scores.refresh(workspace.target.competitions, workspace.ledger, workspace.target.name, slug):
        is_same = each.sha256 == digest or (
            not each.sha256 and each.run_id == of.id and each.file_name in ("", file_name)
        )
        if not is_same or each.state in (SubmissionState.REFUSED, SubmissionState.ERROR) or force:
            continue
        run = scores.all_scores(workspace.ledger, [each])[0].label
        if each.state is SubmissionState.SENDING:
            what, hint = f"it is not known yet whether it arrived (sent {each.created_at})", "Look: coord scores"
        else:
            shown = "not scored yet" if each.public is None else f"public score {each.public:g}"
            what, hint = f"as submission {each.ref} on {each.created_at}: {shown}", "Submit it again with --force."
        raise SubmissionError(f"the same file was submitted to {slug} with {run}, {what}", hint=hint)


def _check_allowance(competitions: Competitions, slug: str, clock: Clock) -> None:
    found = competitions.allowance(slug)
    if found.left > 0:
        return
    if found.is_for_good:
        raise TargetError(f"your team may make no more submissions to {slug}: it has made all that it allows")
    here = datetime.fromtimestamp(clock.seconds(), UTC)
    midnight = (here + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
    minutes = int((midnight - here).total_seconds() / 60)
    raise Later(
        f"today's submissions to {slug} are spent ({found.today})",
        hint=f"There are new ones at 00:00 UTC, in {minutes // 60} h {minutes % 60:02} min.",
    )


def _intent(
    ledger: Ledger, run: Run, slug: str, file_name: str, digest: str, description: str, *, is_upload: bool
) -> Submission:
    number = submissions.new_submission_id()
    each = Submission(
        id=number,
        run_id=run.id,
        target=run.target,
        competition=slug,
        file_name=file_name,
        sha256=digest,
        is_upload=is_upload,
        description=f"{description} {submissions.stamp(run.id, number)}",
        state=SubmissionState.SENDING,
        created_at=now(),
    )
    submissions.add(ledger, each)
    return each


def _send(
    workspace: Workspace,
    send: Callable[[], int | None],
    each: Submission,
) -> Submission:
    try:
        ref = send()
    except CoordError as error:
        if isinstance(error, NotSent) or not isinstance(error, NoAnswer):
            submissions.update(workspace.ledger, each, state=SubmissionState.REFUSED, message=error.what)
            raise
        workspace.say(f"{error.what}; asking {workspace.target.name} whether the submission arrived")
        return _arrived(workspace, each)
    if ref is None:
        return _arrived(workspace, each)
    return submissions.update(workspace.ledger, each, state=SubmissionState.PENDING, ref=ref)


def _arrived(workspace: Workspace, each: Submission) -> Submission:
    """The submission, found on the target. Raises NoAnswer where it is not, or where that is not known."""
    begun, asked = workspace.clock.seconds(), 0
    while True:
        try:
            known = scores.refresh(workspace.target.competitions, workspace.ledger, each.target, each.competition)
        except CoordError as error:
            raise NoAnswer(
                f"it is not known whether the submission to {each.competition} arrived: {error.what}",
                hint="Run coord scores: it asks what arrived. Nothing is submitted twice.",
            ) from error
        found = next(other for other in known if other.id == each.id)
        if found.state is not SubmissionState.SENDING:
            workspace.say(f"it did: submission {found.ref}")
            return found
        if workspace.clock.seconds() - begun > ARRIVAL_SECONDS:
            submissions.update(workspace.ledger, each, state=SubmissionState.REFUSED, message=NEVER_ARRIVED)
            raise NoAnswer(
                f"the submission to {each.competition} never arrived on {each.target}",
                hint="Nothing was submitted: run the same command again.",
            )
        workspace.clock.sleep(_ASK_SECONDS[min(asked, len(_ASK_SECONDS) - 1)])
        asked += 1
