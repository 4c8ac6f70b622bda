"""Submissions to another place than the run's target: a cluster's run is sent to Kaggle as a file."""

from __future__ import annotations

import dataclasses
import hashlib
import json

import pytest

from coordinator.errors import UsageError
from coordinator.ledger.ledger import Ledger, Run
from coordinator.project.project import Project
from coordinator.project.target_settings import SlurmSettings
from coordinator.submissions.scores import all_scores, refresh
from coordinator.submissions.submit import SubmitOptions, open_place, submit_run
from coordinator.target.protocol import RunState
from coordinator.workspace import Workspace
from tests.coordinator.sample_runs import BARE
from tests.coordinator.targets import MemoryCompetitions, MemoryTarget

FILE = "id,target\n1,0\n2,1\n"


@pytest.fixture
def run(tiny: Project, ledger: Ledger) -> Run:
    """A complete run of a cluster, which was fetched."""
    found = dataclasses.replace(
        BARE,
        id="1" * 16,
        target="uni",
        version=1,
        state=RunState.COMPLETE,
        metadata={"competition_sources": ["parity"]},
        fetched_at="2026-11-01T00:00:00+00:00",
    )
    folder = tiny.results(found.experiment, "uni", 1)
    folder.mkdir(parents=True)
    (folder / "submission.csv").write_text(FILE, encoding="utf-8")
    kept = {"size": len(FILE), "sha256": hashlib.sha256(FILE.encode()).hexdigest()}
    record = {"id": found.id, "output": {"submission.csv": kept}}
    (folder / "run.json").write_text(json.dumps(record), encoding="utf-8")
    ledger.add(found)
    return found


def test_a_clusters_file_is_kaggles_submission(tiny: Project, ledger: Ledger, run: Run) -> None:
    """It is recorded for the place that it went to, and its score belongs to the run."""
    contest = MemoryCompetitions(sample_text=FILE)
    place = Workspace(tiny, ledger, MemoryTarget(name="kaggle", contest=contest))
    cluster = Workspace(tiny, ledger, MemoryTarget(name="uni"))  # which has no competitions
    sent = submit_run(cluster, run, SubmitOptions(is_upload=True), place)
    assert (sent.target, sent.run_id, sent.ref) == ("kaggle", run.id, 1)
    assert contest.uploads == [FILE.encode()]
    assert all_scores(ledger, [sent])[0].label == f"{run.experiment} uni-v1"
    # A ledger that was rebuilt finds it by its description, although its run has another target.
    ledger.statement("DELETE FROM submissions", {})
    (found,) = refresh(place, "parity")
    assert (found.run_id, found.is_upload, found.target) == (run.id, True, "kaggle")


def test_what_can_not_be_submitted_where(tiny: Project, ledger: Ledger, run: Run) -> None:
    settings = dataclasses.replace(tiny.settings, targets={"uni": SlurmSettings(kind="slurm", root="/scratch")})
    here = Workspace(Project(tiny.root, settings), ledger)
    cases = {
        (None, False): "no version of a kernel on kaggle",
        ("uni", True): "uni is a Slurm cluster, which has no competitions",
    }
    for (to, is_upload), message in cases.items():
        with pytest.raises(UsageError, match=message) as caught, open_place(here, run, to, is_upload=is_upload):
            pass
        assert "--upload" in str(caught.value.hint)
    with open_place(here, run, "local", is_upload=True) as place:
        assert place.target.name == "local"
