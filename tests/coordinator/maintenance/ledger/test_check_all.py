"""The whole check: each problem is shown as it is found, and repaired if that is wanted."""

from __future__ import annotations

import dataclasses

from coordinator.ledger.ledger import Ledger
from coordinator.maintenance.ledger.check_all import check_ledger
from coordinator.maintenance.ledger.problem import Problem
from coordinator.project.project import Project
from tests.coordinator.sample_runs import BARE, COMPLETE


def _ledger(project: Project) -> None:
    """A run whose results are gone, which can be repaired, and two runs of one version, which cannot."""
    with Ledger(project.ledger) as ledger:
        ledger.add(dataclasses.replace(COMPLETE, fetched_at=BARE.created_at, version=2))
        ledger.add(dataclasses.replace(COMPLETE, id="r2", version=2, created_at="2026-11-02T00:00:00+00:00"))


def test_problems_are_shown_and_repaired(tiny: Project) -> None:
    """Without `repair` both stay; with it one is repaired, and the next check finds only the other."""
    _ledger(tiny)
    shown: list[tuple[str, bool]] = []

    def show(problem: Problem, is_repaired: bool) -> None:
        shown.append((problem.what, is_repaired))

    found = check_ledger(tiny, None, repair=False, offline=True, show=show)
    assert (found.runs, len(found.left), found.repaired) == (2, 2, ())
    assert [is_repaired for _, is_repaired in shown] == [False, False]

    repaired = check_ledger(tiny, None, repair=True, offline=True, show=show)
    assert ["results are gone" in each.what for each in repaired.repaired] == [True]
    assert len(repaired.left) == 1

    again = check_ledger(tiny, None, repair=False, offline=True, show=show)
    assert again.left[0].what == repaired.left[0].what
    assert again.to_json()["repaired"] == []


def test_targets_that_have_runs_are_asked(tiny: Project) -> None:
    """Kaggle has a run, but there are no credentials: it is left out. If a target is named, only that one is asked."""
    with Ledger(tiny.ledger) as ledger:
        ledger.add(dataclasses.replace(COMPLETE, target="kaggle"))
    (missed,) = check_ledger(tiny, None, repair=False, offline=False, show=lambda *_: None).not_asked
    assert missed.what.startswith("kaggle could not be asked: ")
    assert check_ledger(tiny, "local", repair=False, offline=False, show=lambda *_: None).not_asked == ()
    assert check_ledger(tiny, None, repair=False, offline=True, show=lambda *_: None).not_asked == ()


def test_a_damaged_file_is_not_opened(tiny: Project) -> None:
    """Its runs cannot be counted before it is repaired."""
    _ledger(tiny)
    tiny.ledger.write_bytes(b"SQLite format 3\0" + b"\xff" * 4096)
    found = check_ledger(tiny, None, repair=False, offline=True, show=lambda *_: None)
    assert (found.runs, len(found.left)) == (None, 1)
    repaired = check_ledger(tiny, None, repair=True, offline=True, show=lambda *_: None)
    assert repaired.runs == 0
    assert "damaged" in repaired.repaired[0].what
