"""This repository as a project whose experiments are pushed, with settings that train for seconds."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.paths import ROOT

SMALL = ("data.image_size=64", "model.anchor_sizes=[4, 8, 16, 32, 64]")
# A training run as small as possible that still uses every part.
SETTINGS = (*SMALL, "model.channels=16", "model.box_features=32", "train.epochs=1", "train.evaluate_every=1")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy of this project."""
    root = tmp_path / "project"
    for name in ("model_src", "experiments", "kernel_templates"):
        shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", root)
    return root


def write_samples(folder: Path, *arguments: str) -> None:
    """The data set that the experiment `smoke` attaches."""
    command = [sys.executable, "-m", "runner_test.samples", str(folder), *arguments]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
