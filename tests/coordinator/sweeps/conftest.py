"""A sweeper in the tiny project."""

from __future__ import annotations

import pytest

from coordinator.ledger.ledger import Ledger
from coordinator.project.project import Project
from tests.coordinator.sweeps.sweeper import Sweeper


@pytest.fixture
def sweeper(tiny: Project, ledger: Ledger) -> Sweeper:
    return Sweeper(tiny, ledger)
