"""coord runs, best, note and tag: what is in the ledger, filtered, sorted, ranked and commented."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from coordinator.cli.tables import comparison as compare_tables
from coordinator.comparison.ranking import best
from coordinator.errors import RunNotFound, UsageError
from coordinator.ledger import remarks
from coordinator.ledger.ledger import Ledger
from coordinator.ledger.listing import ALWAYS, Filter, rows
from coordinator.project.project import Project, find_project
from coordinator.target.protocol import RunState
from coordinator.workspace import Workspace
from tests.coordinator.command import Coord
from tests.coordinator.finished_runs import finished


@pytest.fixture
def some(tiny: Project) -> Project:
    """Three runs of `a` over seeds, one of `b` that is better, a failed one, one on other images."""
    for seed, value in enumerate((0.50, 0.52, 0.51)):
        finished(tiny, "a", 1 + seed, [value] * 4, seed=seed, has_oof=False)
    finished(tiny, "b", 4, [0.6] * 4, sets=["optim.lr=0.2"], has_oof=False)
    finished(tiny, "crash", 5, [0.9] * 4, state=RunState.ERROR, summary=None, target="kaggle", has_oof=False)
    finished(tiny, "c", 1, [0.99] * 2, sets=["optim.lr=0.3"], has_oof=False, created_at="2026-10-01T00:00:00+00:00")
    return tiny


def test_runs_are_filtered_sorted_and_cut(some: Project) -> None:
    """Each option alone; a run without a value comes last in both directions."""
    with Ledger(some.ledger) as ledger:
        names = ["crash kaggle-v5", "b local-v4", "a local-v3", "a local-v2", "a local-v1", "c local-v1"]
        assert [row["run"] for row in rows(ledger)] == names
        assert [row["run"] for row in rows(ledger, Filter(experiment="a"))] == names[2:5]
        assert [row["run"] for row in rows(ledger, Filter(experiment="[ac]*"))] == [names[0], *names[2:]]
        assert [row["run"] for row in rows(ledger, Filter(state="error"))] == names[:1]
        assert [row["run"] for row in rows(ledger, Filter(target="kaggle"))] == names[:1]
        assert [row["run"] for row in rows(ledger, limit=2)] == names[:2]
        assert [row["value"] for row in rows(ledger, sort="value")] == [0.5, 0.51, 0.52, 0.6, 0.99, None]
        assert [row["value"] for row in rows(ledger, sort="-value")] == [0.99, 0.6, 0.52, 0.51, 0.5, None]
        assert rows(ledger, sort="optim.lr", columns=["optim.lr", "cv/dice"], limit=1) == [
            {"optim.lr": 0.1, "cv/dice": None}
        ]
        assert rows(ledger, Filter(experiment="nothing")) == []


def test_a_sorted_list_is_cut_as_the_whole_one_would_be(some: Project) -> None:
    """By each column that every run has, in both directions, also with tags: only the rows shown are made whole."""
    with Ledger(some.ledger) as ledger:
        remarks.tag(ledger, "a", "odd")
        remarks.note(ledger, "c", "the other images")
        for sort in (f"{sign}{name}" for name in ALWAYS for sign in ("", "-")):
            for which in (Filter(), Filter(tags=("odd",)), Filter(state="complete")):
                whole = rows(ledger, which, sort=sort, columns=ALWAYS)
                assert rows(ledger, which, sort=sort, columns=ALWAYS, limit=2) == whole[:2], sort


@pytest.mark.parametrize("words", [("status",), ("status", "--json"), ("runs",), ("runs", "--columns", "run,value")])
def test_rows_behind_the_limit_are_not_read(coord: Coord, words: tuple[str, ...]) -> None:
    """What shows two runs costs two rows: it works although the third cannot be read, and with three it does not."""
    project = find_project(coord.root)
    for number in (1, 2, 3):
        finished(project, f"of-{number}", number, [0.5] * 4, has_oof=False)
    with Ledger(project.ledger) as ledger:
        ledger.statement("UPDATE runs SET summary = '{' WHERE experiment = :name", {"name": "of-1"})
    shown = coord.here(*words, "--limit", "2").stdout
    assert [name in shown for name in ("of-3", "of-2", "of-1")] == [True, True, False]
    assert "has a damaged row" in coord.here(*words, "--limit", "3", code=1).output


def test_the_limit_counts_what_matches(some: Project) -> None:
    """Runs that a filter leaves out take none of the places, with the columns of every run and with others."""
    with Ledger(some.ledger) as ledger:
        remarks.tag(ledger, "c", "odd")
        cases = [
            (Filter(state="complete"), ["b local-v4", "a local-v3"]),
            (Filter(experiment="[ac]"), ["a local-v3", "a local-v2"]),
            (Filter(target="kaggle"), ["crash kaggle-v5"]),
            (Filter(tags=("odd",)), ["c local-v1"]),
        ]
        for wanted, names in cases:
            for columns in (["run"], ["run", "optim.lr"]):
                assert [row["run"] for row in rows(ledger, wanted, columns=columns, limit=2)] == names


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ({"sort": "valu"}, 'there is no column "valu" (did you mean "value"?)'),
        ({"columns": ["optim.rl"]}, 'there is no column "optim.rl" (did you mean "optim.lr"?)'),
        ({"columns": ["run", "lr"]}, 'there is no column "lr" (did you mean "optim.lr"?)'),
        ({"wanted": Filter(state="complet")}, 'there is no state "complet" (did you mean "complete"?)'),
    ],
)
def test_columns_and_states_that_there_are_not(some: Project, option: dict[str, Any], message: str) -> None:
    """Named, with the nearest one."""
    with Ledger(some.ledger) as ledger, pytest.raises(UsageError) as found:
        rows(ledger, **option)
    assert message in found.value.what


def test_the_best_says_what_it_does_not_know(some: Project) -> None:
    """A complete run that is not fetched may be better than all; a failed one, or one elsewhere, is none of those."""
    waiting = "1 complete run not fetched yet: coord fetch-results --all"
    with Ledger(some.ledger) as ledger:
        assert waiting not in best(Workspace(some, ledger))[1]
    finished(some, "d", 9, [0.7] * 4, sets=["optim.lr=0.4"], summary=None, has_oof=False)
    with Ledger(some.ledger) as ledger:
        assert waiting in best(Workspace(some, ledger))[1]
        assert waiting in best(Workspace(some, ledger), target="local")[1]


def test_the_best_comes_first_by_the_metrics_direction(some: Project) -> None:
    """Seeds are one row with their mean; failed runs have none; other data is left out, with a note."""
    with Ledger(some.ledger) as ledger:
        found, notes = best(Workspace(some, ledger))
        assert [(row["run"], row["n"]) for row in found] == [("b local-v4", 1), ("a local-v3", 3)]
        assert found[1]["mean"] == pytest.approx(0.51)
        assert found[1]["sd"] == pytest.approx(0.01)
        assert found[1]["behind"] == pytest.approx(0.09)
        assert found[1]["within_noise"] is False
        assert notes == ["1 config on other data, or on a part of it, left out"]
        finished(some, "d", 1, [0.52] * 4, sets=["optim.lr=0.4"], has_oof=False)
        finished(some, "loss", 1, [0.3] * 4, metric="val/loss", mode="min", sets=["optim.lr=0.5"], has_oof=False)
        finished(some, "more", 1, [0.2] * 4, metric="val/loss", mode="min", sets=["optim.lr=0.6"], has_oof=False)
        assert [row["run"] for row in best(Workspace(some, ledger), metric="val/loss")[0]] == [
            "more local-v1",
            "loss local-v1",
        ]
        assert [row["run"] for row in best(Workspace(some, ledger))[0]] == ["b local-v4", "d local-v1", "a local-v3"]
        with pytest.raises(UsageError, match=r"nothing was measured in cv/dic \(did you mean"):
            best(Workspace(some, ledger), metric="cv/dic")
        with pytest.raises(RunNotFound, match="no run is complete and fetched"):
            best(Workspace(some, ledger), target="kaggle")


def test_configs_that_read_other_data_are_left_out(tiny: Project) -> None:
    """The data of the newest config count, also where the number of images is the same."""
    file = tiny.root / "pyproject.toml"
    file.write_text(file.read_text().replace("[tool.coord]\n", '[tool.coord]\nattached = ["train.wait_for"]\n', 1))
    project = find_project(tiny.root)
    for version, (name, data) in enumerate((("easy", "easy"), ("a", "data"), ("b", "data")), start=1):
        sets = [f"train.wait_for=ada/{data}", f"optim.lr={version}"]
        finished(project, name, version, [1 - version / 10] * 4, sets=sets, has_oof=False)
    with Ledger(project.ledger) as ledger:
        found, notes = best(Workspace(project, ledger))
    assert [row["run"] for row in found] == ["a local-v2", "b local-v3"]
    assert notes == ["1 config on other data, or on a part of it, left out"]


def test_a_metric_that_is_better_the_other_way_round_is_left_out(some: Project) -> None:
    """One run that says so does not keep the others from being ranked."""
    finished(some, "odd", 1, [0.1] * 4, mode="min", sets=["optim.lr=0.4"], has_oof=False, created_at="2026-10-01")
    with Ledger(some.ledger) as ledger:
        found, notes = best(Workspace(some, ledger))
    assert [row["run"] for row in found] == ["b local-v4", "a local-v3"]
    assert notes[1] == "left out, because cv/dice has another direction there, or none: odd local-v1"


def test_what_is_within_the_noise_of_the_best_is_marked(tiny: Project) -> None:
    """Two configs with repeats that overlap: the second may be as good."""
    for seed, value in enumerate((0.50, 0.52, 0.51)):
        finished(tiny, "a", 1 + seed, [value] * 4, seed=seed, has_oof=False)
        finished(tiny, "b", 1 + seed, [value + 0.002] * 4, seed=seed, sets=["optim.lr=0.2"], has_oof=False)
    with Ledger(tiny.ledger) as ledger:
        assert [row["within_noise"] for row in best(Workspace(tiny, ledger))[0]] == [False, True]


def test_the_diary_is_ranked_by_its_records(repository: Project, tmp_path: Path) -> None:
    """Without runs the metric has to be named; four recorded configs are within the noise of the four repeats.

    As a pair alone, at 95%, the last one is likely behind (by 0.016): three degrees of freedom are known of the noise.
    """
    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        with pytest.raises(UsageError, match="there are no runs, so no primary metric"):
            best(Workspace(repository, ledger))
        found, _ = best(Workspace(repository, ledger), metric="val/loss")
    assert [(row["run"], row["within_noise"]) for row in found] == [
        ("lr001_step4@recorded", False),
        ("lr001_step3_continued_step2@recorded", True),
        ("lr001_step4_continued@recorded", True),
        ("lr001_step3@recorded", True),
        ("lr0005_step3@recorded", True),
    ]


def test_without_repeats_the_noise_is_not_known(repository: Project, tmp_path: Path) -> None:
    """Leaderboard scores were recorded once each: who is behind is marked as not known, rather than as worse."""
    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        found, _ = best(Workspace(repository, ledger), metric="leaderboard/public")
    assert [row["within_noise"] for row in found] == [False, None, None]
    console = Console(width=80)
    with console.capture() as shown:
        console.print(compare_tables.ranking(found))
    assert "0.0019 ?" in shown.get()
    assert "without repeats the noise is not known" in shown.get()


def test_notes_and_tags_are_of_an_experiment_or_of_a_run(some: Project) -> None:
    """An experiment's hold for all of its runs; the same tag twice is one; what is removed is gone."""
    with Ledger(some.ledger) as ledger:
        run = ledger.find("a", version=2)
        remarks.tag(ledger, "a", "baseline")
        remarks.tag(ledger, "a", "baseline")
        remarks.tag(ledger, "a", "odd", run=run)
        remarks.note(ledger, "a", " ü: ');\r\nDROP TABLE remarks;-- ")
        remarks.note(ledger, "a", "slow", run=run)
        found = {row["run"]: (row["tags"], row["notes"]) for row in rows(ledger, Filter(tags=("baseline",)))}
        assert found == {
            "a local-v3": ("baseline", "ü: '); DROP TABLE remarks;--"),
            "a local-v2": ("baseline odd", "ü: '); DROP TABLE remarks;--; slow"),
            "a local-v1": ("baseline", "ü: '); DROP TABLE remarks;--"),
        }
        assert [row["run"] for row in rows(ledger, Filter(tags=("odd", "baseline")))] == ["a local-v2"]
        remarks.untag(ledger, "a", "baseline")
        assert rows(ledger, Filter(tags=("baseline",))) == []
        with pytest.raises(UsageError, match='a has no tag "baseline"'):
            remarks.untag(ledger, "a", "baseline")
        with pytest.raises(UsageError, match=r'a local-v2 has no tag "od" \(did you mean "odd"\?\)'):
            remarks.untag(ledger, "a", "od", run=run)
        for bad in ("", "two words", "a,b", "red\x1b[31m", "line\u2028"):
            with pytest.raises(UsageError, match="is not a tag"):
                remarks.tag(ledger, "a", bad)
        with pytest.raises(UsageError, match="at most 50 characters, not 51"):
            remarks.tag(ledger, "a", "x" * 51)
        for nothing in ("  ", "\x07"):
            with pytest.raises(UsageError, match="the note is empty"):
                remarks.note(ledger, "a", nothing)


