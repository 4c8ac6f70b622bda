"""Runs go to the stores that were asked for; what cannot go yet is told."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from coordinator.errors import UsageError
from coordinator.handover.destination import Outcome
from coordinator.handover.hand_over import Stores, hand_over
from coordinator.ledger.ledger import Ledger
from coordinator.project.project import Project
from coordinator.target.protocol import RunState
from coordinator.workspace import Workspace
from tests.coordinator.finished_runs import finished


@pytest.mark.parametrize(
    ("options", "what"),
    [({"group": " "}, "--under: the name is empty"), ({"mlflow": ""}, "--mlflow: the address is empty")],
)
def test_stores_that_make_no_sense(options: dict[str, Any], what: str) -> None:
    """An empty name or address: MLflow would take one of its own."""
    with pytest.raises(UsageError, match=what):
        Stores(**options)


def test_no_store_at_all() -> None:
    """The answer names the options."""
    with pytest.raises(UsageError, match="--tensorboard DIR"):
        Stores().open("tiny")


def test_each_run_goes_to_the_store(tiny: Project, tmp_path: Path) -> None:
    """Oldest first, an outcome each; an active run is told at the end, and the second time nothing changes."""
    pytest.importorskip("tensorboard")
    runs = [finished(tiny, "base", version, [0.5, 0.7]) for version in (1, 2)]
    said: list[str] = []
    with Ledger(tiny.ledger) as ledger:
        ledger.add(dataclasses.replace(runs[1], id="r3", version=3, state=RunState.RUNNING))
        here = Workspace(tiny, ledger, say=said.append)
        outcomes = [
            [
                (each.run.id, each.store, each.taken.outcome)
                for each in hand_over(here, Stores(tensorboard=tmp_path), [])
            ]
            for _ in range(2)
        ]
    assert outcomes[0] == [(run.id, "tensorboard", Outcome.NEW) for run in runs]
    assert outcomes[1] == [(run.id, "tensorboard", Outcome.UNCHANGED) for run in runs]
    assert said[-1] == "base local-v3 is running: it can be exported when it has ended"
