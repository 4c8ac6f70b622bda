"""What follows a run on Ray: it is continued, its file is submitted elsewhere; and the folder is behind ssh."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from coordinator.project.init import init_project
from tests.clusters.engines import RayHead, SshHost
from tests.coordinator.command import Coord

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture
def coord(ray_head: RayHead, tmp_path: Path) -> Coord:
    """`coord` in a small project that trains on sample data, whose target `lab` is the Ray cluster."""
    root = tmp_path / "new"
    init_project(root, "minimal", owner="ada")
    coord = Coord(root, {**os.environ})
    coord("dry-run", "--exp", "base")  # makes the data
    solution = tmp_path / "solution.csv"
    sample = (root / ".coord" / "sample-data" / "sample_submission.csv").read_text(encoding="utf-8")
    solution.write_text(sample, encoding="utf-8")  # of zeros
    add = ("add-competition", "sample-competition", ".coord/sample-data", "--solution", str(solution))
    coord("local", *add)
    with (root / "pyproject.toml").open("a", encoding="utf-8") as file:
        file.write(f"""
[tool.coord.targets.lab]
kind = "ray"
address = "{ray_head.address}"
root = "{tmp_path / "shared"}"
python = "{sys.executable}"
cpus = 0.5
sources = {{ "sample-competition" = "{root / ".coord" / "sample-data"}" }}
""")
    return coord


def test_a_run_is_continued_and_submitted(coord: Coord) -> None:
    """5 epochs continued to 9 are 9 epochs, as on the local Kaggle; the file of the last one is submitted there."""
    coord("push", "--exp", "base", "--set", "epochs=5", "-t", "lab", "--wait")
    told = coord("continue", "--exp", "base", "-t", "lab", "--set", "epochs=9", "--wait")
    assert "going on from base lab-v1, epochs 5 -> 9" in told.stderr
    assert "continues v1" in coord("status").stdout
    coord("push", "--exp", "base", "--set", "epochs=9", "-t", "local", "--wait")
    for target in ("lab", "local"):
        coord("fetch-results", "--exp", "base", "-t", target)
    results = coord.root / "results" / "base"
    assert (results / "lab-v2" / "oof.csv").read_bytes() == (results / "local-v1" / "oof.csv").read_bytes()

    sent = coord("submit", "--exp", "base", "-t", "lab", "--upload", "--to", "local", "--wait", "--json")
    submitted = json.loads(sent.stdout)
    assert submitted["public"] is not None
    (score,) = coord.json("scores", "-t", "lab")["submissions"]
    assert (score["experiment"], score["version"]) == ("base", 2)


def test_a_folder_behind_ssh(coord: Coord, ssh_host: SshHost) -> None:
    """The head is asked over HTTP; files and logs come over ssh."""
    file = coord.root / "pyproject.toml"
    file.write_text(f'{file.read_text(encoding="utf-8")}host = "{ssh_host.name}"\n', encoding="utf-8")
    there = Coord(coord.root, {**os.environ})
    assert "ssh://cluster" in there("push", "--exp", "base", "-t", "lab", "--wait").stdout
    there("fetch-results", "--exp", "base", "-t", "lab")
    assert (there.root / "results" / "base" / "lab-v1" / "metrics.json").is_file()
    assert "cv/" in there("logs", "--exp", "base", "-t", "lab").stdout
    found = {each["check"]: each for each in json.loads(there("doctor", "-t", "lab", "--json").stdout)}
    assert found["folder"]["what"].startswith("cluster:")
    assert found["python"]["what"].endswith(f"on cluster is {sys.version_info[0]}.{sys.version_info[1]}")
