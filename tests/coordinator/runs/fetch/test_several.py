"""Several runs are fetched: an error of one does not stop the others, and a target without an answer is asked once."""

from __future__ import annotations

import dataclasses
from typing import NoReturn

import pytest

from coordinator.errors import CredentialsError
from coordinator.ledger.ledger import Ledger
from coordinator.project.project import Project
from coordinator.runs.fetch.several import fetch_several
from coordinator.target.protocol import RunState
from coordinator.workspace import Workspace
from tests.coordinator.finished_runs import finished
from tests.coordinator.sample_runs import BARE


def test_one_run_keeps_no_other_from_coming(tiny: Project) -> None:
    """A run that was cancelled and is gone, Kaggle without credentials (two runs), and a merged run that is here."""
    said: list[str] = []
    merged = finished(tiny, "base", 0, [0.5, 0.7])
    gone = dataclasses.replace(BARE, id="gone", experiment="slow", slug="tiny-slow", version=1)
    gone = dataclasses.replace(gone, state=RunState.CANCELLED, metadata={"code_file": "kernel.py"})
    remote = [dataclasses.replace(gone, id=f"k{number}", target="kaggle", version=number) for number in (1, 2)]
    with Ledger(tiny.ledger) as ledger:
        for run in (gone, *remote):
            ledger.add(run)
        here = Workspace(tiny, ledger, say=said.append)
        found = fetch_several(here, [gone, *remote, merged])
    assert [item.run.id for item in found.fetched] == [merged.id]
    assert [each.run.id for each in found.not_fetched] == ["gone", "k1"]
    first, second = found.not_fetched
    assert (first.is_gone, first.is_active) == (True, False)
    assert isinstance(second.error, CredentialsError)
    assert not second.is_gone
    assert found.not_tried == {"kaggle": 1}
    assert said == ["slow local-v1 was cancelled, and nothing is left of it on local"]


def test_ctrl_c_says_how_to_go_on(tiny: Project) -> None:
    """The command that brings the rest, for the run that was being fetched."""

    class Interrupted(Workspace):
        def open_target(self, name: str | None) -> NoReturn:
            raise KeyboardInterrupt

    run = finished(tiny, "base", 0, [0.5, 0.7])
    go_on = "coord fetch-results --exp base --target local --version 0"
    with Ledger(tiny.ledger) as ledger, pytest.raises(KeyboardInterrupt, match=f"what came is kept; .*{go_on}"):
        fetch_several(Interrupted(tiny, ledger), [run])
