"""The files of a folder that something names: how many and how large, before anything is read."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from coordinator.bundle.files import is_skipped
from coordinator.bundle.sizes import NAMED_MAX
from coordinator.files import is_leftover

CONFIG_DATA = frozenset({".yaml", ".yml", ".json", ".toml", ".ini", ".cfg", ".conf", ".jsonnet", ".j2"})
CONFIG = CONFIG_DATA | {".py"}
"""Suffixes of config files."""
_FILES_MAX = 500
_SEEN_MAX = 5_000
"""So many entries are looked at: a folder with more is data."""


@dataclass(frozen=True)
class Folder:
    """What was found in a folder."""

    files: tuple[Path, ...]
    fits: bool
    """Whether it was looked through to the end, and its files are few and small enough to go in unasked."""


def folder_of(folder: Path, suffixes: frozenset[str] | None, is_free: Callable[[Path], bool]) -> Folder:
    """The files below the folder with one of the suffixes (None: all), without those that are not free to go in."""
    found: list[Path] = []
    seen = total = 0
    for place, folders, names in os.walk(folder):
        here = Path(place)
        folders[:] = sorted(name for name in folders if _is_kept(name) and is_free(here / name))
        seen += len(folders) + len(names)
        for name in sorted(names):
            path = here / name
            if (suffixes is None or path.suffix in suffixes) and _is_kept(name) and path.is_file() and is_free(path):
                found.append(path)
                total += path.stat().st_size
        if seen > _SEEN_MAX or len(found) > _FILES_MAX or total > NAMED_MAX:
            return Folder(tuple(found), fits=False)
    return Folder(tuple(found), fits=True)


def _is_kept(name: str) -> bool:
    return not is_skipped(name) and not is_leftover(name)
