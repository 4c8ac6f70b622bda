"""One experiment that cannot be read hides the others: what reads is shown, and the problems after it.

Seen: found by trying it on coord (`coord experiments` with an unknown key in one file showed nothing else).
"""

from __future__ import annotations

import json
import shutil

import pytest

from coordinator.project.project import find_project
from tests.coordinator.command import Coord
from tests.coordinator.finished_runs import finished

RECORDED = """
base: base
recorded: [{metric: cv/dice, mode: max, value: 0.5}, {metric: leaderboard/public, mode: max, value: 0.4}]
"""
BROKEN: dict[str, str | bytes] = {
    "unknown key": "base: base\nabuot: x\n",
    "wrong type": "base: base\nconfig: {train: {epochs: many}}\n",
    "no YAML": "config: {a: [}\n",
    "no text": b"about: \xff\n",
    "no mapping": "- a\n",
    "no base": "base: nothing\n",
    "a circle": "base: broken\n",
    "aliases": "a: &a [*a]\n",
    "bad kernel": "kernel: {is_private: 3}\n",
    "binary": b"\0\1\2",
}


def _break(coord: Coord, content: str | bytes, name: str = "broken.yaml") -> None:
    data = content.encode() if isinstance(content, str) else content
    (coord.root / "experiments" / name).write_bytes(data)


@pytest.mark.parametrize("kind", BROKEN)
def test_the_others_are_listed(coord: Coord, kind: str) -> None:
    """As text and as JSON, with exit code 1: the broken one is told after them, on stderr."""
    _break(coord, BROKEN[kind])
    shown = coord.here("experiments", code=1)
    assert [line.split()[0] for line in shown.stdout.splitlines() if line[:1].strip()] == ["base", "crash", "slow"]
    assert "broken" in shown.stderr
    items = json.loads(coord.here("experiments", "--json", code=1).stdout)
    assert {item["name"]: item["error"] is None for item in items} == {
        "base": True,
        "broken": False,
        "crash": True,
        "slow": True,
    }


def test_a_name_that_is_none(coord: Coord) -> None:
    """A copy that a file manager has made."""
    _break(coord, "base: base\n", "base (copy).yaml")
    assert '"base (copy)" is not a name' in coord.here("experiments", code=1).stderr


def test_a_config_module_that_fails_is_told_once(coord: Coord) -> None:
    """It is the same problem for every experiment."""
    (coord.root / "tiny_model/config.py").write_text("import no_such_module\n", encoding="utf-8")
    assert coord.here("experiments", code=1).stderr.count("cannot be imported") == 1


@pytest.mark.parametrize("name", ["other.yml", "other.YAML", "other.Yml"])
def test_files_with_another_ending_are_named(coord: Coord, name: str) -> None:
    """A listing says that the file is not read; so does a command that looks for it, and a base that names it."""
    _break(coord, "base: base\n", name)
    told = f"experiments/{name} is not read: name it other.yaml"
    assert told in coord.here("experiments").stderr
    assert told in coord.here("show", "--exp", "other", code=1).stderr
    _break(coord, "base: other\n")
    assert told in coord.here("show", "--exp", "broken", code=1).stderr


@pytest.mark.parametrize("command", [["best", "--metric", "cv/dice"], ["scores"], ["report"]])
def test_commands_that_read_all_say_what_they_leave_out(coord: Coord, command: list[str]) -> None:
    """The values that the others record are shown, and the broken one is named on stderr."""
    _break(coord, RECORDED, "good.yaml")
    _break(coord, "base: base\nabuot: x\n")
    done = coord.here(*command)
    assert "broken" in done.stderr
    shown = (coord.root / "report.html").read_text(encoding="utf-8") if command == ["report"] else done.stdout
    assert "good" in shown


def test_a_run_is_compared_although_its_file_is_broken_now(coord: Coord) -> None:
    """Its results are there; only what the file records is left out, and that is said."""
    project = find_project(coord.root)
    finished(project, "base", 1, [0.5, 0.6, 0.7, 0.8])
    finished(project, "slow", 1, [0.6, 0.7, 0.8, 0.9], sets=["optim.lr=0.5"])
    _break(coord, "abuot: x\n", "base.yaml")
    done = coord.here("compare", "slow", "base")
    assert "base" in done.stdout
    assert "left out, because of problems in their files: base" in done.stderr


@pytest.mark.parametrize("command", [("report",), ("tag", "--exp", "base", "good")])
def test_a_folder_that_is_gone_hides_no_runs(coord: Coord, command: tuple[str, ...]) -> None:
    """The runs are in the ledger."""
    finished(find_project(coord.root), "base", 1, [0.5, 0.6])
    shutil.rmtree(coord.root / "experiments")
    coord.here(*command)
