"""A program's config: what declares it, its values in the repository's own command, and the arguments beside them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from coordinator.errors import CoordError, ProjectError, UsageError
from coordinator.project.adoption.arguments import Divided, by_flags, by_paths, unplaced
from coordinator.project.adoption.config_kind import (
    files_named,
    flag_library,
    hydra_setting,
    is_config_file,
    value_count,
)
from coordinator.project.adoption.data import texts_of
from coordinator.project.adoption.entry import ProgramEntry
from coordinator.project.adoption.import_path import installed, named_by_command
from coordinator.project.adoption.tree import Tree
from coordinator.project.declaration.argparse_source import read_flags
from coordinator.project.declaration.asked import run_parser
from coordinator.project.declaration.declare import Given, declare
from coordinator.project.declaration.from_values import defaults_of
from coordinator.project.declaration.options import Options
from coordinator.project.declaration.sources import Computed, SourceModule, sources_of
from coordinator.project.project import Project
from coordinator.project.schema import Declared, assignment, declared_paths
from coordinator.project.section import Section
from coordinator.project.settings import HYDRA, Settings
from coordinator.project.values import leaves
from coordinator.project.yaml_file import YamlFile

_CONFIG_OPTION = re.compile(r"conf|cfg|yaml|param|setting|^c$", re.IGNORECASE)
_PYTHONS = (".venv/bin/python", "venv/bin/python", "env/bin/python")


@dataclass(frozen=True)
class ProgramConfig:
    """What is known of it."""

    sources: Mapping[Path, SourceModule]
    """The local modules that the program reaches."""
    what: str = ""
    """What declares the config, for people."""
    setting: str | None = None
    """`config` in the settings."""
    python: str | None = None
    declared: Declared | None = None
    values: Mapping[str, Any] = field(default_factory=dict)
    """By dotted path."""
    args: Sequence[str] = ()
    path: tuple[str, ...] = ()
    """Folders in which modules are searched, too."""
    remarks: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()

    @property
    def defaults(self) -> dict[str, Any]:
        return defaults_of(self.declared) if isinstance(self.declared, Section) else {}


def program_config(tree: Tree, entry: ProgramEntry) -> ProgramConfig:
    """Raises UsageError if the entry cannot be read."""
    path = named_by_command(tree, entry)
    project = Project(tree.root, Settings(entry=entry.name, path=path))
    try:
        sources = sources_of(project, entry.name)[1]
        if more := installed(tree, sources):
            path = tuple(dict.fromkeys([*path, *more]))
            project = Project(tree.root, Settings(entry=entry.name, path=path))
            sources = sources_of(project, entry.name)[1]
        for name in _started(tree, sources):
            sources = {**sources_of(project, name)[1], **sources}
    except ProjectError as error:
        raise UsageError(error.what, hint=error.hint) from error
    words = list(entry.command.args) if entry.command else []
    start = ProgramConfig(sources, path=path)
    hydra = hydra_setting(tree, sources, words)
    if hydra is not None:
        return _of_paths(project, start, hydra[0], f"Hydra's {hydra[0].partition(':')[2]}.yaml ({hydra[1]})", words)
    library = flag_library(sources)
    if library is not None:
        found = _of_flags(tree, replace(start, python=_python(tree.root)), entry, library, words)
        if found is not None:
            return found
    named = next(files_named(tree, sources), None)
    if named is not None:
        return _of_paths(project, start, named.path, f"{named.path} ({named.where} reads it)", words)
    rest = unplaced(words)
    return replace(
        start,
        what=f"nothing that coord can read: {entry.name} has no flags and reads no config file",
        args=rest.args,
        unknown=_left_out(rest),
        remarks=(
            "The program gets the values of experiments/base.yaml in a JSON file that COORD_CONFIG names, or with",
            'delivery = "environment", or in a file that it reads: delivery = "path/config.yaml"',
        ),
    )


def _started(tree: Tree, sources: Mapping[Path, SourceModule]) -> list[str]:
    """The scripts that the program names, which it most likely starts as processes."""
    named = {text for text, _ in texts_of(sources) if text.endswith(".py") and text in tree.files}
    return sorted(name for name in named if tree.root / name not in sources)


def _python(root: Path) -> str | None:
    """The project's own Python, if it has one."""
    return next((each for each in _PYTHONS if (root / each).exists()), None)


