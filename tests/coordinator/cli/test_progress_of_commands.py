"""Every command that may take long shows on a terminal how far it is, and leaves stdout to its answer."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.coordinator.bundle.programs import write_files
from tests.coordinator.command import Coord
from tests.coordinator.shown_progress import check_shown, on_terminal
from tests.coordinator.wheels.made import write_project, write_wheel


@pytest.fixture
def fetched(coord: Coord) -> Coord:
    coord.here("push", "--exp", "base", "--wait")
    coord.here("fetch-results", "--exp", "base")
    return coord


@pytest.mark.parametrize(
    ("command", "label"),
    [
        (("bundle", "tiny_model/train.py", "-o", "out.py", "--json"), "bundling"),
        (("build", "--exp", "base", "--json"), "building base"),
    ],
    ids=["bundle", "build"],
)
def test_what_it_does_is_shown(coord: Coord, command: tuple[str, ...], label: str) -> None:
    """Its answer is JSON all the same."""
    out, text = on_terminal(coord, *command)
    json.loads(out)
    check_shown(text, label)


def test_what_is_done_with_fetched_runs_is_shown(fetched: Coord) -> None:
    """Each stage has a line of its own; those whose end is not known have no time left."""
    for command, labels in (
        (("report", "-o", "page.html"), ("reading the runs", "comparing", "making the page")),
        (("ledger", "check"), ("checking the ledger's file", "reading results/", "asking local")),
        (("fetch-results", "--exp", "base", "--force"), ("fetching base local-v1", "fetching")),
    ):
        out, text = on_terminal(fetched, *command, "--json")
        json.loads(out)
        for label in labels:
            check_shown(text, label, is_counted=label not in ("reading the runs", "checking the ledger's file"))


def test_a_repair(fetched: Coord) -> None:
    """What is repaired is told above the bar."""
    (fetched.root / ".coord/ledger.sqlite").unlink()
    out, text = on_terminal(fetched, "ledger", "check", "--repair")
    assert "repaired: " in out
    check_shown(text, "reading results/")


def test_data_sets(coord: Coord, tmp_path: Path) -> None:
    """An upload and a download."""
    write_files(tmp_path / "data", {f"{number}.csv": "x" * 1000 for number in range(20)})
    out, text = on_terminal(coord, "data", "push", str(tmp_path / "data"), "ada/far-away", "--json")
    assert json.loads(out)["files"] == 20
    check_shown(text, "sending")
    out, text = on_terminal(coord, "data", "fetch", "ada/far-away", str(tmp_path / "far"), "--json")
    assert len(json.loads(out)["files"]) == 20
    check_shown(text, "fetching")


def test_wheels(coord: Coord, tmp_path: Path) -> None:
    """pip's own bar is off; what it does is told all the same."""
    write_project(coord.root, ["pure"])
    (tmp_path / "index").mkdir()
    write_wheel(tmp_path / "index", "pure", files={"pure.py": ""})
    index = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(tmp_path / "index")}
    for label in ("resolving", "downloading"):
        out, shown = on_terminal(coord, "wheels", "--no-push", "--json", variables=index)
        assert json.loads(out)["wheels"][0]["name"] == "pure"
        check_shown(shown, label, is_counted=False)
        for folder in (coord.root / ".coord/wheels").iterdir():
            for each in folder.iterdir():
                each.unlink()
            folder.rmdir()
