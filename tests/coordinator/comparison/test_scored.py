"""Differences in a metric of the whole table: the bootstrap over rows, and how `coord compare` uses it."""

from __future__ import annotations

import dataclasses
import io
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from rich.console import Console

from coordinator.cli.tables import comparison as tables
from coordinator.comparison import intervals as statistics
from coordinator.comparison.compare import Report, compare_experiments
from coordinator.comparison.intervals import Interval
from coordinator.comparison.scored import score_difference
from coordinator.errors import NotComparable
from coordinator.ledger.ledger import Ledger
from coordinator.project.project import Project, find_project
from coordinator.results import Scorer, Table
from coordinator.workspace import Workspace
from tests.coordinator.finished_runs import finished

ROWS = 120
AUC = Scorer("auc", Path(), sys.executable)
SETTINGS = """
[tool.coord.metrics]
primary = {name = "cv/auc", mode = "max"}
score = "auc"
"""


def _table(targets: NDArray[np.float64], predictions: NDArray[np.float64]) -> Table:
    ids = tuple(f"row-{at}" for at in range(len(targets)))
    return Table(ids, None, [float(each) for each in targets], ([float(each) for each in predictions],))


def _predictions(rng: np.random.Generator, targets: NDArray[np.float64], signal: float) -> NDArray[np.float64]:
    return signal * targets + rng.normal(size=len(targets))


def test_intervals_of_no_difference_exclude_zero_as_often_as_stated() -> None:
    """200 pairs of models that are equally good, at 90%: about 20 intervals exclude zero, paired or not.

    With 200 trials, 10 to 33 are within 2.5 standard deviations of the percentile bootstrap's own, slightly high rate.
    """
    rng, excluded = np.random.default_rng(3), 0
    for _ in range(200):
        targets = (rng.random(ROWS) < 0.5).astype(float)
        shared = rng.normal(size=ROWS)  # what makes a row hard for both, which pairing takes out
        a, b = (_table(targets, targets + shared + 0.5 * rng.normal(size=ROWS)) for _ in range(2))
        scores = AUC.scores(a.targets, [a.predictions, b.predictions], resamples=200)
        low, high = np.quantile(scores[1:, 1] - scores[1:, 0], [0.05, 0.95])
        excluded += int(low > 0 or high < 0)
    assert 10 <= excluded <= 33


def test_a_real_difference_is_found_with_its_size() -> None:
    """The interval has the true difference of the AUCs, and pairing makes it narrower."""
    rng = np.random.default_rng(4)
    targets = (rng.random(600) < 0.5).astype(float)
    worse = targets + rng.normal(size=600)
    better = worse + 0.8 * targets
    a, b = [(1.0, _table(targets, worse))], [(1.0, _table(targets, better))]
    paired, rows = score_difference(AUC, a, b, paired=True, level=0.95, of="rows")
    apart, _ = score_difference(AUC, a, b, paired=False, level=0.95, of="rows")
    assert rows == 600
    assert 0 < paired.low < 0.8985 - 0.7602 < paired.high  # Phi(1.8 / sqrt 2) - Phi(1 / sqrt 2)
    assert paired.high - paired.low < 0.6 * (apart.high - apart.low)
    assert paired.method == "paired percentile bootstrap of auc over rows"
    assert apart.method == "unpaired percentile bootstrap of auc over rows"


def test_repeats_of_a_side_are_averaged() -> None:
    """The weights of a side's tables are those of its runs; rows that a table lacks are left out."""
    targets = np.array([0.0, 1.0, 0.0, 1.0, 1.0])
    right, wrong = _table(targets, targets), _table(targets, -targets)
    found, rows = score_difference(
        AUC, [(0.5, right), (0.5, wrong)], [(1.0, right)], paired=True, level=0.95, of="rows"
    )
    assert (found.estimate, rows) == (0.5, 5)
    holes = dataclasses.replace(right, predictions=([float("nan"), *targets[1:]],))
    assert score_difference(AUC, [(1.0, holes)], [(1.0, right)], paired=True, level=0.95, of="rows")[1] == 4


def test_large_tables_are_drawn_less_often() -> None:
    """So that coord's own scores take seconds."""
    counts = [statistics.resamples_of(rows) for rows in (0, 10_000, 100_000, 500_000, 2_000_000)]
    assert counts == [10_000, 10_000, 1_000, 200, 200]


def test_a_function_of_the_project_is_drawn_less_often(tmp_path: Path) -> None:
    """The method says how often."""
    (tmp_path / "mine.py").write_text("def bias(targets, predictions):\n    return (predictions - targets).mean()\n")
    targets = np.arange(50.0)
    a, b = ([(1.0, _table(targets, targets + shift))] for shift in (0.5, 0.75))
    scorer = Scorer("mine:bias", tmp_path, sys.executable)
    found, _ = score_difference(scorer, a, b, paired=True, level=0.95, of="rows")
    assert found == Interval(0.25, 0.25, 0.25, "paired percentile bootstrap of mine:bias over rows, 1000 resamples")


@pytest.fixture
def scored(tiny: Project) -> Project:
    """The tiny project with a scorer of whole tables, and coord_log's oof.csv."""
    text = tiny.pyproject.read_text(encoding="utf-8").replace('[tool.coord.metrics]\nrows = "images"\n', SETTINGS)
    tiny.pyproject.write_text(text, encoding="utf-8")
    return find_project(tiny.root)


TARGETS = (np.random.default_rng(8).random(ROWS) < 0.5).astype(float)


