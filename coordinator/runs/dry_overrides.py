"""The config values of a dry run: those of `[tool.coord.dry_run.overrides]`, and over them the command line's."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from coordinator.errors import ProjectError, did_you_mean
from coordinator.project import Experiment, Project, Section, check, leaves

_TABLE = "[tool.coord.dry_run.overrides]"
_SHOWN = 8  # values in one line


def dry_overrides(
    project: Project, experiment: Experiment, given: Sequence[str], say: Callable[[str], None]
) -> dict[str, Any]:
    """Dotted paths and values, for COORD_OVERRIDES; `given` are the `--set` texts, which win.

    `say` gets a line with what the settings replace, and one for each value that they do not because of `given`. Raises
    ProjectError, with all problems, for a path that the config does not have and a value that it does not take.
    """
    problems = override_problems(project, experiment)
    if problems:
        lines = "".join(f"\n  {problem}" for problem in problems)
        raise ProjectError(
            f"{project.relative(project.pyproject)} has {len(problems)} problem{'s' * (len(problems) != 1)}:{lines}"
        )
    settings, config = project.settings.dry_run.overrides, experiment.config
    ours = [_in_config(experiment, text.partition("=")[0].strip()) for text in given]
    kept = {path: value for path, value in settings.items() if path not in ours}
    if replaced := list(_replaced(config, kept, ours)):
        more = f" and {len(replaced) - _SHOWN} more" if len(replaced) > _SHOWN else ""
        where = f"{_TABLE} in {project.relative(project.pyproject)}"
        say(f"for the dry run {', '.join(replaced[:_SHOWN])}{more} ({where}; --set wins over it)")
    for path in settings:
        if any(f"{path}.".startswith(f"{each}.") or f"{each}.".startswith(f"{path}.") for each in ours):
            say(f"{path} is as --set says, not as {_TABLE} in {project.relative(project.pyproject)} says")
    values = dict(leaves(config))
    return kept | {path: values[path] if path in values else _section(config, path) for path in ours}


def override_problems(project: Project, experiment: Experiment) -> list[str]:
    """What is wrong with the settings' values for the dry run of an experiment, each with its table and its line."""
    config, found, overrides = experiment.config, list[str](), project.settings.dry_run.overrides
    known = [path for path in overrides if _has(config, path)]
    for path in known:
        config = _with(config, path.split("."), overrides[path])
    # All together, as the dry run has them: one may fit only with another, such as weights with their network.
    left = list(check(experiment.declared, config)[1])
    for path in overrides:
        table = f"{_TABLE}{_line(project, path)}"
        if path not in known:
            near = did_you_mean(path, dict(leaves(config)))
            found.append(f'{table} "{path}": the config has no such value{near}')
        mine = [problem for problem in left if f"{problem.path}.".startswith(f"{path}.")]
        found += [f"{table} {problem.path}: {problem.message}" for problem in mine]
        left = [problem for problem in left if problem not in mine]
    return found + [f"{_TABLE} {problem.path}: {problem.message}" for problem in left]


def _replaced(config: Mapping[str, Any], settings: Mapping[str, Any], ours: Sequence[str]) -> Iterator[str]:
    """Each value that changes, as `train.epochs = 1 (not 40)`."""
    before = dict(leaves(config))
    for path, value in settings.items():
        below = (
            [(f"{path}.{name}", each) for name, each in leaves(value)] if isinstance(value, dict) else [(path, value)]
        )
        for name, each in below:
            if name not in ours and before.get(name) != each:
                old = f" (not {_shown(before[name])})" if name in before else ""
                yield f"{name} = {_shown(each)}{old}"


def _shown(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)


def _line(project: Project, path: str) -> str:
    """Where the settings name that path: ` (line 12)`; nothing if it is written in a way that is not recognised."""
    try:
        lines = project.pyproject.read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError):
        return ""
    key = re.compile(rf"""\s*(["']?){re.escape(path)}\1\s*=""")
    inside = False
    for number, line in enumerate(lines, 1):
        if line.strip().startswith("["):
            inside = line.strip().startswith(_TABLE)
        elif inside and key.match(line):
            return f" (line {number})"
    return ""


def _in_config(experiment: Experiment, path: str) -> str:
    """The path as the config has it: flags have other spellings (batch-size)."""
    declared = experiment.declared
    return declared.aliases.get(path, path) if isinstance(declared, Section) else path


def _section(config: Mapping[str, Any], path: str) -> Any:
    return functools.reduce(lambda section, key: section[key], path.split("."), config)


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
