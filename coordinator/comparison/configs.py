"""What identifies a config: all of its values except the seeds."""

from __future__ import annotations

from typing import Any

from coordinator.project import Project, leaves

_REPEAT = "repeat"  # the number of seeds that one run trains with: see model_src/config.py


def without_seed(project: Project, config: dict[str, Any]) -> dict[str, Any]:
    """The config's values by dotted path, without the seeds: what `sweep.seed` names, and every value named seed."""
    seeds = {project.settings.sweep.seed, _REPEAT}
    return {
        path: value
        for path, value in leaves(config)
        if path not in seeds and path != "seed" and not path.endswith(".seed")
    }


def seed_of(project: Project, config: dict[str, Any]) -> int | None:
    found = [value for path, value in leaves(config) if path == project.settings.sweep.seed]
    return found[-1] if found and isinstance(found[-1], int) else None


def attached(project: Project, config: dict[str, Any]) -> tuple[str, ...]:
    """The data that a config reads: its values at the paths that the project's setting `attached` names.

    The kernel that a run continues is not part of it: only a checkpoint is read from there.
    """
    values = without_seed(project, config)
    paths = (path for path in project.settings.attached if path != project.settings.continue_setting)
    return tuple(str(values.get(path) or "") for path in paths)
