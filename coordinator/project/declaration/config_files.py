"""A program's own config files (YAML, JSON, TOML) as its declaration."""

from __future__ import annotations

import datetime
import json
import math
import tomllib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from coordinator.errors import ProjectError, did_you_mean
from coordinator.project.declaration.from_values import NOT_FINITE
from coordinator.project.problem import join
from coordinator.project.project import Project
from coordinator.project.values import json_like, leaves

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_TAG = "tag:yaml.org,2002:"
FORMATS = {".yaml": "yaml", ".yml": "yaml", ".json": "json", ".toml": "toml"}


@dataclass(frozen=True)
class ConfigFile:
    """A file's values as JSON-like data, and what of it JSON does not say."""

    values: dict[str, Any]
    lines: dict[str, int] = field(default_factory=dict)
    """The line of each dotted path, where the format tells it."""
    bare_keys: dict[str, str] = field(default_factory=dict)
    """Dotted path -> the key as it is written, of keys that are no text: `0: cat`."""
    bare_values: tuple[str, ...] = ()
    """Dotted paths of dates, and of .inf and .nan, which stand there without quotes."""


def read_config_file(project: Project, name: str) -> ConfigFile:
    """A file that the setting `config` names. Raises ProjectError if it is missing or of another format."""
    file = project.root / name
    where = project.said("config", name)
    if file.suffix not in FORMATS:
        raise ProjectError(
            f"{where} is neither module:Class, argparse or hydra:FOLDER/NAME, nor a YAML, JSON or TOML file",
            hint="A config in Python: name its dataclass, or leave config out and let the base experiment declare it.",
        )
    if not file.resolve().is_relative_to(project.root):
        raise ProjectError(f"{where} is not a path inside the project")
    if not file.is_file():
        near = did_you_mean(file.name, [each.name for each in file.parent.glob("*") if each.suffix in FORMATS])
        raise ProjectError(f"{where}: there is no such file{near}")
    return parsed(file, name)


def parsed(file: Path, name: str) -> ConfigFile:
    """The file, which messages call `name`. Raises ProjectError if it cannot be read, or holds what JSON cannot say."""
    format_ = FORMATS[file.suffix]
    try:
        found = _READERS[format_](file.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise ProjectError(f"{name} cannot be read: {error.strerror}") from error
    except yaml.YAMLError as error:
        mark, problem = getattr(error, "problem_mark", None), getattr(error, "problem", None)
        place = f"line {mark.line + 1}: " if mark else ""
        raise ProjectError(f"{name} is not valid YAML: {place}{problem or error}") from error
    except (ValueError, RecursionError) as error:
        raise ProjectError(f"{name} is not valid {format_.upper()}: {error}") from error
    for path, value in leaves(found.values):
        if isinstance(value, bytes):
            raise ProjectError(f"{name}: {path} is binary data, which a config cannot hold")
    return found


def _yaml(text: str) -> ConfigFile:
    loader = _LOADER(text)
    try:
        node = loader.get_single_node()
        data = None if node is None else loader.construct_document(node)
        if node is None or data is None:
            return ConfigFile({})
        if not isinstance(data, dict):
            raise ValueError(f"it is a {type(data).__name__}, not a mapping")
        found, bare = ConfigFile({}), list[str]()
        values = _finite(_read(loader, node, "", found, bare))
        return ConfigFile(values, found.lines, found.bare_keys, tuple(bare))
    finally:
        loader.dispose()


def _read(loader: Any, node: yaml.Node, path: str, found: ConfigFile, bare: list[str]) -> Any:
    """The value as PyYAML reads it, except that names are as they are written: `on` is no `True`."""
    if isinstance(node, yaml.MappingNode):  # anchors that it merges are its own by now
        values: dict[str, Any] = {}
        for key, value in node.value:
            is_text = isinstance(loader.construct_object(key, deep=True), str)
            name = str(key.value)
            here = join(path, name)
            found.lines[here] = key.start_mark.line + 1
            if not is_text:
                found.bare_keys[here] = name
            values[name] = _read(loader, value, here, found, bare)
        return values
    if isinstance(node, yaml.SequenceNode):
        return [_read(loader, item, join(path, str(index)), found, bare) for index, item in enumerate(node.value)]
    if node.tag == f"{_TAG}timestamp" or (node.tag == f"{_TAG}float" and NOT_FINITE.fullmatch(node.value)):
        bare.append(path)
    return json_like(loader.construct_object(node, deep=True))


def _is_bare(value: Any) -> bool:
    is_endless = isinstance(value, float) and not math.isfinite(value)
    return is_endless or isinstance(value, datetime.date | datetime.time)


def _finite(value: Any) -> Any:
    """The values with .inf and .nan as text: JSON has no such numbers."""
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_finite(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return {"inf": ".inf", "-inf": "-.inf"}.get(str(value), ".nan")
    return value


def _json(text: str) -> ConfigFile:
    data = json.loads(text)
    if not isinstance(data, dict):
        raise ValueError(f"it is a {type(data).__name__}, not an object")
    return ConfigFile(_finite(data))


def _toml(text: str) -> ConfigFile:
    data = tomllib.loads(text)
    dates = tuple(path for path, value in leaves(data) if _is_bare(value))
    return ConfigFile(_finite(json_like(data)), bare_values=dates)


_READERS: dict[str, Callable[[str], ConfigFile]] = {"yaml": _yaml, "json": _json, "toml": _toml}
