"""tests/samples/steps, a program that goes on from its own output, as a project with a Slurm cluster."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.clusters.engines import Slurm as Engine
from tests.coordinator.command import Coord
from tests.paths import SAMPLES

MakeSteps = Callable[..., Coord]


@pytest.fixture
def steps(slurm_cluster: Engine, tmp_path: Path) -> MakeSteps:
    """Makes the project, with lines of the table of its target `uni`, and returns `coord` in it."""

    def make(*lines: str, python: str | Path = sys.executable) -> Coord:
        root = tmp_path / "steps"
        shutil.copytree(SAMPLES / "steps", root, ignore=shutil.ignore_patterns("__pycache__"))
        table = (
            "[tool.coord.targets.uni]",
            'kind = "slurm"',
            f'root = "{tmp_path / "root"}"',
            f'python = "{python}"',
        )
        with (root / "pyproject.toml").open("a", encoding="utf-8") as file:
            file.write("\n".join(["", *table, *lines, ""]))
        return Coord(root, {**os.environ, **slurm_cluster.environment})

    return make
