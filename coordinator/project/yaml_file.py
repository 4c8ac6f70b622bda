"""Reads a YAML file with the line of every key, and finds keys that are written twice (PyYAML takes the last)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from coordinator.errors import ExperimentError
from coordinator.project.schema import ConfigProblem, join

_LOADER = getattr(
    yaml, "CSafeLoader", yaml.SafeLoader
)  # the loader of libyaml, where it is built in, is ten times as fast


@dataclass(frozen=True)
class YamlFile:
    """A parsed mapping, the line (from 1) of each dotted path in it, and the keys that are written twice."""

    path: Path
    data: dict[str, Any]
    lines: dict[str, int]
    problems: tuple[ConfigProblem, ...]

    def line(self, path: str) -> int | None:
        """The line of the path, or of the nearest section around it."""
        while path and path not in self.lines:
            path = path.rpartition(".")[0]
        return self.lines.get(path)


def read_yaml(file: Path) -> YamlFile:
    """Raises ExperimentError if the file cannot be read, is not YAML, or is not a mapping."""
    try:
        text = file.read_text(encoding="utf-8-sig")
        node = yaml.compose(text, Loader=_LOADER)
        data = yaml.load(text, Loader=_LOADER)
        lines: dict[str, int] = {}
        problems: list[ConfigProblem] = []
        _walk(node, "", lines, problems)
    except OSError as error:
        raise ExperimentError(f"{file.name} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ExperimentError(f"{file.name} is not UTF-8 text: {error}") from error
    except yaml.YAMLError as error:
        raise ExperimentError(f"{file.name} is not valid YAML: {_first_line(error)}") from error
    except ValueError as error:  # PyYAML does not catch the errors of int() and date() for a value such as 2026-13-45
        raise ExperimentError(f"{file.name} has a value that cannot be read: {error}") from error
    except RecursionError:
        raise ExperimentError(
            f"{file.name} is nested too deeply, or an alias (*name) stands inside its own anchor"
        ) from None
    if data is None:
        return YamlFile(file, {}, {}, ())
    if not isinstance(data, dict):
        raise ExperimentError(
            f"{file.name} must be a mapping (base, about, config, kernel), not a {type(data).__name__}"
        )
    return YamlFile(file, data, lines, tuple(problems))


def _walk(node: yaml.Node | None, path: str, lines: dict[str, int], problems: list[ConfigProblem]) -> None:
    if isinstance(node, yaml.SequenceNode):
        for number, item in enumerate(node.value):
            lines[join(path, str(number))] = item.start_mark.line + 1
            _walk(item, join(path, str(number)), lines, problems)
    if not isinstance(node, yaml.MappingNode):
        return
    for key, value in node.value:
        here = join(path, str(key.value))
        line = key.start_mark.line + 1
        if here in lines:
            problems.append(ConfigProblem(here, f"is written twice, in lines {lines[here]} and {line}"))
        lines[here] = line
        _walk(value, here, lines, problems)


def _first_line(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    what = getattr(error, "problem", None) or str(error).splitlines()[0]
    return f"line {mark.line + 1}: {what}" if mark else what