def _run(project: Project, name: str, signal: float, *, seed: int = 0, version: int = 1, folds: int | None = 2) -> Path:
    """A finished run whose oof.csv has predictions with that signal; returns the file."""
    rng = np.random.default_rng([seed, round(100 * signal)])
    predictions = _predictions(rng, TARGETS, signal)
    finished(
        project,
        name,
        version,
        [float(AUC.scores(list(TARGETS), [[list(predictions)]])[0, 0])] * 4,
        seed=seed,
        sets=[f"optim.lr={0.1 + signal}"],
        metric="cv/auc",
    )
    file = project.results(name, "local", version) / "oof.csv"
    has_folds = folds is not None
    rows = [
        f"row-{at},{target:g},{float(predictions[at])!r}" + (f",{at % (folds or 1)}" if has_folds else "")
        for at, target in enumerate(TARGETS)
    ]
    file.write_text("\n".join(["id,target,prediction" + ",fold" * has_folds, *rows]) + "\n")
    return file


def _compare(project: Project, *names: str, metric: str | None = None, paired: bool = False) -> Report:
    with Ledger(project.ledger) as ledger:
        return compare_experiments(Workspace(project, ledger), names, metric=metric, paired=paired)


def _shown(report: Report) -> str:
    console = Console(width=200, record=True, file=io.StringIO())
    console.print(tables.report(report))
    return console.export_text()


@pytest.mark.parametrize("folds", [2, None])
def test_single_runs_are_judged_on_their_rows(scored: Project, folds: int | None) -> None:
    """As values of each row are: paired, also where folds are not known, and the verdict speaks of them."""
    _run(scored, "a", 0.5, folds=folds)
    _run(scored, "b", 2.5, folds=folds)
    report = _compare(scored, "a", "b", paired=True)
    (found,) = report.comparisons
    assert found.images.is_paired
    assert found.images.images == ROWS
    assert found.images.interval is not None
    assert found.images.interval.low > 0
    assert found.images.interval.estimate == pytest.approx(found.difference)
    assert found.verdict.text.startswith("these two runs differ on these rows (by ")
    assert found.are_folds_shared is (folds is not None)
    assert "on 120 rows, paired: +0." in _shown(report)
    assert "paired percentile bootstrap of auc over rows" in _shown(report)
    assert set(report.to_json()["comparisons"][0]["images"]) == {"interval", "images", "is_paired", "why"}


def test_other_folds_are_drawn_apart(scored: Project) -> None:
    """As for values of each row: --paired refuses."""
    _run(scored, "a", 0.5, folds=2)
    _run(scored, "b", 2.5, folds=3)
    (found,) = _compare(scored, "a", "b").comparisons
    assert not found.images.is_paired
    assert found.images.why == "no run of one has the folds of a run of the other"
    assert found.images.interval is not None
    with pytest.raises(NotComparable, match="cannot be paired"):
        _compare(scored, "a", "b", paired=True)


def test_with_repeats_the_seeds_decide(scored: Project) -> None:
    """The row difference is that of the means over the seeds; the verdict is by the seeds."""
    for seed in range(3):
        _run(scored, "a", 0.5, seed=seed, version=1 + seed)
        _run(scored, "b", 2.5, seed=seed, version=1 + seed)
    (found,) = _compare(scored, "a", "b").comparisons
    assert (found.verdict.kind, found.verdict.winner) == ("better", "b")
    assert found.images.interval is not None
    assert found.images.interval.estimate == pytest.approx(found.difference)


def test_the_score_is_of_the_primary_metric(scored: Project) -> None:
    """In another metric the scorer says nothing; without one, nothing says what the rows are worth."""
    for name, signal in (("a", 0.5), ("b", 2.5)):
        _run(scored, name, signal)
        with Ledger(scored.ledger) as ledger:
            run = ledger.runs(experiment=name)[0]
            summary = run.reported.to_json()
            summary["metrics"].append({"name": "cv/loss", "mode": "min", "folds": [], "mean": 1 - signal})
            ledger.update(run.id, summary=type(run.reported).parse(summary))
    (found,) = _compare(scored, "a", "b", metric="cv/loss").comparisons
    assert found.images.interval is None
    assert found.images.why == "no score in [tool.coord.metrics] says what all of them are worth in this metric"


def _other_targets(file: Path) -> None:
    text = file.read_text()
    file.write_text(text.replace("row-0,1", "row-0,5").replace("row-0,0", "row-0,5"))


@pytest.mark.parametrize(
    ("spoil", "why", "note"),
    [
        (lambda file: file.unlink(), "not both have out-of-fold predictions that can be read", None),
        (
            lambda file: file.write_text("id,target,pred\na,0,1\n"),
            "not both have out-of-fold predictions that can be read",
            'oof.csv has no column "prediction or prediction_*" (did you mean "pred"?); its columns are id, target',
        ),
        (_other_targets, "1 of 120 rows have another target on the other side", None),
        (
            lambda file: file.write_text(file.read_text().replace(",0,", ",1,")),
            " rows have another target on the other side",
            None,
        ),
    ],
)
def test_what_cannot_be_scored_is_said(scored: Project, spoil, why: str, note: str | None) -> None:  # type: ignore[no-untyped-def]
    """The values of the runs are compared all the same."""
    _run(scored, "a", 0.5)
    spoil(_run(scored, "b", 2.5))
    report = _compare(scored, "a", "b")
    assert report.comparisons[0].images.interval is None
    assert report.comparisons[0].images.why.endswith(why)
    assert report.comparisons[0].verdict.kind == "unknown"
    assert any(f"b local-v1: {note}" in each for each in report.notes) is (note is not None)


def test_other_rows_are_refused(scored: Project) -> None:
    """As they are for values of each row."""
    _run(scored, "a", 0.5)
    file = _run(scored, "b", 2.5)
    file.write_text(file.read_text().replace("row-0,", "row-x,"))
    with pytest.raises(NotComparable, match="were measured on other rows: 120 and 120, of which 119 are in both"):
        _compare(scored, "a", "b")
