"""The shipped experiment on a real Slurm: its training there, and one that is stopped and goes on, digit for digit."""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
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

WORK = 130.0
"""Seconds of training in both folds: longer than a start may take."""
SECONDS = 900.0


@pytest.fixture
def coord(project: Path, slurm_cluster: Engine, tmp_path: Path) -> Coord:
    """`coord` in a copy of this project, whose target `uni` is the cluster with the sample data."""
    write_samples(tmp_path / "data", "--images", "24", "--test-images", "4")
    make_narrow(project)
    table = f"""
kind = "slurm"
root = "{tmp_path / "root"}"
python = "{sys.executable}"
sources = {{ "local/siim-sample" = "{tmp_path / "data"}" }}
"""
    with (project / "pyproject.toml").open("a", encoding="utf-8") as file:
        file.write(f"\n[tool.coord.targets.uni]{table}")
    return Coord(project, {**os.environ, **slurm_cluster.environment})


def _push(coord: Coord, *further: str) -> None:
    sets = [word for setting in (*SETTINGS, *further) for word in ("--set", setting)]
    coord("push", "--exp", "smoke", *sets, "--target", "uni", "--force")


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


def _results(coord: Coord, version: int) -> Path:
    coord("fetch-results", "--exp", "smoke", "--target", "uni", "--version", str(version))
    return coord.root / "results" / "smoke" / f"uni-v{version}"


def test_smoke_from_its_push_to_its_table(coord: Coord) -> None:
    """The log is followed while it trains; nothing of the run is special on a cluster."""
    told = coord("doctor", "--target", "uni", "--json", code=1).stdout  # the data of other experiments is not there
    assert "it has what the kernels import: PIL, numpy, pydicom, torch, torchvision" in told
    _push(coord)
    log = coord("logs", "--exp", "smoke", "--target", "uni", "--follow").stdout
    assert "epoch 1" in log
    _wait(coord)
    summary = json.loads((_results(coord, 1) / "metrics.json").read_text(encoding="utf-8"))
    assert summary["status"] == "complete"
    assert f"{summary['primary']['value']:.4f}" in coord("status").stdout


def test_a_real_time_limit_changes_no_digit_of_a_training(coord: Coord, tmp_path: Path) -> None:
    """Slurm's own limit of two minutes: warned, saved, requeued by its own job, and an uninterrupted run's rows.

    Slurm looks for limits twice a minute, and warns up to half a minute early. So a start is stopped after 60 to 90
    seconds, when torch is loaded also on a busy machine; and there are so many epochs that a training takes longer.
    """
    _push(coord, "train.epochs=4", "train.evaluate_every=4")
    _wait(coord)
    epochs = math.ceil(WORK / (2 * _epoch_seconds(_version(tmp_path, 1) / "log.jsonl")))
    longer = (f"train.epochs={epochs}", f"train.evaluate_every={epochs}")
    _push(coord, *longer)
    with (coord.root / "pyproject.toml").open("a", encoding="utf-8") as file:
        file.write('time = "2"\nsignal_before = 30\nrequeues = 9\n')
    _push(coord, *longer)
    stopped, straight, _ = _wait(coord)
    assert straight["attempts"] == 1
    assert stopped["attempts"] > 1
    lines = (_version(tmp_path, 3) / "attempts.jsonl").read_text(encoding="utf-8").splitlines()
    ends = [each for line in lines if "ended" in (each := json.loads(line))]
    assert [each["signal"] for each in ends] == ["USR1"] * (stopped["attempts"] - 1) + [""]
    digests = {hashlib.sha256((_results(coord, version) / "oof.csv").read_bytes()).hexdigest() for version in (2, 3)}
    assert len(digests) == 1


def _version(tmp_path: Path, version: int) -> Path:
    (folder,) = (tmp_path / "root" / "kernels").glob(f"*/*/v{version}")
    return folder


def _epoch_seconds(log: Path) -> float:
    """How long an epoch of the first fold takes, by the log's clock."""
    times: dict[int, float] = {}
    for line in log.read_text(encoding="utf-8").splitlines():
        record = json.loads(line)
        for epoch in re.findall(r'"fold": 0, "epoch": (\d+),', record["data"]):
            times.setdefault(int(epoch), float(record["time"]))
    return (times[max(times)] - times[min(times)]) / (max(times) - min(times))
