"""Projects of each kind of declaration, and what their programs would get: shared by the tests of this folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from coordinator.bundle.delivery import delivered
from coordinator.errors import ExperimentError
from coordinator.project.experiment import Experiment, resolve
from coordinator.project.project import Project, find_project
from tests.coordinator.bundle.programs import write_files


def project(root: Path, settings: str, files: dict[str, Any]) -> Project:
    """A project with these settings in [tool.coord] and these files; experiments/base.yaml is empty without another."""
    write_files(root, {"experiments/base.yaml": "", **files, "pyproject.toml": f"[tool.coord]\n{settings}\n"})
    return find_project(root)


def given(experiment: Experiment) -> tuple[list[str], dict[str, str], dict[str, str]]:
    """What the kernel gives the program: everything has been JSON in between."""
    config, how = json.loads(json.dumps([experiment.config, dict(experiment.launch.delivery)]))
    return delivered(config, how)


def words(project: Project, *overrides: str, name: str = "base") -> list[str]:
    """The arguments that deliver an experiment's config."""
    return given(resolve(project, name, overrides))[0]


def problems(project: Project, *overrides: str, name: str = "base") -> list[str]:
    """The lines of the message about an experiment that does not resolve."""
    with pytest.raises(ExperimentError) as caught:
        resolve(project, name, overrides)
    return [line.strip() for line in caught.value.what.splitlines()[1:]]
