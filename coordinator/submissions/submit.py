"""The verb submit: a run's file, fetched and checked against the sample -> intent in the ledger -> one submission."""

from __future__ import annotations

import contextlib
import dataclasses
import re
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from coordinator.bundle import Guard
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
from coordinator.kaggle_rules import normal_name
from coordinator.ledger import Run, Submission, Unanswered, claim, submissions
from coordinator.runs import outdated_now, output_file, refresh_run
from coordinator.submissions import file as submission_file, scores
from coordinator.submissions.pairing import PairedCV, fetched_cv
from coordinator.target import (
    KAGGLE,
    Competition,
    Competitions,
    RunState,
    SubmissionState,
    abilities_of,
    lacking,
    recorded_abilities,
)
from coordinator.text import in_one_line
from coordinator.workspace import Workspace

MESSAGE_AT_MOST = 200
"""Characters of a message: Kaggle must not cut off the stamp that follows it and names the submission."""


@dataclass(frozen=True)
class SubmitOptions:
    """What is to be submitted of a run, and how."""

    competition: str | None = None
    """Its slug; None: the one that the settings name, or else the one that is attached to the run."""
    file_name: str = "submission.csv"
    message: str = ""
    """What the description begins with; empty: the run and the CV that its score is paired with."""
    is_upload: bool = False
    """The file is sent, instead of naming the kernel's version."""
    force: bool = False
    """Although the same file was submitted before, or what the run read has another version now."""


@contextlib.contextmanager
def open_place(workspace: Workspace, run: Run, to: str | None, *, is_upload: bool) -> Iterator[Workspace]:
    """The workspace with the target that takes the submission: `to`, or the run's own, or Kaggle for a cluster's run.

    Raises UsageError if that target takes none, or has no version of the run's kernel to submit.
    """
    own = recorded_abilities(run.target)
    name = to or (run.target if own and own.has_competitions else KAGGLE)
    there = abilities_of(workspace.project, name)
    if not there.has_competitions:
        remedy = f"Submit to {KAGGLE}: coord submit {run.experiment} --upload"
        raise lacking(name, there, "no competitions", remedy)
    if name != run.target and not is_upload:
        raise UsageError(
            f"{run.label} is no version of a kernel on {name}: only its file can be submitted there",
            hint="If the competition takes files: --upload. A code competition runs the kernel itself: "
            f"coord push --exp {run.experiment} --target {name}",
        )
    with workspace.open_target(name) as place:
        yield place


def submit_run(workspace: Workspace, run: Run, options: SubmitOptions, place: Workspace | None = None) -> Submission:
    """Submits a file that a complete run left. `workspace` has the run's target, and `place` the one that it goes to.

    The run's file and figures are fetched first, unless they are here. If the answer is lost, the target is asked what
    exists: the submission whose description names this one is adopted. Nothing is sent twice.

    Raises RunFailed if the run is not complete, SubmissionError if it left no such file, or one that is not as it was
    fetched, would be refused, was submitted before, or is outdated; Later if the day's submissions are spent;
    TargetError if the target refused, NoAnswer if it is not known whether it took it.
    """
    place = place or workspace
    run = refresh_run(workspace, run, look_at_log=False)
    named = (options.competition, workspace.project.settings.submission.competition)
    slug = next((each for each in named if each is not None), None)
    slug = _competition(run) if slug is None else normal_name(slug)
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]*", slug):
        hint = "It is the last part of its address: kaggle.com/competitions/NAME."
        raise UsageError(f'"{slug}" is no competition\'s name', hint=hint)
    _check_run(run, options)
    _check_sources(workspace, run, force=options.force)
    run, file = output_file.ensure_local(workspace, run, options.file_name)
    if (ended := output_file.status_of(run)) != "complete":
        workspace.say(f"warning: {run.label} reports that it is {ended}")
    Guard(workspace.project.root).check_texts({"--message": options.message}, "the submission's description")
    description = _message(run, options.message, fetched_cv(workspace, run))
    competition = _check_place(place, slug, run, options)
    _check_file(place, slug, file, f"{options.file_name} of {run.label}")
    number = submissions.new_submission_id()
    each = Submission(
        id=number,
        run_id=run.id,
        target=place.target.name,
        competition=slug,
        file_name=options.file_name,
        sha256=output_file.sha256(file),
        is_upload=options.is_upload,
        description=f"{description} {submissions.stamp(run.id, number)}",
        state=SubmissionState.SENDING,
        created_at=workspace.ledger.moment(),
    )
    with held(workspace.project.submit_lock(place.target.name, slug), wait=True):
        _check_repeated(place, each, is_run_again=competition.kernels_only, force=options.force)
        _check_allowance(place, slug)
        competitions = place.target.competitions
        token = competitions.upload(slug, file) if each.is_upload else ""
        each = dataclasses.replace(each, created_at=workspace.ledger.moment())
        if warning := claim(workspace.ledger):
            workspace.say(warning)
        submissions.add(workspace.ledger, each)
        workspace.say(f"submitting {each.file_name} of {run.label} to {slug}")

        def send() -> int | None:
            if each.is_upload:
                return competitions.submit_upload(slug, token, each.description)
            return competitions.submit_version(slug, run.ref, each.file_name, each.description)

        return _send(place, send, each)


