"""Reads a YAML file with the line of every key, and finds keys that are written twice (PyYAML takes the last)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from coordinator.errors import ExperimentError
from coordinator.project.problem import ConfigProblem
from coordinator.project.scalar import Written, untyped
from coordinator.project.yaml_text import parse


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
    except OSError as error:
        raise ExperimentError(f"{file.name} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ExperimentError(f"{file.name} is not UTF-8 text: {error}") from error
    try:
        parsed = parse(text)
    except ValueError as error:
        raise ExperimentError(f"{file.name} is not valid YAML: {error}") from error
    data = untyped(parsed.data) if isinstance(parsed.data, Written) else parsed.data
    if data is None:
        return YamlFile(file, {}, {}, ())
    if not isinstance(data, dict):
        raise ExperimentError(
            f"{file.name} must be a mapping (base, about, config, kernel), not a {type(data).__name__}"
        )
    return YamlFile(file, data, parsed.lines, tuple(parsed.problems))
