"""The verb scores: submissions with their scores, beside the runs' CV, and how well both agree in their ranks."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from coordinator.errors import CoordError, Later, NoAnswer
from coordinator.ledger import Ledger, Run, Submission, is_ahead, may_still_arrive, now, submissions
from coordinator.project import Project, TargetName
from coordinator.submissions.agreement import PARTS, Agreement, agreement
from coordinator.submissions.pairing import PairedCV, own_cv, paired_cv
from coordinator.submissions.recorded import RecordedScore
from coordinator.target import Standing, SubmissionState
from coordinator.text import in_one_line
from coordinator.workspace import Workspace

_REQUEST_SECONDS = 120.0  # what a request that changes something may take: see kaggle/policy.py
_WAITS = (0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 30.0)
"""Seconds between two questions about a score; the last one is repeated."""
_SILENT_AT_MOST = 3
"""Questions in a row that get no answer (each is retried by the client)."""


@dataclasses.dataclass(frozen=True)
class SubmissionScore:
    """A submission beside the run whose file it is."""

    submission: Submission
    run: Run | None
    """None if the ledger does not have it."""
    paired: PairedCV
    """The run's cross-validation, or that of a run whose output it read."""

    @property
    def label(self) -> str:
        return self.run.label if self.run else f"run {self.submission.run_id}"

    @property
    def metric(self) -> str:
        return self.paired.metric

    @property
    def mode(self) -> str:
        return self.paired.mode

    @property
    def cv(self) -> float | None:
        return self.paired.value

    @property
    def cv_run(self) -> Run | None:
        """The run that measured `cv`; None without one."""
        return self.paired.run

    def to_json(self) -> dict[str, Any]:
        run, cv_run = self.run, self.cv_run
        return {
            "experiment": run.experiment if run else None,
            "version": run.version if run else None,
            "metric": self.metric,
            "mode": self.mode,
            "cv": self.cv,
            "cv_run": cv_run.label if cv_run else None,
            "cv_note": self.paired.note,
            **self.submission.to_json(),
        }


def refresh(workspace: Workspace, competition: str) -> list[Submission]:
    """A competition's submissions as the target has them now, newest first, also in the ledger.

    One that is not there, and was sent so long ago that it cannot arrive any more (its process was killed, say), is
    given up; if it appears later, it is found all the same. One that the ledger does not have (it was rebuilt, say) is
    added if its description names one of the ledger's runs.
    """
    ledger, target = workspace.ledger, workspace.target.name
    # Of all competitions: ids and numbers belong to the target, whatever name a competition had in an older ledger.
    known = {each.id: each for each in submissions.all_submissions(ledger, target=target)}
    by_ref = {each.ref: each.id for each in known.values() if each.ref is not None}
    runs = {run.id: run.target for run in ledger.runs(hidden=True)}  # a file may be of a run on any target
    for standing in workspace.target.competitions.submissions(competition):
        run_id, number = submissions.stamped(standing.description) or ("", "")
        number = by_ref.get(standing.ref, number)
        if number not in known and run_id in runs:
            known[number] = _add_missing(
                workspace, standing, run_id, number, competition, is_upload=runs[run_id] != target
            )
        if number in known:
            known[number] = record(ledger, known[number], standing)
    for each in known.values():
        if each.competition == competition and each.state is SubmissionState.SENDING:
            _settle(workspace, each)
    return submissions.all_submissions(ledger, target=target, competition=competition)


def _settle(workspace: Workspace, each: Submission) -> None:
    """Gives up a submission that is not there and cannot arrive any more."""
    sent = datetime.fromisoformat(each.created_at).timestamp()
    if is_ahead(sent, workspace.clock):
        workspace.say(
            f"a submission is dated {each.created_at}: the clock was set back, so its time counts from now on"
        )
        here = datetime.fromtimestamp(workspace.clock.seconds(), UTC).isoformat(timespec="seconds")
        submissions.update(workspace.ledger, each, created_at=here)
    # Until then its request itself may have been under way: the ledger does not know when that ended.
    elif not may_still_arrive(sent + _REQUEST_SECONDS, workspace.clock):
        submissions.give_up(workspace.ledger, each)


def unknown(workspace: Workspace, competition: str) -> list[Standing]:
    """The target's submissions of the ledger's runs that the ledger does not have: what `refresh` would add."""
    ledger, target = workspace.ledger, workspace.target.name
    there = submissions.all_submissions(ledger, target=target)
    known = {each.id for each in there}
    refs = {each.ref for each in there if each.ref is not None}
    runs = {run.id for run in ledger.readable()}
    stamped = (
        (each, submissions.stamped(each.description)) for each in workspace.target.competitions.submissions(competition)
    )
    return [
        each for each, stamp in stamped if stamp and each.ref not in refs and stamp[0] in runs and stamp[1] not in known
    ]