def test_the_commands(some: Project) -> None:
    """Tables of 80 columns, JSON and CSV, and messages for what there is not."""
    coord = Coord(some.root, {"COLUMNS": "80"})
    assert "baseline" in coord.here("tag", "--exp", "a", "baseline").stdout
    coord.here("note", "--exp", "a", "--version", "2", "slow")
    for command in (["runs"], ["best"], ["note", "--exp", "a"], ["tag", "--exp", "a"]):
        shown = coord.here(*command).stdout
        assert max(map(len, shown.splitlines())) <= 160  # no terminal: see terminal.new_console
        assert len(json.loads(coord.here(*command, "--json").stdout)) == len(
            list(csv.DictReader(io.StringIO(coord.here(*command, "--csv").stdout)))
        )
        assert "not both" in coord.here(*command, "--csv", "--json", code=2).stderr
    shown = coord.here("runs", "--tag", "baseline", "--sort", "-value", "--columns", "run,value", "--csv").stdout
    assert shown == "run,value\na local-v2,0.52\na local-v3,0.51\na local-v1,0.5\n"
    assert coord.here("runs", "--exp", "x", "--json", code=1).stdout == ""
    assert coord.here("runs", "--exp", "x*", "--json").stdout == "[]\n"
    assert coord.here("runs", "--state", "queued", "--json").stdout == "[]\n"
    assert 'no run of "crasj" (did you mean "crash"?)' in coord.here("runs", "--exp", "crasj", code=1).stderr
    assert (
        'nothing has the tag "basline" (did you mean "baseline"?)'
        in coord.here("runs", "--tag", "basline", code=1).stderr
    )
    assert "no runs match" in coord.here("runs", "--state", "queued").stderr
    assert 'there is no target "kagle"' in coord.here("runs", "--target", "kagle", code=2).stderr
    assert 'there is no target "kagle"' in coord.here("best", "--target", "kagle", code=2).stderr
    assert "1 config on other data" in coord.here("best").stderr
    assert 'no experiment "slo" (did you mean "slow"?)' in coord.here("note", "--exp", "slo", "x", code=1).stderr
    assert "a local-v2" in coord.here("note", "--exp", "a").stdout
    assert "which tag?" in coord.here("tag", "--exp", "a", "--remove", code=2).stderr
    coord.here("tag", "--exp", "a", "baseline", "--remove")
    assert coord.here("tag", "--exp", "a", "--csv").stdout == "of,text,created_at\n"
    assert coord.here("runs", "--exp", "x*", "--csv").stdout.startswith("run,id,experiment,")
    assert coord.here("runs", "--exp", "x*", "--columns", "run,optim.lr", "--csv").stdout == "run,optim.lr\n"
    with Ledger(some.ledger) as ledger:
        run = ledger.find("crash", version=5)
        ledger.update(run.id, message="it\r\nbroke\x1b[2J: 10%\r50%")
        remarks.note(ledger, "crash", "word " * 100)
    table = list(csv.DictReader(io.StringIO(coord.here("runs", "--csv").stdout)))
    assert [row["message"] for row in table] == ["50%", *[""] * 5]  # one message's line ends cut no rows
    shown = coord.here("runs", "--exp", "crash").stdout
    assert len(shown.splitlines()) == 3
    assert shown.count("word") == 100  # in a file nothing is cut
    assert coord.here("note", "--exp", "crash").stdout.count("word") == 100
    assert "a has no tags" in coord.here("tag", "--exp", "a").stderr
