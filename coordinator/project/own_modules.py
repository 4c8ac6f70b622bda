"""Imports a project's own module with nothing but the standard library and the package's other modules."""

from __future__ import annotations

import builtins
import contextlib
import importlib
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any


@contextlib.contextmanager
def importing_from(folders: Sequence[Path], package: str) -> Iterator[None]:
    """Imports of `package` come from the folders, leave nothing behind in sys.modules, and write no bytecode there."""

    def forget() -> dict[str, Any]:
        names = [name for name in sys.modules if name == package or name.startswith(f"{package}.")]
        return {name: sys.modules.pop(name) for name in names}

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
