"""A complete run that was fetched, with its submission, and a competition that takes it."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from typing import Any

from coordinator.ledger.ledger import Ledger, Run
from coordinator.project.project import Project
from coordinator.submissions.submit import SubmitOptions, submit_run
from coordinator.target.competitions import Standing
from coordinator.workspace import Workspace
from tests.coordinator.sample_runs import COMPLETE
from tests.coordinator.targets import MemoryCompetitions, MemoryTarget

GOOD = "id,label\nn0,1\nn1,0\n"


def fetched_run(project: Project, ledger: Ledger, **changes: Any) -> Run:
    """The run in the ledger; its results are here, with the submission `GOOD`."""
    run = dataclasses.replace(COMPLETE, id=f"{1:016x}", fetched_at=COMPLETE.created_at, **changes)
    ledger.add(run)
    folder = project.results(run.experiment, run.target, run.results_version)
    folder.mkdir(parents=True)
    (folder / "submission.csv").write_text(GOOD)
    kept = {"size": len(GOOD), "sha256": hashlib.sha256(GOOD.encode()).hexdigest()}
    (folder / "run.json").write_text(json.dumps({"id": run.id, "output": {"submission.csv": kept}}))
    return run


class CaselessCompetitions(MemoryCompetitions):
    """It compares its name without case, as Kaggle does."""

    def _check(self, slug: str) -> None:
        super()._check(slug.lower())


def submitted(project: Project, ledger: Ledger, run: Run, contest: MemoryCompetitions, **options: Any) -> Standing:
    """Submits the run; what the competition has of it."""
    submit_run(Workspace(project, ledger, MemoryTarget(contest=contest)), run, SubmitOptions(**options))
    return contest.sent[0]
