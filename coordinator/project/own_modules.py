"""Imports a project's own module with nothing but the standard library and the package's other modules."""

from __future__ import annotations

import builtins
import contextlib
import importlib
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

_KEPT = 8
_imported: dict[tuple[tuple[Path, ...], str], tuple[ModuleType, dict[Path, bytes]]] = {}
"""Folders and name -> the module, and the files of its package that were imported with it. The newest is the last."""


def own_module(folders: tuple[Path, ...], name: str) -> ModuleType:
    """The module of a project whose modules lie in the folders.

    It is imported again only if it or what it imports from its package has changed: a sweep asks for the same module
    many times.
    """
    known = _imported.pop((folders, name), None)
    if known is None or any(_content(file) != content for file, content in known[1].items()):
        package = name.partition(".")[0]
        with importing_from(folders, package):
            module = importlib.import_module(name)
            files = [getattr(each, "__file__", None) for each in _of(package).values()]
        known = module, {Path(file): _content(Path(file)) for file in files if file}
    _imported[folders, name] = known
    if len(_imported) > _KEPT:
        del _imported[next(iter(_imported))]
    return known[0]


def places(error: BaseException, folders: Sequence[Path]) -> list[tuple[Path, int]]:
    """(file, line) of each of the project's own lines that led to the error: the module's own first, its cause last."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [(Path(each.filename), each.lineno or 0) for each in frames]
    return [(file, line) for file, line in own if any(file.is_relative_to(folder) for folder in folders)]


def _content(file: Path) -> bytes:
    return file.read_bytes() if file.is_file() else b""


def _of(package: str) -> dict[str, ModuleType]:
    """The package and its modules, as far as they are imported."""
    inside = f"{package}."
    return {name: each for name, each in sys.modules.items() if name == package or name.startswith(inside)}


@contextlib.contextmanager
def importing_from(folders: Sequence[Path], package: str) -> Iterator[None]:
    """Imports of `package` come from the folders, leave nothing behind in sys.modules, and write no bytecode there."""

    def forget() -> dict[str, ModuleType]:
        return {name: sys.modules.pop(name) for name in _of(package)}

    before, path, bytecode, original = forget(), list(sys.path), sys.dont_write_bytecode, builtins.__import__
    sys.path[:0] = map(str, folders)
    builtins.__import__ = _only_standard_library(package)
    sys.dont_write_bytecode = True
    importlib.invalidate_caches()
    try:
        yield
    finally:
        forget()
        sys.modules.update(before)
        sys.path[:], sys.dont_write_bytecode, builtins.__import__ = path, bytecode, original


def _only_standard_library(package: str) -> Callable[..., ModuleType]:
    """An `__import__` with which the modules of `package` get the standard library and each other, and nothing else.

    (A finder is not enough: Python does not ask it for modules that this process has imported already.)
    """
    original = builtins.__import__

    def guarded(
        name: str, scope: Mapping[str, Any] | None = None, local: Any = None, names: Any = (), level: int = 0
    ) -> ModuleType:
        top = name.partition(".")[0]
        asked_by = str((scope or {}).get("__name__")).partition(".")[0]
        if level == 0 and asked_by == package and top != package and top not in sys.stdlib_module_names:
            raise ImportError(f'"{top}" is not in the standard library', name=name)
        return original(name, scope, local, names, level)

    return guarded
