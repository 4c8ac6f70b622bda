"""Sample projects, copied to where a test may change them."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from coordinator.project.project import Project, find_project
from tests.paths import ROOT, SAMPLES


@pytest.fixture
def tiny(tmp_path: Path) -> Project:
    """A copy of tests/samples/tiny: a model source without torch."""
    shutil.copytree(SAMPLES / "tiny", tmp_path / "tiny", ignore=shutil.ignore_patterns("__pycache__"))
    return find_project(tmp_path / "tiny")


@pytest.fixture
def repository() -> Project:
    """This repository, which is a project of coord's itself; tests only read it."""
    return find_project(ROOT)
