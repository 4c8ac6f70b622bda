"""The overview of scores, of all submissions or of some, with the errors of competitions that could not be asked."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from coordinator.errors import CredentialsError, RunNotFound
from coordinator.ledger import submissions
from coordinator.ledger.ledger import Ledger
from coordinator.project.project import Project
from coordinator.submissions.overview import scores_overview
from coordinator.workspace import Workspace
from tests.coordinator.submissions.scored import scored_run, submission


@pytest.fixture
def here(tiny: Project) -> Iterator[Workspace]:
    """Two runs with a submission each, to two competitions."""
    with Ledger(tiny.ledger) as ledger:
        for number, competition in ((1, "cup"), (2, "league")):
            ledger.add(scored_run(number, 0.7 + number / 100))
            submissions.add(ledger, submission(number, 0.8, competition=competition))
        yield Workspace(tiny, ledger)


def test_what_is_known_is_shown_when_nobody_answers(here: Workspace) -> None:
    """Kaggle without credentials: an error for each competition, and both scores as last known."""
    found = scores_overview(here)
    assert [each.submission.competition for each in found.scores] == ["league", "cup"]
    assert [type(error) for error in found.errors] == [CredentialsError] * 2
    assert {row["public"] for row in found.rows()} == {0.8}
    assert found.to_json()["recorded"] == []


def test_a_part_of_the_submissions(here: Workspace) -> None:
    """Of one competition, of one experiment; an experiment that nobody knows is an error."""
    assert [each.cv for each in scores_overview(here, competition="league").scores] == [0.72]
    assert len(scores_overview(here, experiment="lr001_step4_with_a_long_name").scores) == 2
    assert scores_overview(here, target="local").scores == []
    with pytest.raises(RunNotFound):
        scores_overview(here, experiment="missing")
