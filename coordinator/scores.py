"""The verb scores: what became of submissions, their scores beside the runs' CV, and whether both rank alike."""

from __future__ import annotations

import csv
import dataclasses
import io
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from coordinator import metrics, submissions
from coordinator.competitions import Competitions, Standing, SubmissionState
from coordinator.errors import CoordError, Later, NoAnswer
from coordinator.ledger import Ledger, Run, now
from coordinator.project import Project
from coordinator.ranks import kendall, spearman
from coordinator.refresh import ARRIVAL_SECONDS, NEVER_ARRIVED
from coordinator.submissions import Submission

_ENOUGH = 3  # runs; fewer say nothing about an order
_REQUEST_SECONDS = 120.0  # what a request that changes something may take: see kaggle/policy.py
_ON_ITS_WAY = timedelta(seconds=_REQUEST_SECONDS + ARRIVAL_SECONDS)
"""A submission without an answer may still arrive for so long after its intent was written."""
_WAITS = (0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 30.0)
"""Seconds between two questions about a score; the last one is repeated."""
_SILENT_AT_MOST = 3
"""Questions in a row that get no answer (each is retried by the client)."""


@dataclasses.dataclass(frozen=True)
class Score:
    """A submission beside the run whose file it is."""

    submission: Submission
    run: Run | None
    """None if the ledger has lost it."""
    metric: str
    """The run's primary metric; empty where it reported none."""
    mode: str
    """Its direction, "max" or "min"."""
    cv: float | None

    @property
    def label(self) -> str:
        return self.run.label if self.run else f"run {self.submission.run_id}"

    def to_json(self) -> dict[str, Any]:
        names = (
            {"experiment": None, "version": None}
            if self.run is None
            else {"experiment": self.run.experiment, "version": self.run.version}
        )
        return {**names, "metric": self.metric, "mode": self.mode, "cv": self.cv, **self.submission.to_json()}


@dataclasses.dataclass(frozen=True)
class Agreement:
    """Whether CV and a score put runs in the same order. 1 is: the better by CV, the better by score."""

    target: str
    competition: str
    metric: str
    mode: str
    part: str
    """public or private"""
    n: int
    """Runs that have both."""
    spearman: float | None
    """None where there are too few runs, or one of the two is the same for all."""
    kendall: float | None


def refresh(competitions: Competitions, ledger: Ledger, target: str, competition: str) -> list[Submission]:
    """A competition's submissions as the target has them now, newest first; what it knows more goes into the ledger.

    One that was on its way long ago (its process was killed, say) and is not there never arrived: refused. Should
    it come later, it is found all the same. One that the ledger does not have (it was rebuilt, say) is taken in if its
    description names one of the ledger's runs.
    """
    known = {each.id: each for each in submissions.submissions(ledger, target=target, competition=competition)}
    by_ref = {each.ref: each.id for each in known.values() if each.ref is not None}
    runs = {run.id for run in ledger.runs(target=target)}
    for standing in competitions.submissions(competition):
        run_id, number = submissions.stamped(standing.description) or ("", "")
        number = by_ref.get(standing.ref, number)
        if number not in known and run_id in runs:
            known[number] = _taken_in(ledger, standing, run_id, number, target, competition)
        if number in known:
            known[number] = record(ledger, known[number], standing)
    for each in known.values():
        sent = datetime.fromisoformat(each.created_at)
        if each.state is SubmissionState.SENDING and datetime.now(UTC) - sent > _ON_ITS_WAY:
            submissions.update(ledger, each, state=SubmissionState.REFUSED, message=NEVER_ARRIVED)
    return submissions.submissions(ledger, target=target, competition=competition)


def unknown(competitions: Competitions, ledger: Ledger, target: str, competition: str) -> list[Standing]:
    """The target's submissions of the ledger's runs that the ledger does not have: what `refresh` would take in."""
    there = submissions.submissions(ledger, target=target, competition=competition)
    known = {each.id for each in there}
    refs = {each.ref for each in there if each.ref is not None}
    runs = {run.id for run in ledger.readable() if run.target == target}
    stamped = ((each, submissions.stamped(each.description)) for each in competitions.submissions(competition))
    return [
        each for each, stamp in stamped if stamp and each.ref not in refs and stamp[0] in runs and stamp[1] not in known
    ]


def _taken_in(
    ledger: Ledger, standing: Standing, run_id: str, number: str, target: str, competition: str
) -> Submission:
    each = Submission(
        id=number,
        run_id=run_id,
        target=target,
        competition=competition,
        file_name=standing.file_name,
        sha256="",
        is_upload=False,
        description=standing.description,
        state=standing.state,
        created_at=standing.created_at or now(),
    )
    submissions.add(ledger, each)
    return each


