"""What tells one config from another: all of its values but the seeds."""

from __future__ import annotations

from typing import Any

from coordinator.project import Project, leaves

_REPEAT = "repeat"  # how many seeds a run goes through: see model_src/config.py


def without_seed(project: Project, config: dict[str, Any]) -> dict[str, Any]:
    """The config's values by dotted path, but for the seeds: what `sweep.seed` names, and whatever is called seed."""
    seeds = {project.settings.sweep.seed, _REPEAT}
    return {path: value for path, value in leaves(config) if path not in seeds and path.rpartition(".")[2] != "seed"}


def seed_of(project: Project, config: dict[str, Any]) -> int | None:
    seed = dict(leaves(config)).get(project.settings.sweep.seed)
    return seed if isinstance(seed, int) else None


def attached(project: Project, config: dict[str, Any]) -> tuple[str, ...]:
    """Which data a config reads: its values at the paths that the project's setting `attached` names.

    But for the kernel that a run goes on from: it reads that one's checkpoint, and the same data.
    """
    values = without_seed(project, config)
    paths = (path for path in project.settings.attached if path != project.settings.continue_setting)
    return tuple(str(values.get(path) or "") for path in paths)
