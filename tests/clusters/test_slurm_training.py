"""The shipped experiment on a real Slurm: its training there, and one that its time limit stops, digit for digit."""

from __future__ import annotations

import hashlib
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.clusters.engines import Slurm as Engine
from tests.coordinator.command import Coord
from tests.model_src.session_root import make_narrow
from tests.own_project import SETTINGS, project as project, write_samples

pytestmark = [pytest.mark.slow, pytest.mark.clusters_only, pytest.mark.timeout(1200)]

EPOCHS = 80
"""Of a training that takes longer than its time limit, which is a minute."""
SECONDS = 900.0


@pytest.fixture
def coord(project: Path, slurm_cluster: Engine, tmp_path: Path) -> Coord:
    """`coord` in a copy of this project, whose targets `uni` and `short` are one cluster with the sample data.

    A start on `short` is warned after 20 to 50 of its 60 seconds: Slurm warns up to a minute earlier than it is asked
    to. On a busy machine torch is hardly loaded by then; so it has more starts than it needs.
    """
    write_samples(tmp_path / "data", "--images", "24", "--test-images", "4")
    make_narrow(project)
    table = f"""
kind = "slurm"
root = "{tmp_path / "root"}"
python = "{sys.executable}"
sources = {{ "local/siim-sample" = "{tmp_path / "data"}" }}
"""
    with (project / "pyproject.toml").open("a", encoding="utf-8") as file:
        file.write(f"\n[tool.coord.targets.uni]{table}\n[tool.coord.targets.short]{table}")
        file.write('time = "1"\nsignal_before = 10\nrequeues = 20\n')
    return Coord(project, {**os.environ, **slurm_cluster.environment})


def _push(coord: Coord, target: str, *further: str) -> None:
    sets = [word for setting in (*SETTINGS, *further) for word in ("--set", setting)]
    coord("push", "--exp", "smoke", *sets, "--target", target)


def _wait(coord: Coord) -> list[dict[str, Any]]:
    """The runs, as `coord status` shows them, once all are complete."""
    end = time.monotonic() + SECONDS
    while True:
        found: list[dict[str, Any]] = coord.json("status")
        states = {run["state"] for run in found}
        if states == {"complete"}:
            return found
        assert not states & {"error", "cancelled"}, found
        assert time.monotonic() < end, found
        time.sleep(2)


def _results(coord: Coord, target: str) -> Path:
    coord("fetch-results", "--exp", "smoke", "--target", target)
    return coord.root / "results" / "smoke" / f"{target}-v1"


def test_smoke_from_its_push_to_its_table(coord: Coord) -> None:
    """The log is followed while it trains; nothing of the run is special on a cluster."""
    told = coord("doctor", "--target", "uni", "--json", code=1).stdout  # the data of other experiments is not there
    assert "it has what the kernels import: PIL, numpy, pydicom, torch, torchvision" in told
    _push(coord, "uni")
    log = coord("logs", "--exp", "smoke", "--target", "uni", "--follow").stdout
    assert "epoch 1" in log
    _wait(coord)
    results = _results(coord, "uni")
    summary = json.loads((results / "metrics.json").read_text(encoding="utf-8"))
    assert summary["status"] == "complete"
    assert f"{summary['primary']['value']:.4f}" in coord("status").stdout


def test_the_limit_changes_no_digit_of_a_training(coord: Coord) -> None:
    """Warned, saved and requeued by its own job, by the public settings alone: the rows of an uninterrupted run."""
    longer = (f"train.epochs={EPOCHS}", f"train.evaluate_every={EPOCHS}")
    _push(coord, "uni", *longer)
    _push(coord, "short", *longer)
    starts = {run["target"]: run["attempts"] for run in _wait(coord)}
    assert starts["uni"] == 1
    assert starts["short"] >= 2
    digests = [
        hashlib.sha256((_results(coord, target) / "oof.csv").read_bytes()).hexdigest() for target in ("uni", "short")
    ]
    assert digests[0] == digests[1]
    assert "2nd start" in coord("status").stdout or "3rd start" in coord("status").stdout
