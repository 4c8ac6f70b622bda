"""The metrics of programs that were not written for coord: after a fetch, again with other settings, and live."""

from __future__ import annotations

import dataclasses
import json

import pytest

from coordinator.errors import RunNotFound, TargetError
from coordinator.ledger.ledger import Ledger
from coordinator.project.project import Project
from coordinator.project.result_settings import MetricsSettings, PrimaryMetric
from coordinator.runs.fetch.metrics import reread
from coordinator.runs.refresh import refresh_run
from coordinator.target.protocol import RunState
from coordinator.workspace import Workspace
from tests.coordinator.fetching import fetched
from tests.coordinator.sample_runs import BARE, ON_KAGGLE
from tests.coordinator.targets import RUNNING_SESSION, MemoryTarget, records_of

HISTORY = b"fold,epoch,val_auc\n0,0,0.6\n0,1,0.7\n1,0,0.6\n1,1,0.8\n"
FOREIGN = b'{"val_auc": 0.72, "note": "x"}'
AUC = MetricsSettings(primary=PrimaryMetric("val_auc", "max"))


def _with(project: Project, metrics: MetricsSettings) -> Project:
    return dataclasses.replace(project, settings=dataclasses.replace(project.settings, metrics=metrics))


def test_a_fetch_reads_what_libraries_leave(tiny: Project, ledger: Ledger) -> None:
    found = fetched(_with(tiny, AUC), ledger, {"logs/history.csv": HISTORY, "metrics.json": b"{}"})
    assert found.warnings == ()
    assert found.run.summary == ledger.get(ON_KAGGLE.id).summary
    assert found.run.reported.metrics[0].by_fold == {"0": 0.7, "1": 0.8}


def test_other_settings_read_the_same_results_again(tiny: Project, ledger: Ledger) -> None:
    """Without the target, which is not even opened."""
    found = fetched(tiny, ledger, {"history.csv": HISTORY, "metrics.json": b"{}"})
    assert "which metric counts is not known" in found.warnings[0]
    assert found.run.reported.primary is None
    again = reread(Workspace(_with(tiny, AUC), ledger), found.run)
    assert again.warnings == ()
    assert again.run.reported.primary_value == pytest.approx(0.75)
    assert ledger.get(ON_KAGGLE.id).reported.primary_name == "val_auc"
    best = dataclasses.replace(AUC, line=r"auc (?P<val_auc>[\d.]+)", read="line")
    assert 'the reader "line"' in reread(Workspace(_with(tiny, best), ledger), found.run).warnings[0]


def test_results_that_are_not_here_cannot_be_read_again(tiny: Project, ledger: Ledger) -> None:
    ledger.add(ON_KAGGLE)
    with pytest.raises(RunNotFound, match="the results of base kaggle-v3 are not here"):
        reread(Workspace(tiny, ledger), ON_KAGGLE)


def test_no_run_id_is_no_reason_to_refuse(tiny: Project, ledger: Ledger) -> None:
    """The version that was fetched is known. What is no number is said."""
    found = fetched(_with(tiny, AUC), ledger, {"metrics.json": FOREIGN})
    assert found.run.reported.primary_value == 0.72
    assert found.warnings == ("metrics.json: these are no numbers and are not read: note",)


def test_a_wrong_run_id_is_refused(tiny: Project, ledger: Ledger) -> None:
    with pytest.raises(TargetError, match="comes from run another, not from"):
        fetched(tiny, ledger, {"metrics.json": json.dumps({"run_id": "another", "auc": 1}).encode()})
    assert ledger.get(ON_KAGGLE.id).summary is None


def test_lines_of_a_pattern_are_events_while_a_run_goes_on(tiny: Project, ledger: Ledger) -> None:
    run = dataclasses.replace(BARE, id="run", state=RunState.QUEUED, version=4)
    ledger.add(run)
    target = MemoryTarget(session=RUNNING_SESSION, records=records_of("fold 0: auc 0.61", "fold 1: auc 0.72", "bye"))
    metrics = dataclasses.replace(AUC, line=r"fold (?P<fold>\d): auc (?P<auc>[\d.]+)")
    now = refresh_run(Workspace(_with(tiny, metrics), ledger, target), run)
    assert str(now.last_event) == "fold 1: auc 0.7200"