def _check_run(run: Run, options: SubmitOptions) -> None:
    if run.state is not RunState.COMPLETE:
        about = f": {in_one_line(run.message)}" if run.message else ""
        wait = f"Wait for it: coord logs --exp {run.experiment} --follow" if run.state.is_active else None
        raise RunFailed(f"{run.label} {run.state.phrase}, and only a complete run can be submitted{about}", hint=wait)
    if run.is_merged and not options.is_upload:
        raise SubmissionError(
            f"{run.label} was merged from the runs of its folds: there is no version of a kernel to submit",
            hint=f"Where a file is taken: --upload. Else run all folds in one: coord push --exp {run.experiment}",
        )


def _check_sources(workspace: Workspace, run: Run, *, force: bool) -> None:
    found = outdated_now(workspace, run)
    if found and not force:
        made = {
            each.source: each.experiment
            for each in workspace.ledger.runs(target=run.target, hidden=True)
            if each.has_kernel
        }
        # The last of `through` is the one that read an earlier version: it is pushed first.
        order = [made[source] for each in found for source in reversed(each.through) if source in made]
        push = ", then ".join(f"coord push --exp {name}" for name in dict.fromkeys([*order, run.experiment]))
        raise SubmissionError(
            f"the predictions of {run.label} are outdated: it {', and '.join(map(str, found))}",
            hint=f"Push it again ({push}), or submit these with --force.",
        )


def _check_place(workspace: Workspace, slug: str, run: Run, options: SubmitOptions) -> Competition:
    """The competition, which is open and takes such a submission."""
    known = [each.competition for each in submissions.all_submissions(workspace.ledger)]
    place = _open(workspace.target.competitions, slug, [*known, *run.metadata.get("competition_sources", [])])
    if options.is_upload and place.kernels_only:
        push = f"Run it there: coord push --exp {run.experiment} --target {workspace.target.name}"
        is_there = run.target == workspace.target.name
        raise UsageError(
            f"{slug} takes versions of kernels, and no files", hint="Leave out --upload." if is_there else push
        )
    if place.kernels_only and run.metadata.get("enable_internet"):
        raise SubmissionError(
            f"{run.label} had the internet, and {slug} takes only kernels without",
            hint="Set enable_internet = false in [tool.coord.kernel], and push again.",
        )
    if not options.is_upload and not place.kernels_only and not workspace.target.abilities.is_on_this_machine:
        workspace.say(f"note: {slug} is no code competition; if it wants a file, add --upload")
    return place


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


def _message(run: Run, message: str, cv: PairedCV) -> str:
    """The given message, or the run and the CV that its score is paired with, with the run that this is of."""
    if len(message) > MESSAGE_AT_MOST:
        raise UsageError(f"--message has {len(message)} characters, of which {MESSAGE_AT_MOST} are taken")
    if message or cv.run is None or cv.value is None:
        return message or run.label
    of = "" if cv.run.id == run.id else f" of {cv.run.label}"
    return f"{run.label}, {cv.metric} {cv.value:.4f}{of}"[:MESSAGE_AT_MOST]


def _open(competitions: Competitions, slug: str, known: list[str]) -> Competition:
    try:
        found = competitions.competition(slug)
    except TargetError as error:
        near = did_you_mean(slug, {each for each in known if each != slug})
        raise type(error)(error.what + near, hint=error.hint) from error
    if not found.is_open:
        raise TargetError(f"{slug} takes no submissions", hint=f"See {found.url}" if found.url else None)
    return found


