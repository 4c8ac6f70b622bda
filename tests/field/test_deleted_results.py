"""Results were deleted by hand: they are fetched again, and a report says what it lacks.

Seen: found by trying it on coord (after `rm -r results/base`, `fetch-results --all` said that everything is here).
"""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from coordinator.ledger.ledger import Ledger, new_run_id, now
from coordinator.project.project import find_project
from coordinator.runs.fetch.fetch import lacking, not_here
from tests.coordinator.command import Coord

FETCH = "Fetch them: coord fetch-results --all"
Deletion = Callable[[Path], object]


@pytest.fixture
def fetched(coord: Coord) -> Coord:
    """The sample project with a run that was fetched."""
    coord.here("push", "--exp", "base", "--wait")
    coord.here("fetch-results", "--exp", "base")
    return coord


@pytest.mark.parametrize(
    ("delete", "told", "reported"),
    [
        (
            shutil.rmtree,
            "results/base/local-v1/",
            "the results were deleted here: base local-v1; the page has no curves",
        ),
        (
            lambda each: shutil.rmtree(each.parent),
            "results/base/local-v1/",
            "the results were deleted here: base local-v1",
        ),
        (lambda each: shutil.rmtree(each.parent.parent), "results/base/local-v1/", "the results were deleted here"),
        (
            lambda each: (each / "oof.csv").unlink(),
            "oof.csv",
            "files of the results were deleted here: base local-v1 (oof.csv)",
        ),
        (lambda each: (each / "oof.csv").write_text("cut"), "oof.csv", "files of the results were deleted here"),
        (lambda each: (each / "run.json").unlink(), "results/base/local-v1/", "the results were deleted here"),
    ],
    ids=["the run", "the experiment", "all", "a file", "a file is cut", "the record"],
)
def test_deleted_results_come_again(fetched: Coord, delete: Deletion, told: str, reported: str) -> None:
    """With `--all`; until then a report and its page say what they lack."""
    folder = fetched.root / "results/base/local-v1"
    before = sorted(each.name for each in folder.iterdir())
    assert "lack" not in fetched.here("report", "-o", "page.html").stderr
    assert "nothing to fetch" in fetched.here("fetch-results", "--all").stderr
    delete(folder)
    warning = fetched.here("report", "-o", "page.html").stderr
    assert f"warning: {reported}" in warning
    assert FETCH in warning
    assert "here any more" in (page := (fetched.root / "page.html").read_text("utf-8")) or "are not here" in page
    again = fetched.here("fetch-results", "--all")
    assert f"base local-v1 is fetched again, because this is not here any more: {told}" in again.stderr
    assert "base local-v1: complete" in again.stdout
    assert sorted(each.name for each in folder.iterdir()) == before
    assert "nothing to fetch" in fetched.here("fetch-results", "--all").stderr
    assert "warning" not in fetched.here("report", "-o", "page.html").stderr


def test_a_run_that_was_never_fetched_is_told(coord: Coord) -> None:
    """It has metrics from its log, and no files."""
    coord.here("push", "--exp", "base", "--wait")
    told = coord.here("report", "-o", "page.html").stderr
    assert f"warning: not fetched: base local-v1; the page has no curves, worst cases and logs of them. {FETCH}" in told


def test_a_version_that_another_run_has_now_is_left_alone(fetched: Coord) -> None:
    """Its kernel was deleted and made again: what the target has under that version is the other run's."""
    project = find_project(fetched.root)
    with Ledger(project.ledger) as ledger:
        first = ledger.find("base")
        ledger.add(dataclasses.replace(first, id=new_run_id(), created_at=now()))
        runs = ledger.runs()
        assert [run.id == first.id for run in runs] == [False, True]
        assert lacking(project, runs[1]) == ()
        shutil.rmtree(project.all_results)
        assert [run.id for run in not_here(project, runs)] == [runs[0].id]
