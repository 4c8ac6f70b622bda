"""A complete use of coord: a new project, a sweep, a comparison, a report, a submission, a continued run."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.coordinator.browser import CHROMIUM, browser
from tests.coordinator.command import COORD, Coord, until

TRAIN = "model/train.py"


@pytest.fixture
def coord(tmp_path: Path) -> Coord:
    """A project made by `coord init`, with one more setting, `cut`, that changes the result of its model."""
    environment = {**os.environ, "COORD_TARGET": "local", "COLUMNS": "100"}
    subprocess.run([*COORD, "init", "game", "--owner", "ada"], cwd=tmp_path, env=environment, check=True)
    train = tmp_path / "game" / TRAIN
    text = train.read_text(encoding="utf-8")
    for before, after in (
        ("    seed: int = 0\n", "    seed: int = 0\n    cut: float = 0.5\n"),
        ("int(probability > 0.5)", "int(probability > config.cut)"),
    ):
        assert before in text
        text = text.replace(before, after)
    train.write_text(text, encoding="utf-8")
    return Coord(tmp_path / "game", environment)


@pytest.mark.slow
def test_from_a_new_project_to_a_score(coord: Coord) -> None:
    """Four configs with three seeds: a real effect is found; none is reported where there is none, or from one seed."""
    data = ".coord/sample-data"
    subprocess.run([sys.executable, "sample_data.py", data], cwd=coord.root, check=True)
    coord("local", "add-competition", "sample-competition", data, "--solution", f"{data}-solution.csv")

    grid = ("--grid", "cut=0.5,0.99", "--grid", "epochs=20,21", "--seeds", "3")
    assert "12 to run" in coord("sweep", "--exp", "base", *grid, "--plan").stdout
    coord("sweep", "--exp", "base", *grid, "--name", "first")
    until(lambda: coord.states() == ["complete"] * 12, "the end of the sweep")
    assert "12 complete" in coord("sweep", "status", "first").stdout
    coord("fetch-results", "--all")
    again = coord("sweep", "--exp", "base", *grid, "--name", "second")
    assert len(coord.states()) == 12, again.stderr  # the same work is not run twice

    better = coord("compare", "base--cut0.99-epochs20", "base--cut0.5-epochs20").stdout
    assert "base--cut0.5-epochs20 is better by 0." in better, better
    assert "3 seeds each" in better
    nothing = coord("compare", "base--cut0.5-epochs20", "base--cut0.5-epochs21").stdout
    assert "you can't tell" in nothing
    one = coord("compare", "base--cut0.99-epochs20-s0@v1", "base--cut0.5-epochs20-s0@v1").stdout
    assert "is better by" not in one
    best = coord.json("best")
    assert "cut0.5" in best[0]["run"], best

    sent = coord("submit", "--exp", "base--cut0.5-epochs20-s0", "--wait")
    assert "public 0." in sent.stdout + sent.stderr
    assert "base--cut0.5-epochs20-s0" in coord("scores").stdout.replace("\n", "")

    coord("continue", "--exp", "base--cut0.5-epochs20-s0", "--set", "epochs=25")
    until(lambda: coord.states() == ["complete"] * 13, "the end of the continued run")
    assert "continues v1" in coord("status").stdout

    coord("report", "--all", "-o", "report.html")
    assert "base--cut0.5-epochs20-s0" in (coord.root / "report.html").read_text(encoding="utf-8")
    if CHROMIUM:
        with browser(coord.root.parent / "chromium") as page:
            page.open(coord.root / "report.html")
            lines, rows = (
                page.run(f"document.querySelectorAll('{each}').length") for each in (".board tbody", "tr.run")
            )
            assert (lines, rows) == (4, 12)  # the fetched runs
            assert (page.complaints(), page.requests()) == ([], [])
    coord("promote", "--exp", "base--cut0.5-epochs20-s0", "--version", "1", "-o", "best")
    (coord.root / TRAIN).unlink()
    assert "byte for byte" in coord("promote", "--verify", "best").stdout