def _check_file(workspace: Workspace, slug: str, file: Path, name: str) -> None:
    settings = workspace.project.settings.submission
    with tempfile.TemporaryDirectory(prefix="coord-sample-") as folder:
        if settings.sample is not None:
            sample: Path | None = workspace.project.root / settings.sample
        else:
            sample = workspace.target.competitions.sample(slug, Path(folder))
        if sample is None:
            workspace.say(
                f"warning: {slug} has no file that is clearly its sample submission: ids and columns are not checked"
            )
            workspace.say('Name one: sample = "FILE" in [tool.coord.submission].')
        expected = None if sample is None else submission_file.form(sample)
    submission_file.check(file, expected, name=name, several_rows=settings.several_rows)


def _check_repeated(workspace: Workspace, new: Submission, *, is_run_again: bool, force: bool) -> None:
    """The same file scores the same, and costs one of the day's submissions.

    Where kernels run again, the same version does: two that agree on the few visible rows need not on the hidden ones.
    The contents of a submission that was added from the target are not known: they count as that run's file of that
    name.
    """
    for each in scores.refresh(workspace, new.competition):
        is_of_run = each.run_id == new.run_id and each.file_name in ("", new.file_name)
        is_same = is_of_run if is_run_again or not each.sha256 else each.sha256 == new.sha256
        if not is_same or each.state in (SubmissionState.REFUSED, SubmissionState.ERROR) or force:
            continue
        run = scores.all_scores(workspace.ledger, [each])[0].label
        if each.state is SubmissionState.SENDING:
            what, hint = f"it is not known yet whether it arrived (sent {each.created_at})", "Look: coord scores"
        else:
            shown = "not scored yet" if each.public is None else f"public score {each.public:g}"
            what, hint = f"as submission {each.ref} on {each.created_at}: {shown}", "Submit it again with --force."
        same = "version" if is_run_again else "file"
        raise SubmissionError(f"the same {same} was submitted to {new.competition} with {run}, {what}", hint=hint)


def _check_allowance(workspace: Workspace, slug: str) -> None:
    found = workspace.target.competitions.allowance(slug)
    if found.left > 0:
        return
    if found.is_for_good:
        raise TargetError(f"your team may make no more submissions to {slug}: it has made all that it allows")
    here = datetime.fromtimestamp(workspace.clock.seconds(), UTC)
    midnight = (here + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
    minutes = int((midnight - here).total_seconds() / 60)
    raise Later(
        f"today's submissions to {slug} are spent ({found.today})",
        hint=f"There are new ones at 00:00 UTC, in {minutes // 60} h {minutes % 60:02} min.",
    )


def _send(workspace: Workspace, send: Callable[[], int | None], each: Submission) -> Submission:
    try:
        ref = send()
    except CoordError as error:
        if isinstance(error, NotSent) or not isinstance(error, NoAnswer):
            submissions.update(workspace.ledger, each, state=SubmissionState.REFUSED, message=error.what)
            raise
        workspace.say(f"{error.what}; asking {workspace.target.name} whether the submission arrived")
        ref = None
    if ref is None:
        return _arrived(workspace, each)
    return submissions.update(workspace.ledger, each, state=SubmissionState.PENDING, ref=ref)


def _arrived(workspace: Workspace, each: Submission) -> Submission:
    """The submission, found on the target. Raises NoAnswer where it is not, or where that is not known."""

    def find() -> Submission | None:
        known = scores.refresh(workspace, each.competition)
        found = next(other for other in known if other.id == each.id)
        return None if found.state is SubmissionState.SENDING else found

    # From here on, not from the start of the request: a time-out may have taken longer than that.
    unanswered = Unanswered(workspace.clock.seconds(), find, lambda: submissions.give_up(workspace.ledger, each))
    try:
        found = unanswered.wait(workspace.clock)
    except CoordError as error:
        raise NoAnswer(
            f"it is not known whether the submission to {each.competition} arrived: {error.what}",
            hint="Run coord scores: it asks what arrived. Nothing is submitted twice.",
        ) from error
    if found.never_arrived:
        raise NoAnswer(
            f"the submission to {each.competition} never arrived on {each.target}",
            hint="Nothing was submitted: run the same command again.",
        )
    workspace.say(f"it did: submission {found.ref}")
    return found
