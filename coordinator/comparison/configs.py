"""What tells one config from another: all of its values but the seeds."""

from __future__ import annotations

from typing import Any

from coordinator.project import Project
from coordinator.schema import leaves

_SEEDS = ("seed", "repeat")  # last parts of the paths that make no other config: the seed, and how many of them


def without_seed(config: dict[str, Any]) -> dict[str, Any]:
    """The config's values by dotted path, but for the seeds."""
    return {path: value for path, value in leaves(config) if path.rpartition(".")[2] not in _SEEDS}


def attached(project: Project, config: dict[str, Any]) -> tuple[str, ...]:
    """Which data a config reads: its values at the paths that the project's setting `attached` names.

    But for the kernel that a run goes on from: it reads that one's checkpoint, and the same data.
    """
    values = without_seed(config)
    paths = (path for path in project.settings.attached if path != project.settings.continue_setting)
    return tuple(str(values.get(path)) for path in paths)