def _add_missing(
    workspace: Workspace, standing: Standing, run_id: str, number: str, competition: str, *, is_upload: bool
) -> Submission:
    each = Submission(
        id=number,
        run_id=run_id,
        target=workspace.target.name,
        competition=competition,
        file_name=standing.file_name,
        sha256="",
        is_upload=is_upload,
        description=standing.description,
        state=standing.state,
        created_at=standing.created_at or now(),
    )
    submissions.add(workspace.ledger, each)
    return each


def record(ledger: Ledger, submission: Submission, standing: Standing) -> Submission:
    """Records a submission as it is on the target, and returns it."""
    changes: dict[str, Any] = {
        "ref": standing.ref,
        "state": standing.state,
        "public": standing.public,
        "private": standing.private,
        "message": standing.error,
        "never_arrived": False,
    }
    if standing.state is SubmissionState.COMPLETE and submission.scored_at is None:
        changes["scored_at"] = now()
    if all(getattr(submission, name) == value for name, value in changes.items()):
        return submission
    return submissions.update(ledger, submission, **changes)


def wait(workspace: Workspace, submission: Submission) -> Submission:
    """Asks until the submission has its score, or can't have one.

    Raises NoAnswer (or Later) after several questions without an answer.
    """
    asked, silent = 0, 0
    while submission.state is SubmissionState.PENDING and submission.ref is not None:
        try:
            standing = workspace.target.competitions.standing(submission.ref)
            submission, silent = record(workspace.ledger, submission, standing), 0
        except (NoAnswer, Later):
            silent += 1
            if silent >= _SILENT_AT_MOST:
                raise
        if submission.state is SubmissionState.PENDING:
            workspace.clock.sleep(_WAITS[min(asked, len(_WAITS) - 1)])
            asked += 1
    return submission


def all_scores(ledger: Ledger, found: Iterable[Submission]) -> list[SubmissionScore]:
    """Each submission with the cross-validation that its score is paired with (see pairing.py)."""
    every = functools.cache(lambda: ledger.runs(hidden=True))  # few ask: most runs have a CV of their own
    return [
        SubmissionScore(each, run, PairedCV() if run is None else own_cv(run) or paired_cv(run, every()))
        for each in found
        for run in [ledger.known(each.run_id)]
    ]


def agreements(project: Project, found: Sequence[SubmissionScore]) -> list[Agreement]:
    """How well CV ranks runs as the public and the private score do, for each metric and competition.

    A run whose CV is paired with several scores (it was submitted more than once, or several kernels that predict read
    its output) counts once, with the newest score.
    """
    groups: dict[tuple[str, str, str, str], dict[str, SubmissionScore]] = {}
    for each in found:
        counts = each.cv_run is not None and each.cv_run.hidden_at is None
        if each.cv_run is not None and counts and each.submission.state is SubmissionState.COMPLETE:
            place = (each.submission.target, each.submission.competition, each.metric, each.mode)
            groups.setdefault(place, {}).setdefault(each.cv_run.id, each)
    return [
        agreement(
            place,
            part,
            [(each.cv, getattr(each.submission, part)) for each in group.values()],
            project.settings.submission.mode or place[3],
        )
        for place, group in groups.items()
        for part in PARTS
    ]


def rows(found: Iterable[SubmissionScore], recorded: Iterable[RecordedScore] = ()) -> list[dict[str, Any]]:
    """A row a submission, of `COLUMNS`; then the recorded ones, whose target and state are `recorded`."""
    table = [*(each.to_json() for each in found), *(each.to_row() for each in recorded)]
    return [{name: row.get(name) for name in COLUMNS} for row in table]


_FIRST = (
    *("experiment", "version", "target", "competition", "state", "metric", "mode", "cv", "cv_run"),
    *("public", "private", "cv_note"),
)
COLUMNS = tuple(dict.fromkeys([*_FIRST, *(field.name for field in dataclasses.fields(Submission))]))


def places(found: Iterable[Submission]) -> list[tuple[TargetName, str]]:
    """(target, competition) of submissions, each once."""
    return list(dict.fromkeys((each.target, each.competition) for each in found))


def check(score: SubmissionScore) -> None:
    """Raises CoordError unless the submission has its score."""
    each = score.submission
    if each.state is SubmissionState.ERROR:
        about = f": {in_one_line(each.message)}" if each.message else ""
        raise CoordError(f"{score.label}: submission {each.ref} could not be scored{about}")
