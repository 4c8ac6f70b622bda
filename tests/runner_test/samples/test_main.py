"""`python -m runner_test.samples` as a process."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from model_src.labels import read_labels
from tests.paths import ROOT


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--images", "0"], "images must be >= 1"),
        (["--positive", "2"], "positive from 0 to 1"),
        (["--labels", "absent.csv"], "absent.csv"),
        (["--labels", "absent.csv", "--size", "256"], "labels decide size"),
    ],
)
def test_command_line_refuses(tmp_path: Path, arguments: list[str], message: str) -> None:
    """Invalid arguments are reported in one line on stderr, with exit code 1."""
    done = subprocess.run(
        [sys.executable, "-m", "runner_test.samples", str(tmp_path / "here/data"), *arguments],
        check=False,
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    assert done.returncode == 1
    assert message in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "here").exists()


def test_command_line_writes(tmp_path: Path) -> None:
    """The command writes the documented files."""
    arguments = ["--images", "4", "--test-images", "1", "--size", "64", "--positive", "1", "--seed", "2"]
    done = subprocess.run(
        [sys.executable, "-m", "runner_test.samples", str(tmp_path / "deep/data"), *arguments],
        check=True,
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    assert "4 labelled pictures, 1 to predict" in done.stdout
    assert all(read_labels(tmp_path / "deep/data/train-rle.csv").values())