def _of_paths(project: Project, start: ProgramConfig, setting: str, what: str, words: Sequence[str]) -> ProgramConfig:
    """A config of files, or Hydra's: arguments of the form path=value are values of it."""
    try:
        declared = _declared(project, setting)
        divided = by_paths(declared, words)
    except CoordError as error:
        rest = unplaced(words)
        return replace(start, what=f"not known: {error.what}", args=rest.args, unknown=(error.what, *_left_out(rest)))
    values = {_full(declared, path): _parsed(declared, path, text) for path, text in divided.values.items()}
    if values and setting.startswith(HYDRA):  # the options that the command chooses bring values of their own
        overrides = [f"{path}={text}" for path, text in divided.values.items()]
        declared = _declared(project, setting, overrides)
    return replace(
        start,
        what=f"{_count(declared)} values of {what}",
        setting=setting,
        declared=declared,
        values=values,
        args=divided.args,
        unknown=_left_out(divided),
    )


def _count(declared: Declared) -> int:
    return sum(1 for _ in declared_paths(declared))


def _full(declared: Declared, path: str) -> str:
    return declared.aliases.get(path, path) if isinstance(declared, Section) else path


def _parsed(declared: Declared, path: str, text: str) -> Any:
    return next(value for _, value in leaves(assignment(declared, f"{path}={text}")))


def _declared(project: Project, setting: str, overrides: Sequence[str] = ()) -> Declared:
    project = replace(project, settings=replace(project.settings, config=setting))
    first = YamlFile(project.experiment_file("base"), {}, {}, ())
    return declare(project, Given(project.settings.entry, (), first, [{}], overrides)).declared


def _of_flags(
    tree: Tree, start: ProgramConfig, entry: ProgramEntry, library: str, words: Sequence[str]
) -> ProgramConfig | None:
    """None if the program has no flags."""
    settings = Settings(entry=entry.name, config="argparse", config_python=start.python, path=start.path)
    project = Project(tree.root, settings)
    python = None
    try:
        try:
            options = read_flags(project, entry.name)
        except Computed as error:
            if library == "argparse" and "no add_argument" in str(error):
                return None
            options = run_parser(project, entry.name, words, str(error))
            python = start.python
    except ProjectError as error:
        rest = unplaced(words)
        return replace(
            start,
            python=None,
            what=f"not known: {error.what}",
            args=rest.args,
            remarks=('config = "argparse"', 'config_python = "PATH"   # a Python with the libraries of the program'),
            unknown=(f"the flags of {entry.name}: {error.hint or error.what}", *_left_out(rest)),
        )
    if not options.options and not options.commands:
        return None
    divided = by_flags(options, words)
    file = _config_file(tree, options, divided)
    if file is not None:
        given = _without_placeholders(words, divided)
        found = _of_paths(project, start, file[0], f"{file[0]} ({file[1]})", given)
        return replace(found, python=None, unknown=_left_out(divided))
    first = YamlFile(project.experiment_file("base"), {}, {}, ())
    values = dict(divided.values)
    unknown = (*_left_out(divided), *_files_to_choose(tree, options, divided))
    declared = declare(project, Given(entry.name, divided.args, first, [values], ())).declared
    return replace(
        start,
        what=f"{_count(declared)} flags of {entry.name} ({library})",
        setting="argparse",
        python=python,
        declared=declared,
        values=values,
        args=divided.args,
        unknown=unknown,
    )


def _files_to_choose(tree: Tree, options: Options, divided: Divided) -> list[str]:
    """That a flag names a config file, if nothing says which, and the files that there are."""
    for option in options.options:
        if _CONFIG_OPTION.search(option.name) and divided.values.get(option.name, option.default) is None:
            files = [name for name in tree.files if _CONFIG_OPTION.search(name) and is_config_file(tree, name)]
            if files:
                more = f" and {len(files) - 2} more" if len(files) > 2 else ""
                return [f"which config file {option.flag or option.name} names: {', '.join(files[:2])}{more}"]
    return []


def _config_file(tree: Tree, options: Options, divided: Divided) -> tuple[str, str] | None:
    """(path, the flag that names it) of a config file that has more values than the program has other flags."""
    for option in options.options:
        value = divided.values.get(option.name, option.default)
        if not _CONFIG_OPTION.search(option.name) or not isinstance(value, str):
            continue
        name = is_config_file(tree, value)
        if name is not None and value_count(tree, name) >= len(options.options) - 1:
            return name, f"{option.flag or option.name} names it"
    return None


def _without_placeholders(words: Sequence[str], divided: Divided) -> list[str]:
    left_out = {word for text in divided.left_out for word in text.split()}
    return [word for word in words if word not in left_out]


def _left_out(divided: Divided) -> tuple[str, ...]:
    if not divided.left_out:
        return ()
    return (f"what stands for {', '.join(divided.left_out)} of the documented command",)
