"""One question has one answer: `compare`, `best` and the report judge by one rule, which they say."""

from __future__ import annotations

import itertools
import math
import re
import sqlite3

import pytest

from coordinator.comparison import Placed, all_candidates, judge, table_level, why_out_of_order
from coordinator.comparison.compare import Report, compare_experiments
from coordinator.comparison.intervals import Spread, sd_of
from coordinator.comparison.noise import Floor
from coordinator.comparison.ranking import best
from coordinator.comparison.seeds import Sample
from coordinator.errors import ExperimentError
from coordinator.ledger import Ledger, Run, rows
from coordinator.ledger.rows import Columns
from coordinator.progress import Count
from coordinator.project import Project, resolve
from coordinator.report.boards import boards
from coordinator.workspace import Workspace
from tests.coordinator.command import Coord
from tests.coordinator.finished_runs import finished

SPREAD = (0.0, 0.004, -0.004)
# Seven configs: the differences from the first grow, so that a pair alone is better where the table can't tell.
SHIFTS = {f"c{at}": 0.006 * at for at in range(7)}


def _configs(project: Project) -> None:
    for at, (name, shift) in enumerate(SHIFTS.items()):
        for seed, luck in enumerate(SPREAD):
            sets = [f"optim.lr={at + 1}"]
            finished(project, name, seed + 1, [0.5 - shift + luck, 0.7 - shift + luck], seed=seed, sets=sets)


def _compare(project: Project, *names: str) -> Report:
    with Ledger(project.ledger) as ledger:
        return compare_experiments(Workspace(project, ledger), names)


