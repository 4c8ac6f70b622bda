"""The settings of the local Kaggle."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest

from coordinator.project.settings import LocalSettings
from runner_test.settings import Settings
from runner_test.store import Store
from tests.runner_test.serving import Serve


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"isolation": "docker"}, 'isolation must be "auto" or "none"'),
        ({"layout": "2024"}, 'layout must be "2026" or "2025"'),
        ({"memory_gib": -1}, "memory_gib must be >= 0, is -1"),
        ({"output_gb": -0.5}, "output_gb must be >= 0"),
        ({"output_files": float("nan")}, "output_files must be >= 0"),
        ({"gpu_quota_hours": -1}, "gpu_quota_hours must be >= 0"),
        ({"tpu_quota_hours": float("inf")}, "tpu_quota_hours must be >= 0"),
        ({"dataset_early": "newer"}, 'dataset_early must be "refuse" or "older", is \'newer\''),
        ({"dataset_seconds": -1.0}, "dataset_seconds must be >= 0"),
        ({"gpu_sessions": -1}, "gpu_sessions must be >= 0, is -1"),
    ],
)
def test_settings_that_cannot_be(settings: dict[str, Any], message: str) -> None:
    """The message names the setting and its value."""
    with pytest.raises(ValueError, match=message):
        Settings(**settings)


def test_coord_declares_the_same_settings() -> None:
    """coord declares them itself, because it works without the local Kaggle: same names, same defaults."""
    assert dataclasses.asdict(LocalSettings()) == dataclasses.asdict(Settings())


def test_settings_are_saved_with_the_version(serve: Serve) -> None:
    """A session runs with the settings of the server that accepted it, also under a server with others."""
    local = serve(layout="2025", log_mib=0)
    local.run("recorded", "pass")
    record = json.loads(local.store.paths(local.version("recorded")).record.read_text())
    assert record["settings"]["layout"] == "2025"
    assert Store(local.store.root).version(local.version("recorded").reference, 1) == local.version("recorded")
    assert local.version("recorded").settings == local.store.settings
