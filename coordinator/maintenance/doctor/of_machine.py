"""This machine: the versions of what is installed, and the room on its disk."""

from __future__ import annotations

import platform
import shutil
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from coordinator import __version__
from coordinator.finding import Finding, Level

_GIB = 1 << 30
_DISK_NEEDED, _DISK_WANTED = 1 * _GIB, 20 * _GIB  # Kaggle keeps up to 20 GB of a run's output; 2026-11


def check_versions() -> Iterator[Finding]:
    yield Finding("Python", Level.OK, platform.python_version())  # pip refuses one that is too old
    yield Finding("coord", Level.OK, __version__)
    for name in ("kaggle", "kagglesdk"):
        found = _version(name)
        if found is None:
            yield Finding(name, Level.PROBLEM, "not installed", "pip install --upgrade kaggle")
        else:
            yield Finding(name, Level.OK, found)
    torch = _version("torch")
    yield Finding("torch", Level.OK, torch or "not installed; only runs on this machine would need it")


def _version(distribution: str) -> str | None:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return None


def check_disk(folder: Path) -> Iterator[Finding]:
    free = shutil.disk_usage(folder).free
    what = f"{free / _GIB:.1f} GiB free"
    if free < _DISK_NEEDED:
        yield Finding("disk", Level.PROBLEM, what, f"Make room on the disk of {folder}.")
    elif free < _DISK_WANTED:
        yield Finding("disk", Level.WARNING, what, "A run may leave 20 GB: make room, or fetch only some of its files.")
    else:
        yield Finding("disk", Level.OK, what)