@pytest.mark.parametrize("asked", ["compare", "best"])
def test_the_ledger_is_read_once(tiny: Project, asked: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many names are compared: with many runs, reading them takes most of the time."""
    _configs(tiny)
    read: list[str] = []
    usual = rows.to_run

    def counted(row: sqlite3.Row, columns: Columns) -> Run:
        read.append(row["id"])
        return usual(row, columns)

    monkeypatch.setattr(rows, "to_run", counted)
    if asked == "compare":
        _compare(tiny, "c0", "c1", "c2")
    else:
        with Ledger(tiny.ledger) as ledger:
            best(Workspace(tiny, ledger))
    assert sorted(read) == sorted(set(read))
    assert len(read) == len(SHIFTS) * len(SPREAD)


def test_a_table_has_one_rule_and_a_pair_has_its_own(tiny: Project) -> None:
    """`best`, the report and `compare` with the same configs agree line by line; a pair alone has 95%."""
    _configs(tiny)
    with Ledger(tiny.ledger) as ledger:
        here = Workspace(tiny, ledger)
        rows, notes = best(here)
        (board,) = boards(tiny, all_candidates(here), all_candidates(here), count=Count(""))
    table = _compare(tiny, *SHIFTS)
    kinds = [each.verdict.kind for each in table.comparisons]
    assert kinds == [entry.verdict.kind for entry in board.entries[1:] if entry.verdict]
    assert [kind == "noise" for kind in kinds] == [row["within_noise"] for row in rows[1:]]
    assert {row["level"] for row in rows} == {board.level} == {each.level for each in table.comparisons}
    assert board.level == table_level(6)
    rule = "6 comparisons with one config: each interval is of 99.2% (Bonferroni); a pair alone is judged at 95%"
    for said in (list(notes), list(board.rules), list(table.notes)):
        assert [each.partition(": coord compare")[0] for each in said if "Bonferroni" in each] == [rule]

    alone = {name: _compare(tiny, "c0", name).comparisons[0] for name in list(SHIFTS)[1:]}
    assert {each.level for each in alone.values()} == {0.95}
    differ = [name for name, kind in zip(alone, kinds, strict=True) if alone[name].verdict.kind != kind]
    assert differ, "no pair shows what the correction is for"
    for name in alone:
        sentence = f"{name} against c0 as a pair alone, at 95%: {alone[name].verdict.text}"
        assert (sentence in table.notes) == (name in differ)


def test_the_verdict_is_the_first_line(tiny: Project) -> None:
    """Of `compare` with two names, and with several a line for each; with one name, how much is luck."""
    _configs(tiny)
    coord = Coord(tiny.root, {"COLUMNS": "80"})
    assert coord.here("compare", "c0", "c6").stdout.startswith("c0 is better by 0.03")
    lines = coord.here("compare", "c0", "c6", "c5").stdout.splitlines()
    assert [line for line in lines if re.match(r"c\d against c0: ", line)] == [lines[0], lines[2]]
    assert coord.here("compare", "c0").stdout.startswith("by 3 repeats of c0")


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([("better", 3), ("noise", 1)], "rank 3 .* although rank 2, .*it has 1 run, rank 2 has 3"),
        ([("better", 1), ("noise", 3)], "its runs differ more from one another"),
        ([("likely", 3), ("better", 3), ("noise", 2)], "rank 4 .* although rank 3, .*it has 2 runs, rank 3 has 3"),
        ([("noise", 1), ("better", 3)], ""),
        ([("unknown", 1), ("noise", 1)], ""),
        ([("noise", 3), ("noise", 3)], ""),
        ([], ""),
    ],
)
def test_a_worse_mean_that_may_be_as_good(rows: list[tuple[str, int]], said: str) -> None:
    """It is never marked so without a word about why."""
    placed = [Placed(1, None, (1.0,) * 3)]
    placed += [Placed(at, kind, (0.5,) * count) for at, (kind, count) in enumerate(rows, start=2)]  # type: ignore[arg-type]
    found = why_out_of_order(placed)
    assert re.search(said, found) if said else found == ""


VALUES = {
    "large": (1e100, 0.9e100, 1.1e100),
    "one large": (1e100,),
    "tiny": (1e-200, 1.1e-200, 0.9e-200),
    "equal": (0.5, 0.5, 0.5),
    "single": (0.5,),
    "zero": (0.0, 0.0),
    "usual": (0.4, 0.5, 0.45),
    "far apart": (0.5, 1e100),
    "opposite": (1e100, -1e100),
}


@pytest.mark.parametrize(("a", "b"), list(itertools.product(VALUES, VALUES)))
def test_values_of_any_size_have_a_verdict(a: str, b: str) -> None:
    """A sentence that one can read, and an interval that is finite."""
    for floor in (None, 0.01, 1e-200, 1e100):
        noise = None if floor is None else Floor(Spread(floor, 3), ("x",))
        interval, verdict = judge(Sample("a", VALUES[a]), Sample("b", VALUES[b]), mode="max", floor=noise)
        assert len(verdict.text) < 250
        assert not re.search("inf|nan", verdict.text)
        assert interval is None or all(map(math.isfinite, (interval.estimate, interval.low, interval.high)))


def test_small_values_have_a_spread() -> None:
    """The square of 1e-200 is 0: three values that differ were said to be the same whatever the seed."""
    assert sd_of((1e-200, 2e-200, 3e-200)) == pytest.approx(1e-200)
    small, smaller = Sample("a", (1e-200, 2e-200, 3e-200)), Sample("b", (1.1e-200, 2.1e-200, 3.1e-200))
    assert judge(small, smaller, mode="max")[1].kind == "noise"
    found = judge(small, Sample("b", (9e-200, 9.1e-200, 9.2e-200)), mode="max")[1]
    assert found.text.startswith("b is better by 7.1e-200, 95% interval 5.")


def test_one_image_has_no_interval(tiny: Project) -> None:
    """A bootstrap of one row has the width 0: it would say that two runs differ for certain."""
    finished(tiny, "a", 1, [0.5], sets=["optim.lr=1"])
    finished(tiny, "b", 1, [0.6], sets=["optim.lr=2"])
    (found,) = _compare(tiny, "a", "b").comparisons
    assert (found.images.interval, found.images.images) == (None, 1)
    assert found.images.why == "only one of the images has a value on both sides"
    assert found.verdict.kind == "unknown"
    assert "run both with other seeds" in found.verdict.text


def test_a_recorded_value_that_cannot_be_compared(tiny: Project) -> None:
    """It is refused where it stands."""
    file = tiny.experiments / "base.yaml"
    file.write_text(file.read_text() + "\nrecorded: [{metric: cv/dice, mode: max, value: 1.0e+200}]\n")
    with pytest.raises(ExperimentError, match=r"between -1e\+100 and 1e\+100, is 1e\+200"):
        resolve(tiny, "base")
