"""A new project, and the scores of its kernels on its local Kaggle."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from kagglesdk.competitions.services.competition_api_service import CompetitionApiClient
from kagglesdk.competitions.types.competition_api_service import (
    ApiCreateCodeSubmissionRequest,
    ApiGetSubmissionRequest,
)

from runner_test.server import running_server
from runner_test.store import Store
from tests.coordinator.command import Coord, delete_kernels
from tests.runner_test.local import Local, eventually, fill


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Coord]:
    """`coord` in a new project's folder, which is empty; what still runs there at the end is stopped."""
    root = tmp_path / "my_project"
    root.mkdir()
    yield Coord(root, {**os.environ, "COORD_TARGET": "local"})
    delete_kernels(root / ".coord" / "local-kaggle")


def submitted(coord: Coord, competition: str, kernel: str, *, version: int = 1) -> tuple[float, float]:
    """Submits a version of the kernel; its public and private score."""
    store = Store(coord.root / ".coord" / "local-kaggle")
    with running_server(store.root) as server:
        api = CompetitionApiClient(Local(server.url, store).http("ada"))
        request = fill(
            ApiCreateCodeSubmissionRequest(),
            competition_name=competition,
            kernel_owner="ada",
            kernel_slug=kernel,
            kernel_version=version,
            file_name="submission.csv",
        )
        one = fill(ApiGetSubmissionRequest(), ref=api.create_code_submission(request).ref)
        eventually(lambda: api.get_submission(one).status.name != "PENDING", "it is scored")
        found = api.get_submission(one)
    assert found.status.name == "COMPLETE", found.error_description
    return float(found.public_score), float(found.private_score)
