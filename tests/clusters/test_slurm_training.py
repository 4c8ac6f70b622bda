"""The shipped experiment on a real Slurm: its training there, and one that is stopped and goes on, digit for digit."""

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

EPOCHS = 20
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


def test_the_limit_changes_no_digit_of_a_training(coord: Coord, slurm_cluster: Engine, tmp_path: Path) -> None:
    """Warned in each of its two folds, it saves, is requeued by its own job, and ends with an uninterrupted run's rows.

    Slurm sends the warnings, as before a limit, when an epoch has ended: a limit of a minute may end before torch is
    loaded on a busy machine (test_slurm_daily.py has a limit).
    """
    longer = (f"train.epochs={EPOCHS}", f"train.evaluate_every={EPOCHS}")
    _push(coord, *longer)
    (log,) = _logs(tmp_path)
    job = (log.parent / "job").read_text(encoding="utf-8").strip()
    for fold in (0, 1):
        _until_epoch(log, fold)
        slurm_cluster("scancel", "--batch", "--signal=USR1", job)
    (run,) = _wait(coord)
    assert run["attempts"] == 3
    assert "3rd start" in coord("status").stdout
    _push(coord, *longer)
    assert _wait(coord)[0]["attempts"] == 1
    digests = {hashlib.sha256((_results(coord, version) / "oof.csv").read_bytes()).hexdigest() for version in (1, 2)}
    assert len(digests) == 1


def _logs(tmp_path: Path) -> list[Path]:
    return [folder / "log.jsonl" for folder in (tmp_path / "root" / "kernels").glob("*/*/v1")]


def _until_epoch(log: Path, fold: int) -> None:
    """Waits for the first epoch of that fold."""
    end = time.monotonic() + SECONDS
    while f'\\"fold\\": {fold}, \\"epoch\\": 1,' not in (log.read_text(encoding="utf-8") if log.exists() else ""):
        assert time.monotonic() < end, "there is no epoch"
        time.sleep(0.1)
