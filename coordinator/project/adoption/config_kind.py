"""What declares a program's config: Hydra, its flags, a config file that it reads, or nothing."""

from __future__ import annotations

import ast
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from coordinator.errors import ProjectError
from coordinator.project.adoption.tree import Tree
from coordinator.project.declaration.config_files import FORMATS, parsed
from coordinator.project.declaration.sources import SourceModule
from coordinator.project.settings import HYDRA
from coordinator.project.values import leaves

_FLAGS = {"argparse", "click", "typer", "fire", "tyro", "jsonargparse", "simple_parsing", "absl", "tap", "transformers"}
"""Libraries that make flags, as far as coord can read them or ask the program."""
_READABLE = ("argparse", "click", "typer")
_LOADERS = ("load", "safe_load", "full_load", "unsafe_load", "loads", "read_text", "open", "Config", "fromfile")
_CONFIG_WORDS = ("config", "cfg", "conf", "setting", "param", "hparam", "default", "option")
_CONFIG_MAX = 200_000


@dataclass(frozen=True)
class FileNamed:
    """A config file of the repository that a source names."""

    path: str
    """Below the repository."""
    where: str


def hydra_setting(tree: Tree, sources: Mapping[Path, SourceModule], args: Sequence[str]) -> tuple[str, str] | None:
    """(the setting `config`, the place that says so) of `@hydra.main`, if there is one and its file is there.

    The arguments may name another config of its folder.
    """
    named = [args[at + 1] for at, word in enumerate(args[:-1]) if word in ("--config-name", "-cn")]
    named += [word.partition("=")[2] for word in args if word.startswith("--config-name=")]
    for path, source in sources.items():
        for node in ast.walk(source.tree):
            if not isinstance(node, ast.Call) or not _is_hydra(node.func, source):
                continue
            words = {each.arg: each.value for each in node.keywords if each.arg}
            names = dict(zip(("config_path", "config_name"), node.args, strict=False))
            given = {key: _text(value, source) for key, value in {**names, **words}.items()}
            folder = os.path.normpath(path.parent / (given.get("config_path") or ""))
            name = (named[0] if named else given.get("config_name") or "config").removesuffix(".yaml")
            file = Path(folder, f"{name}.yaml")
            if file.is_file() and file.is_relative_to(tree.root):
                return f"{HYDRA}{file.relative_to(tree.root).with_suffix('').as_posix()}", source.place(node)
    return None


def _is_hydra(function: ast.expr, source: SourceModule) -> bool:
    name = ast.unparse(function)
    if name in ("hydra.main", "hydra.initialize", "initialize_config_dir"):
        return True
    imports = [each for each in ast.walk(source.tree) if isinstance(each, ast.ImportFrom) and each.module == "hydra"]
    return any((alias.asname or alias.name) == name for each in imports for alias in each.names)


def flag_library(sources: Mapping[Path, SourceModule]) -> str | None:
    """The library that makes the program's flags."""
    found = {
        name.partition(".")[0]
        for source in sources.values()
        for node in ast.walk(source.tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in ([node.module or ""] if isinstance(node, ast.ImportFrom) else [each.name for each in node.names])
    }
    named = {
        alias.name
        for source in sources.values()
        for node in ast.walk(source.tree)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    if "HfArgumentParser" in named:
        return "HfArgumentParser"
    return next((each for each in (*_READABLE, *sorted(_FLAGS - {"transformers"})) if each in found), None)


def is_config_file(tree: Tree, text: str, folders: tuple[str, ...] = ("",)) -> str | None:
    """The path below the repository of the config file that a text names, if there is one."""
    if not isinstance(text, str) or PurePosixPath(text).suffix not in FORMATS or len(text) > 300:
        return None
    for folder in folders:
        name = os.path.normpath(PurePosixPath(folder, text))
        if name in tree.files and tree.files[name] < _CONFIG_MAX and value_count(tree, name):
            return name
    return None


def value_count(tree: Tree, name: str) -> int:
    """How many values a config file has; 0 if it is none."""
    try:
        return sum(1 for _ in leaves(parsed(tree.root / name, name).values))
    except ProjectError:
        return 0


def files_named(tree: Tree, sources: Mapping[Path, SourceModule]) -> Iterator[FileNamed]:
    """Config files that a source loads by a literal name, those whose names say so first."""
    found: dict[str, str] = {}
    for source in sources.values():
        for node in ast.walk(source.tree):
            if isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] in _LOADERS:
                receiver = [node.func.value] if isinstance(node.func, ast.Attribute) else []
                for argument in (*node.args, *(each.value for each in node.keywords), *receiver):
                    text = _text(argument, source)
                    name = is_config_file(tree, text) if text else None
                    if name:
                        found.setdefault(name, source.place(node))
            elif isinstance(node, ast.Assign) and (text := _text(node.value, source)):
                name = is_config_file(tree, text)
                if name and any(_sounds_like_config(ast.unparse(target)) for target in node.targets):
                    found.setdefault(name, source.place(node))
    for name in sorted(found, key=lambda each: not _sounds_like_config(each)):
        if _sounds_like_config(name) or PurePosixPath(name).suffix != ".json":
            yield FileNamed(name, found[name])


def _sounds_like_config(text: str) -> bool:
    return any(word in text.lower() for word in _CONFIG_WORDS)


def _text(node: ast.expr | None, source: SourceModule) -> str | None:
    """The text that an expression is, through names and Path()."""
    if node is None:
        return None
    from coordinator.project.declaration.sources import Computed

    try:
        value = source.value(node)
    except Computed:
        return None
    return value if isinstance(value, str) else None
