"""Sample projects, copied to where a test may change them; a ledger, and `coord` as a command, in one of them."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from coordinator.ledger.ledger import Ledger
from coordinator.project.project import Project, find_project
from tests.coordinator.command import Coord, delete_kernels
from tests.paths import ROOT, SAMPLES


@pytest.fixture
def tiny(tmp_path: Path) -> Project:
    """A copy of tests/samples/tiny: a model source without torch."""
    shutil.copytree(SAMPLES / "tiny", tmp_path / "tiny", ignore=shutil.ignore_patterns("__pycache__"))
    return find_project(tmp_path / "tiny")


@pytest.fixture
def ledger(tiny: Project) -> Iterator[Ledger]:
    """The open ledger of the tiny project."""
    with Ledger(tiny.ledger) as ledger:
        yield ledger


@pytest.fixture
def coord(tiny: Project) -> Iterator[Coord]:
    """`coord` in the tiny project; sessions of its local Kaggle that still run at the end are stopped."""
    yield Coord(tiny.root, dict(os.environ))
    delete_kernels(tiny.local_kaggle)


@pytest.fixture
def repository() -> Project:
    """This repository, which is a project of coord's itself; tests only read it."""
    return find_project(ROOT)
