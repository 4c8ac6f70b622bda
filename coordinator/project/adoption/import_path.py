"""In which folders beside its own a program looks for modules."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

from coordinator.project.adoption.entry import ProgramEntry
from coordinator.project.adoption.tree import Tree
from coordinator.project.declaration.sources import SourceModule

_USUAL = "src"
"""Where an installed package lies in its repository."""


def named_by_command(tree: Tree, entry: ProgramEntry) -> tuple[str, ...]:
    """The folders below the repository that PYTHONPATH names, and src/ if the entry is a module there."""
    found = [PurePosixPath(each).as_posix() for each in (entry.command.paths if entry.command else ())]
    file = entry.name.replace(".", "/")
    is_module = not any(f"{file}{end}" in tree.files for end in (".py", "/__main__.py"))
    if entry.name not in tree.files and is_module:
        found.append(_USUAL)
    return tuple(each for each in dict.fromkeys(found) if each in tree.folders)


def installed(tree: Tree, sources: Mapping[Path, SourceModule]) -> tuple[str, ...]:
    """src/, if the sources import what lies there: the repository is installed before it is run."""
    for source in sources.values():
        for name in _imported(source.tree):
            here = [f"{folder}{name}" for folder in ("", *(_below(tree, each) for each in source.folders))]
            if any(each in tree.folders or f"{each}.py" in tree.files for each in here):
                continue
            if f"{_USUAL}/{name}" in tree.folders or f"{_USUAL}/{name}.py" in tree.files:
                return (_USUAL,)
    return ()


def _imported(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (each.name.partition(".")[0] for each in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
            yield node.module.partition(".")[0]


def _below(tree: Tree, folder: Path) -> str:
    name = folder.relative_to(tree.root).as_posix() if folder.is_relative_to(tree.root) else "."
    return "" if name == "." else f"{name}/"
