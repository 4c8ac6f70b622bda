"""A run that has done the same work, or is doing it, makes another one unnecessary."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from coordinator.kernel.build import assemble
from coordinator.kernel.work import work_to_do
from coordinator.ledger.ledger import Ledger, Run
from coordinator.project.experiment import resolve
from coordinator.project.project import Project
from coordinator.results.events import Event
from coordinator.results.summary import Summary
from coordinator.runs.same_work import run_of_same_work
from coordinator.target.protocol import RunState, SessionState
from coordinator.workspace import Workspace
from tests.coordinator.sample_runs import BARE
from tests.coordinator.targets import MemoryTarget


def _run(project: Project, run_id: str, state: RunState, *, second: int) -> tuple[Run, str]:
    """A run of `base`, and the digest of its work."""
    built = assemble(project, resolve(project, "base", []))
    run = dataclasses.replace(
        BARE,
        id=run_id,
        experiment="base",
        slug="tiny-base",
        version=second,
        state=state,
        created_at=f"2026-11-01T00:00:{second:02}+00:00",
        config=built.experiment.config,
        metadata=built.metadata.data,
        files={file.path: file.sha256 for file in built.files},
    )
    return run, work_to_do(built)


def test_a_complete_run_comes_before_an_active_one(tiny: Project) -> None:
    """Only runs of the same work on the same target count; without one, None is returned."""
    with Ledger(tiny.ledger) as ledger:
        here = Workspace(tiny, ledger)
        active, work = _run(tiny, "active", RunState.RUNNING, second=2)
        assert run_of_same_work(here, work, "local") is None
        ledger.add(active)
        assert run_of_same_work(here, work, "local") == active
        assert run_of_same_work(here, work, "kaggle") is None
        complete, _ = _run(tiny, "complete", RunState.COMPLETE, second=1)
        ledger.add(complete)
        assert run_of_same_work(here, work, "local") == complete
        assert run_of_same_work(here, "other work", "local") is None


@pytest.mark.parametrize(
    ("state_now", "found"),
    [(RunState.RUNNING, RunState.RUNNING), (RunState.COMPLETE, RunState.COMPLETE), (RunState.ERROR, None)],
)
def test_an_open_target_is_asked_about_an_active_run(
    tiny: Project, state_now: RunState, found: RunState | None
) -> None:
    """A run that has ended in the meantime counts with its new state: a failed run has not done the work."""
    with Ledger(tiny.ledger) as ledger:
        run, work = _run(tiny, "r1", RunState.RUNNING, second=1)
        ledger.add(run)
        same = run_of_same_work(Workspace(tiny, ledger, MemoryTarget(session=SessionState(state_now))), work, "local")
    assert (same.state if same else None) is found


@pytest.mark.parametrize(
    "changes",
    [
        {"lacks": ("ada/images",)},
        {"stop_requested": True},
        {"summary": Summary.parse({"status": "incomplete"})},
        {"last_event": Event.parse({"event": "end", "status": "incomplete"})},
    ],
    ids=["without a source", "asked to stop", "stopped early", "stopped early, by its log"],
)
def test_a_complete_run_that_has_not_done_all_of_it_does_not_count(tiny: Project, changes: dict[str, Any]) -> None:
    """The work is to be done: its predictions are of other data, or of a model that was not finished."""
    run, work = _run(tiny, "r1", RunState.COMPLETE, second=1)
    with Ledger(tiny.ledger) as ledger:
        ledger.add(dataclasses.replace(run, **changes))
        assert run_of_same_work(Workspace(tiny, ledger), work, "local") is None
