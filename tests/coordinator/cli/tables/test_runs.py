"""The tables of experiments and runs."""

from __future__ import annotations

import io
from pathlib import Path

from rich.console import Console

from coordinator.cli.tables import runs as tables
from coordinator.project.experiment import resolve
from coordinator.project.project import Project, find_project
from tests.coordinator.bundle.programs import write_files


def _shown(project: Project) -> str:
    console = Console(file=io.StringIO(), width=100)
    console.print(tables.experiment(resolve(project, "base")))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_an_experiment_says_what_it_runs(tiny: Project, tmp_path: Path) -> None:
    """The entry with its arguments, and how the config reaches it."""
    assert "runs: tiny_model.train, config by COORD_CONFIG\n" in _shown(tiny)
    settings = '[tool.coord]\nentry = "train.py"\nargs = ["--note", "a b"]\nconfig = "a.json"\n'
    files = {"train.py": "", "a.json": '{"lr": 1}', "experiments/base.yaml": "", "pyproject.toml": settings}
    shown = _shown(find_project(write_files(tmp_path / "own", files)))
    assert "runs: train.py --note 'a b', config by a.json\n" in shown
