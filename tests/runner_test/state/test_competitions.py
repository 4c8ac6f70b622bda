"""The registration of a competition: its solution, its parts and its scorer."""

import gzip
from pathlib import Path
from typing import Any

import pytest

from runner_test.errors import BadCompetition, MissingFolder
from runner_test.state.competitions import rules_of, solution_of
from tests.runner_test.contest import SCORER, SOLUTION, rules, write
from tests.runner_test.local import Local


def test_parts_are_drawn_where_the_solution_names_none(local: Local, tmp_path: Path) -> None:
    """The same ids each time, in the requested share, each id in one part, with one or several rows per id."""
    (tmp_path / "metric.py").write_text(SCORER)
    (tmp_path / "data").mkdir()
    rows = [("id", "label"), *((f"n{n}", str(m)) for n in range(40) for m in range(2))]
    plain = write(tmp_path / "solution.csv", rows)
    packed = tmp_path / "solution.csv.gz"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    drawn = []
    for path, share in ((plain, 0.25), (packed, 0.25), (plain, 0.001), (plain, 0.999)):
        local.store.add_competition("c", tmp_path / "data", path, rules(tmp_path, public_share=share))
        _, parts = solution_of(local.store.root, "c")
        assert sorted(parts["public"] + parts["private"]) == sorted(f"n{n}" for n in range(40))
        drawn.append(parts["public"])
    assert drawn[0] == drawn[1]
    assert [len(public) for public in drawn] == [10, 10, 1, 39]


@pytest.mark.parametrize(
    ("rows", "changes", "message"),
    [
        ([("id", "label")], {}, "needs a header, and rows"),
        ([("id", "label"), ("a",)], {}, "rows of the same length"),
        ([("id", "label"), ("a", "1")], {}, "too few rows"),
        ([("id", "Usage"), ("a", "Public"), ("b", "Secret")], {}, "not 'secret'"),
        ([("id", "Usage"), ("a", "Public"), ("b", "Public")], {}, "too few rows"),
        (SOLUTION, {"scorer": "metric"}, "not of the form module:function"),
        (SOLUTION, {"scorer": "none:accuracy"}, "No module named 'none'"),
        (SOLUTION, {"scorer": "metric:none"}, "has no attribute 'none'"),
        (SOLUTION, {"scorer": "metric:NOT_CALLABLE"}, "is not a function"),
        (SOLUTION, {"daily_limit": 0}, "at least 1"),
        (SOLUTION, {"public_share": 1.0}, "between 0 and 1"),
    ],
)
def test_a_competition_that_could_not_score(
    local: Local, tmp_path: Path, rows: list[tuple[str, ...]], changes: dict[str, Any], message: str
) -> None:
    """The registration is refused with a message of one line, and nothing is registered."""
    (tmp_path / "metric.py").write_text(SCORER)
    (tmp_path / "data").mkdir()
    solution = write(tmp_path / "solution.csv", rows)
    with pytest.raises(BadCompetition) as error:
        local.store.add_competition("c", tmp_path / "data", solution, rules(tmp_path, **changes))
    assert message in str(error.value)
    assert "\n" not in str(error.value)
    assert not (local.store.root / "competitions").exists()


def test_a_solution_that_sessions_could_read(local: Local, tmp_path: Path) -> None:
    """A solution inside the data folder, a missing solution and a missing data folder are refused."""
    write(tmp_path / "solution.csv", SOLUTION)
    for data, solution, error in (
        (tmp_path, tmp_path / "solution.csv", BadCompetition),
        (tmp_path, tmp_path.parent / "none.csv", BadCompetition),
        (tmp_path / "none", tmp_path / "solution.csv", MissingFolder),
    ):
        with pytest.raises(error):
            local.store.add_competition("c", data, solution, rules(tmp_path))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"kernels_only": False}, "only a code competition"),
        ({"hidden": "none"}, "there is no folder"),
        ({"hidden": "data"}, "must be two folders"),
        ({"hidden": "data/inner"}, "must be two folders"),
        ({"hidden": "."}, "must be two folders"),
        ({"hidden": "answers"}, "is in the hidden folder"),
        ({"hidden": "", "gateway": "gateway.py"}, "a gateway is for reruns"),
        ({"hidden": "", "time_limit": 60.0}, "a time limit is for reruns"),
        ({"gateway": "none.py"}, "there is no gateway program"),
        ({"gateway": "data/kit.py"}, "the hidden folder has no kit.py"),
        ({"time_limit": -1.0}, "0 seconds or more"),
    ],
)
def test_hidden_data_that_would_be_of_no_use(
    local: Local, tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    """What a session could read, or what a rerun could not use, is refused, and nothing is registered."""
    for name in ("data/inner", "hidden", "answers"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "metric.py").write_text(SCORER)
    (tmp_path / "data" / "kit.py").touch()
    (tmp_path / "gateway.py").touch()
    given: dict[str, Any] = {"kernels_only": True, "hidden": "hidden"} | changes
    given |= {name: str(tmp_path / given[name]) for name in ("hidden", "gateway") if given.get(name)}
    solution = write(tmp_path / "answers" / "solution.csv", SOLUTION)
    with pytest.raises(BadCompetition) as error:
        local.store.add_competition("c", tmp_path / "data", solution, rules(tmp_path, **given))
    assert message in str(error.value)
    assert not (local.store.root / "competitions").exists()


def test_a_second_registration(local: Local, tmp_path: Path) -> None:
    """It replaces the first one wholly: its hidden data, its gateway, its solution."""
    for name in ("data", "hidden"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "kit.py").touch()
    (tmp_path / "metric.py").write_text(SCORER)
    solution, add = write(tmp_path / "solution.csv", SOLUTION), local.store.add_competition
    given = {"hidden": str(tmp_path / "hidden"), "gateway": str(tmp_path / "data" / "kit.py")}
    add("c", tmp_path / "data", solution, rules(tmp_path, kernels_only=True, **given))
    first = rules_of(local.store.root, "c")
    assert first is not None
    assert (first.reruns, first.gateway) == (True, str(tmp_path / "hidden" / "kit.py"))  # the hidden data's copy
    add("c", tmp_path / "data", solution, rules(tmp_path))
    second = rules_of(local.store.root, "c")
    assert second is not None
    assert (second.reruns, second.gateway) == (False, "")
    add("c", tmp_path / "data")
    assert rules_of(local.store.root, "c") is None