def record(ledger: Ledger, submission: Submission, standing: Standing) -> Submission:
    """The submission as the target has it, also in the ledger."""
    changes: dict[str, Any] = {
        "ref": standing.ref,
        "state": standing.state,
        "public": standing.public,
        "private": standing.private,
        "message": standing.error,
    }
    if standing.state is SubmissionState.COMPLETE and submission.scored_at is None:
        changes["scored_at"] = now()
    if all(getattr(submission, name) == value for name, value in changes.items()):
        return submission
    return submissions.update(ledger, submission, **changes)


def wait(
    competitions: Competitions,
    ledger: Ledger,
    submission: Submission,
    *,
    sleep: Callable[[float], object] = time.sleep,
) -> Submission:
    """Asks until the submission has its score, or can't have one. Raises NoAnswer (or Later) after several silences."""
    asked, silent = 0, 0
    while submission.state is SubmissionState.PENDING and submission.ref is not None:
        try:
            submission, silent = record(ledger, submission, competitions.standing(submission.ref)), 0
        except (NoAnswer, Later):
            silent += 1
            if silent >= _SILENT_AT_MOST:
                raise
        if submission.state is SubmissionState.PENDING:
            sleep(_WAITS[min(asked, len(_WAITS) - 1)])
            asked += 1
    return submission


def scores(ledger: Ledger, found: Iterable[Submission]) -> list[Score]:
    """Each submission with its run's cross-validation."""
    runs = {run.id: run for run in ledger.runs()}
    return [_score(each, runs.get(each.run_id)) for each in found]


def agreements(project: Project, found: Sequence[Score]) -> list[Agreement]:
    """How far CV ranks runs as the public and the private score do: only among runs of one metric and competition.

    A run that was submitted more than once counts once, with its newest score.
    """
    groups: dict[tuple[str, str, str, str], dict[str, Score]] = {}
    for each in found:
        if each.cv is not None and each.submission.state is SubmissionState.COMPLETE:
            place = (each.submission.target, each.submission.competition, each.metric, each.mode)
            groups.setdefault(place, {}).setdefault(each.submission.run_id, each)
    return [
        _agreement(place, part, list(group.values()), project.settings.submission.mode or place[3])
        for place, group in groups.items()
        for part in ("public", "private")
    ]


def as_csv(found: Iterable[Score]) -> str:
    """A row a submission, with a header line."""
    rows = [each.to_json() for each in found]
    names = [*_CSV, *(name for row in rows[:1] for name in row if name not in _CSV)]
    text = io.StringIO()
    writer = csv.DictWriter(text, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


_CSV = ("experiment", "version", "target", "competition", "state", "metric", "mode", "cv", "public", "private")


def places(found: Iterable[Submission]) -> list[tuple[str, str]]:
    """(target, competition) of submissions, each once."""
    return list(dict.fromkeys((each.target, each.competition) for each in found))


def check(score: Score) -> None:
    """Raises CoordError unless the submission has its score."""
    each = score.submission
    if each.state is SubmissionState.ERROR:
        raise CoordError(
            f"{score.label}: submission {each.ref} could not be scored" + (f": {each.message}" if each.message else "")
        )


def _score(submission: Submission, run: Run | None) -> Score:
    tables = metrics.metric_tables(run.summary) if run and run.summary else []
    primary = run.summary.get("primary") if run and run.summary else None
    if not isinstance(primary, dict):
        return Score(submission, run, "", "max", None)
    name, mode, value = str(primary.get("name")), str(primary.get("mode")), primary.get("value")
    if not isinstance(value, int | float):
        value = next((table.mean for table in tables if table.name == name), None)
    return Score(submission, run, metrics.clean(name), "min" if mode == "min" else "max", value)


def _agreement(place: tuple[str, str, str, str], part: str, group: list[Score], score_mode: str) -> Agreement:
    target, competition, metric, mode = place
    pairs = [(each.cv, getattr(each.submission, part)) for each in group]
    both = [(cv, score) for cv, score in pairs if cv is not None and score is not None]
    # Turned so that more is better on both sides.
    ours = [cv if mode == "max" else -cv for cv, _ in both]
    theirs = [score if score_mode == "max" else -score for _, score in both]
    enough = len(both) >= _ENOUGH
    return Agreement(
        target=target,
        competition=competition,
        metric=metric,
        mode=mode,
        part=part,
        n=len(both),
        spearman=spearman(ours, theirs) if enough else None,
        kendall=kendall(ours, theirs) if enough else None,
    )
