"""The config values of a dry run: those of `[tool.coord.dry_run.overrides]`, and over them the command line's."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from coordinator.errors import ProjectError, did_you_mean
from coordinator.project import Experiment, Project, check, leaves

_TABLE = "[tool.coord.dry_run.overrides]"


def dry_overrides(
    project: Project, experiment: Experiment, given: Sequence[str], say: Callable[[str], None]
) -> dict[str, Any]:
    """Dotted paths and values, for COORD_OVERRIDES; `given` are the `--set` texts.

    Raises ProjectError, with all problems, for a path that the config does not have and a value that it does not take.
    """
    settings = project.settings.dry_run.overrides
    config = experiment.config
    problems = []
    for path, value in settings.items():
        if not _has(config, path):
            problems.append(f'"{path}": the config has no such value{did_you_mean(path, dict(leaves(config)))}')
            continue
        _, found = check(project.config_class(), _with(config, path.split("."), value))
        problems += [f"{problem.path}: {problem.message}" for problem in found]
    if problems:
        lines = "".join(f"\n  {_TABLE} {problem}" for problem in problems)
        raise ProjectError(
            f"{project.relative(project.pyproject)} has {len(problems)} problem{'s' * (len(problems) != 1)}:{lines}"
        )
    ours = [text.partition("=")[0].strip() for text in given]
    for path in settings:
        if any(f"{path}.".startswith(f"{each}.") or f"{each}.".startswith(f"{path}.") for each in ours):
            say(f"{path} is as --set says, not as {_TABLE} in {project.relative(project.pyproject)} says")
    return {path: value for path, value in settings.items() if path not in ours} | {
        path: functools.reduce(lambda section, key: section[key], path.split("."), config) for path in ours
    }


def _has(config: Mapping[str, Any], path: str) -> bool:
    section: Any = config
    for key in path.split("."):
        if not isinstance(section, Mapping) or key not in section:
            return False
        section = section[key]
    return True


def _with(config: Mapping[str, Any], keys: Sequence[str], value: Any) -> dict[str, Any]:
    first, *rest = keys
    return {**config, first: _with(config[first], rest, value) if rest else value}
