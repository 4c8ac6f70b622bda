"""A run whose output a test gives as values, and its fetch."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from typing import Any

from coordinator.ledger.ledger import Ledger
from coordinator.project.experiment import resolve
from coordinator.project.project import Project
from coordinator.runs.fetch.fetch import EVERYTHING, Choice, fetch_run
from coordinator.runs.fetch.fetched import Fetched
from coordinator.target.protocol import LogRecord, RunState, SessionState
from coordinator.workspace import Workspace
from tests.coordinator.sample_runs import ON_KAGGLE
from tests.coordinator.targets import MemoryTarget, records_of

SUMMARY: dict[str, Any] = {
    "run_id": ON_KAGGLE.id,
    "status": "complete",
    "digest": ON_KAGGLE.digest,
    "primary": {"name": "cv/dice", "mode": "max", "value": 0.75},
    "metrics": [{"name": "cv/dice", "mode": "max", "folds": [], "mean": 0.75, "sd": 0.1, "n": 2}],
}


def fetched(
    project: Project,
    ledger: Ledger,
    output: Mapping[str, bytes],
    *,
    choice: Choice = EVERYTHING,
    records: list[LogRecord] | None = None,
    target: MemoryTarget | None = None,
) -> Fetched:
    """Fetches ON_KAGGLE, which is added to the ledger if it is not there; without a metrics.json it gets SUMMARY."""
    if not any(run.id == ON_KAGGLE.id for run in ledger.runs()):
        ledger.add(dataclasses.replace(ON_KAGGLE, config=resolve(project, "base", ["optim.lr=0.9"]).config))
    output = {"metrics.json": json.dumps(SUMMARY).encode(), **output}
    records = records_of("hello") if records is None else records
    session = SessionState(RunState.COMPLETE)
    target = target or MemoryTarget(name="kaggle", owner=ON_KAGGLE.owner)
    target.session, target.output, target.records = session, output, records
    run = ledger.get(ON_KAGGLE.id)
    return fetch_run(Workspace(project, ledger, target), run, force=False, choice=choice)
