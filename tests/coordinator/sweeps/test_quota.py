"""What a sweep may use: the target's own figure, or what Kaggle documents, or nothing for processors."""

from __future__ import annotations

import pytest

from coordinator.ledger.ledger import Ledger
from coordinator.project.project import Project
from coordinator.project.target_settings import TargetName
from coordinator.sweeps.grid import Start
from coordinator.sweeps.plan import Plan
from coordinator.sweeps.quota import quota_for
from coordinator.workspace import Workspace

HOUR = 3600.0


@pytest.mark.parametrize(
    ("machine", "target", "total", "note"),
    [
        (None, "local", None, ""),
        ("NvidiaTeslaT4", "local", 30 * HOUR, ""),
        ("NvidiaTeslaT4", "kaggle", 30 * HOUR, "note: the quota is not known: no Kaggle credentials"),
        ("TpuV38", "kaggle", None, "note: the quota is not known: no Kaggle credentials"),
    ],
)
def test_the_quota_of_a_plan(
    tiny: Project, machine: str | None, target: TargetName, total: float | None, note: str
) -> None:
    """Kaggle without credentials gives no figure: the hours of GPUs are documented, those of TPUs are not."""
    said: list[str] = []
    plan = Plan("s", Start("base", "base"), target, machine, ())
    with Ledger(tiny.ledger) as ledger:
        found = quota_for(Workspace(tiny, ledger, say=said.append), plan)
    assert (found.total if found else None) == total
    assert "".join(said)[: len(note) or None] == note
