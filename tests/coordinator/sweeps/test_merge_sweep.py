"""Only a sweep of split folds can be merged; whole merges are in test_merge_folds and the story."""

from __future__ import annotations

import pytest

from coordinator.errors import RunFailed, UsageError
from coordinator.ledger import sweeps
from coordinator.ledger.ledger import Ledger, now
from coordinator.ledger.sweeps import Member, Sweep
from coordinator.project.project import Project
from coordinator.sweeps.merge_sweep import merge_sweep
from coordinator.workspace import Workspace


@pytest.mark.parametrize(
    ("whole", "kind", "what"),
    [("", UsageError, "the sweep s was not split into folds"), ("base", RunFailed, "base--f0 is not pushed yet")],
)
def test_a_sweep_that_cannot_be_merged(tiny: Project, whole: str, kind: type[Exception], what: str) -> None:
    """One of whole experiments, and one whose folds have not run."""
    with Ledger(tiny.ledger) as ledger:
        members = (Member("base--f0", "base", ("fold=0",), whole, "work"),)
        sweep = Sweep("s", "base", "local", is_repeat=False, created_at=now(), members=members)
        sweeps.add(ledger, sweep)
        with pytest.raises(kind, match=what):
            merge_sweep(Workspace(tiny, ledger), sweep)
