"""What the tests of data sets share."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest

from coordinator.ledger import Ledger
from coordinator.project.project import Project
from tests.coordinator.datasets.kaggle import Depot, depot


@pytest.fixture
def data(tiny: Project, ledger: Ledger) -> Iterator[Depot]:
    """A local Kaggle without data sets, and a folder to send; all faults that a test plans have to happen."""
    with contextlib.ExitStack() as stack:
        yield depot(tiny, ledger, stack)
