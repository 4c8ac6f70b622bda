"""The verb scores: all submissions beside their runs' cross-validation, after the competitions were asked for news."""

from __future__ import annotations

import dataclasses
from typing import Any

from coordinator.errors import CoordError
from coordinator.kaggle_rules import normal_name
from coordinator.ledger import Run, Submission, find_named, meant, parse_run_name, submissions
from coordinator.project import target_name
from coordinator.submissions import scores
from coordinator.submissions.agreement import Agreement
from coordinator.submissions.recorded import RecordedScore, recorded_agreements, recorded_scores
from coordinator.submissions.scores import SubmissionScore
from coordinator.workspace import Workspace


@dataclasses.dataclass(frozen=True)
class Overview:
    """Submissions and recorded scores, and how well CV ranks them."""

    scores: list[SubmissionScore]
    recorded: list[RecordedScore]
    """Scores that the experiments' files record."""
    agreements: list[Agreement]
    """Of the submissions."""
    recorded_agreements: list[Agreement]
    errors: list[CoordError]
    """Why a competition's submissions are shown as last known."""

    def to_json(self) -> dict[str, Any]:
        agreements = (*self.agreements, *self.recorded_agreements)
        return {
            "submissions": [score.to_json() for score in self.scores],
            "recorded": [score.to_json() for score in self.recorded],
            "agreements": [dataclasses.asdict(agreement) for agreement in agreements],
        }

    def rows(self) -> list[dict[str, Any]]:
        """A row for each submission and each recorded score, with the columns `scores.COLUMNS`."""
        return scores.rows(self.scores, self.recorded)


def scores_overview(
    workspace: Workspace, *, experiment: str | None = None, target: str | None = None, competition: str | None = None
) -> Overview:
    """The submissions of that experiment or run, on that target, to that competition; None leaves each open.

    Recorded scores are of no target and no competition. Raises RunNotFound if the experiment has neither a run nor a
    recorded score. A target that cannot be asked is an error in the answer.
    """
    project, ledger = workspace.project, workspace.ledger
    competition = competition and normal_name(competition)
    asked = None if experiment is None else parse_run_name(experiment).with_options(target)
    recorded = []
    if competition is None and target is None and not (asked and asked.is_run):
        recorded = recorded_scores(project, asked.experiment if asked else None, say=workspace.say)
    runs = meant(ledger.runs(hidden=True), asked) if asked is not None else []
    if asked is not None and not (recorded or runs):
        find_named(ledger, asked)  # raises RunNotFound
    ids = {run.id for run in runs}

    def known() -> list[Submission]:
        found = submissions.all_submissions(ledger, competition=competition)
        if target is None:
            return found
        of_target = {run.id for run in ledger.runs(target=target, hidden=True)}
        return [each for each in found if each.target == target or each.run_id in of_target]

    places = scores.places(known())
    if competition is not None and not places:
        places = [(target_name(project, target), competition)]
    errors = []
    for name, slug in places:
        try:
            with workspace.open_target(name) as there:
                scores.refresh(there, slug)
        except CoordError as error:
            errors.append(error)
    every = scores.all_scores(ledger, known())
    found = [score for score in every if asked is None or ids & {run.id for run in _runs(score)}]
    return Overview(found, recorded, scores.agreements(project, found), recorded_agreements(recorded), errors)


def _runs(score: SubmissionScore) -> list[Run]:
    """Those that a score says something about: what was submitted, and what its CV was measured with."""
    return [run for run in (score.run, score.cv_run) if run is not None]
