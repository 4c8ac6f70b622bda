"""What coord status lists with a limit: lines, not rows."""

from __future__ import annotations

import pytest

from coordinator.ledger import sweeps
from coordinator.ledger.ledger import Ledger
from coordinator.ledger.sweeps import Member, Sweep
from coordinator.project.project import Project
from coordinator.runs.entries import newest_entries
from tests.coordinator.finished_runs import finished


@pytest.mark.parametrize("most", [1, 2, 3, None])
def test_a_sweep_is_one_line_with_all_its_runs(tiny: Project, most: int | None) -> None:
    """Its older runs belong to it, although they lie behind the limit; without a sweep, a line is a run."""
    finished(tiny, "old", 1, [0.5], has_oof=False)
    for number in (2, 3, 4):
        finished(tiny, f"of-{number}", number, [0.5], has_oof=False)
    members = tuple(Member(f"of-{number}", "base", (), "", f"work {number}") for number in (2, 3, 4))
    with Ledger(tiny.ledger) as ledger:
        plain = newest_entries(ledger, most)
        assert [line.runs[0].experiment for line in plain] == ["of-4", "of-3", "of-2", "old"][:most]
        sweeps.add(ledger, Sweep("all", "base", "local", is_repeat=False, created_at="2026-11-01", members=members))
        first = newest_entries(ledger, most)[0]
    assert first.sweep is not None
    assert [run.experiment for run in first.runs] == ["of-4", "of-3", "of-2"]
