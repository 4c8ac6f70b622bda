"""Where the modules lie that a program imports and does not find: above its root, or in a folder such as src/."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from coordinator.bundle.collection import Collection
from coordinator.bundle.files import entries, has_modules, is_module, names_in
from coordinator.bundle.imports import names_imported, parse, statement_imports


@dataclass(frozen=True)
class Misplaced:
    """A module that is imported, and lies where the program does not look for it."""

    name: str
    where: str
    """The import, as file:line."""
    folder: Path

    def remedy(self, root: Path) -> str:
        """Where it lies, and what to do."""
        place = os.path.relpath(self.folder, root)
        if self.folder.is_relative_to(root):
            return f'it lies in {place}/: path = ["{place}"] in [tool.coord], or --path {place} of coord bundle'
        return f"it lies in {place}: --root {place} of coord bundle; a project's folder must be that one"


def elsewhere(root: Path, collection: Collection) -> dict[str, Misplaced]:
    """The modules that are imported, not found, and lie elsewhere; by their names."""
    found = {}
    for name, where, path in _not_found(root, collection):
        if name not in found:
            folder = next((folder for folder in _candidates(root, root / path, collection) if _has(folder, name)), None)
            if folder:
                found[name] = Misplaced(name, where, folder)
    return found


def _not_found(root: Path, collection: Collection) -> Iterator[tuple[str, str, str]]:
    """(top-level name, file:line, file) of imports without which the program fails.

    Of thousands of modules, only those are parsed that import a name which one of `_candidates` has.
    """
    known = collection.taken | sys.stdlib_module_names
    for dotted, (imported, where) in collection.imports.items():
        name = dotted.partition(".")[0]
        if name not in known and not imported.optional:
            yield name, where, where.rpartition(":")[0]
    everywhere: set[str] | None = None  # read for the first module that needs it: a folder above may have thousands
    beside: dict[Path, set[str]] = {}
    for path, module in collection.unparsed.items():
        if path in collection.broken:
            continue
        names = names_imported(module.source.data)
        if names is not None and not (names := names - known):
            continue
        if everywhere is None:
            children = (folder for folder in entries(root) if folder.is_dir())
            around = (*collection.outside, *children, *above(root))
            everywhere = {name for folder in around for name in _names(folder)} - known
        folders = [folder for folder in (root / path).parents if folder.is_relative_to(root)]
        for folder in folders:
            if folder not in beside:
                beside[folder] = _names(folder)
        if (
            names is not None
            and names.isdisjoint(everywhere)
            and all(names.isdisjoint(beside[each]) for each in folders)
        ):
            continue
        for each in statement_imports(parse(module.source.data, path), module.package):
            if each.name.partition(".")[0] not in known and not each.optional:
                yield each.name.partition(".")[0], f"{path}:{each.line}", path


def _names(folder: Path) -> set[str]:
    with contextlib.suppress(OSError):
        return set(names_in(folder))
    return set()


def _candidates(root: Path, file: Path, collection: Collection) -> Iterator[Path]:
    """Folders in which the module may lie, the likeliest first."""
    yield from collection.outside
    yield from (folder for folder in file.parents if folder.is_relative_to(root))
    yield from (
        folder for folder in entries(root) if folder.name[0] != "." and folder.is_dir() and not folder.is_symlink()
    )
    yield from above(root)


def above(root: Path) -> Iterator[Path]:
    """Folders above the root, up to the repository's or the working directory; the next two if it lies in neither."""
    highest = next((folder for folder in (root, *root.parents) if (folder / ".git").exists()), None)
    here = Path.cwd()
    if highest is None:
        highest = here if root.is_relative_to(here) else Path(*root.parts[: max(len(root.parts) - 2, 2)])
    for folder in root.parents:
        if not folder.is_relative_to(highest) or folder in (Path.home(), Path(folder.anchor)):
            return
        yield folder


def _has(folder: Path, name: str) -> bool:
    return is_module(folder, name) or ((folder / name).is_dir() and has_modules(folder / name))
