"""From what the program declares to one form: what the config is checked against, and how the config is delivered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from coordinator.errors import ProjectError
from coordinator.project.declaration.config_files import FORMATS, ConfigFile, read_config_file
from coordinator.project.declaration.from_values import defaults_of, section_of
from coordinator.project.launch import AS_FILE
from coordinator.project.project import Project
from coordinator.project.schema import Declared
from coordinator.project.settings import kind_of
from coordinator.project.values import digest_of_values, json_like, merged, plain
from coordinator.project.yaml_file import YamlFile


@dataclass(frozen=True)
class Declaration:
    """What declares an experiment's config."""

    declared: Declared
    delivery: Mapping[str, Any]
    """How the config usually reaches a program of this kind (see ways.py)."""
    name: str
    """As messages name it."""


@dataclass(frozen=True)
class Given:
    """What an experiment says that its declaration may depend on: sub-commands, options of groups, the base's keys."""

    entry: str
    args: Sequence[str]
    first: YamlFile
    """The experiment without a base that it builds on."""
    layers: Sequence[Mapping[str, Any]]
    """The `config` of each of its files, the furthest base first."""
    overrides: Sequence[str]
    """The `--set` texts."""


def declare(project: Project, given: Given) -> Declaration:
    """Raises ProjectError if the declaration cannot be read, ChoiceError if a chosen option is not there."""
    kind = kind_of(project.settings.config)
    if kind == "dataclass":
        if project.settings.config_python is not None:
            from coordinator.project.declaration.foreign_dataclass import foreign_dataclass

            return Declaration(foreign_dataclass(project), AS_FILE, str(project.settings.config))
        found = project.config_class()
        return Declaration(found, AS_FILE, found.__name__)
    if kind == "argparse":
        return _flags(project, given)
    if kind == "files":
        return _files(project)
    if kind == "hydra":
        from coordinator.project.declaration.hydra import hydra_declaration

        declared, delivery = hydra_declaration(project, given.layers, given.overrides)
        return Declaration(declared, delivery, str(project.settings.config))
    config = given.first.data.get("config")
    values = json_like(plain(config)) if isinstance(config, Mapping) else {}
    place = project.relative(given.first.path)

    def where(path: str) -> str:
        line = given.first.line(f"config.{path}")
        return f"{place}:{line}" if line else place

    return Declaration(section_of(values, where), AS_FILE, place)


def _flags(project: Project, given: Given) -> Declaration:
    from coordinator.project.declaration.argparse_source import read_flags
    from coordinator.project.declaration.asked import run_parser
    from coordinator.project.declaration.options import flags_of, names_given, section_from
    from coordinator.project.declaration.sources import Computed

    try:
        options = read_flags(project, given.entry)
    except Computed as error:
        options = run_parser(project, given.entry, given.args, str(error))
    values: dict[str, Any] = {}
    for layer in given.layers:
        values = merged(values, plain(layer))
    for text in given.overrides:
        path, _, value = text.partition("=")
        values[path.strip()] = value.strip()
    chosen, commands = options.chosen(values, given.args)
    in_args = names_given(chosen, given.args) | commands
    try:
        declared = section_from(chosen, in_args)
    except ValueError as error:
        raise ProjectError(f"{given.entry}: its flag {error}") from error
    return Declaration(declared, {"kind": "arguments", "flags": flags_of(chosen)}, f"the flags of {given.entry}")


def _files(project: Project) -> Declaration:
    setting = project.settings.config or ()
    names = [setting] if isinstance(setting, str) else list(setting)
    values: dict[str, Any] = {}
    places: dict[str, str] = {}
    files: list[ConfigFile] = []
    for name in names:
        file = read_config_file(project, name)
        files.append(file)
        values = merged(values, file.values)
        places |= {path: f"{name}:{line}" for path, line in file.lines.items()}
    declared = section_of(values, lambda path: places.get(path, names[-1]))
    delivery: dict[str, Any] = {
        "kind": "written",
        "path": names[0],
        "format": FORMATS["." + names[0].rpartition(".")[2]],
        # As the declaration has them: 1e-3, which YAML takes for text, is a number there.
        "unchanged": digest_of_values(defaults_of(declared)),
        "bare_keys": {path: key for file in files for path, key in file.bare_keys.items()},
        "bare_values": [path for file in files for path in file.bare_values],
    }
    return Declaration(declared, delivery, " and ".join(names))
