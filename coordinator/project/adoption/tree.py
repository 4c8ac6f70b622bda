"""The files of a repository: which there are and how large they are. Nothing is read."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from coordinator.errors import UsageError

_SKIPPED = {"__pycache__", "node_modules", "site-packages"}
_MANY = 2_000
"""Entries of a folder that are looked at: one with more is data, and its exact size does not matter."""


@dataclass(frozen=True)
class Subtree:
    """A folder with everything below it."""

    size: int = 0
    files: int = 0
    has_code: bool = False
    is_cut: bool = False
    """It has more files than were counted."""

    def __str__(self) -> str:
        return f"{'more than ' * self.is_cut}{as_size(self.size)}, {self.files:,} file{'s' * (self.files != 1)}"


@dataclass(frozen=True)
class Tree:
    """Every file by its POSIX path below the root, with its size in bytes; every folder with what it holds.

    Hidden folders, environments and caches are passed over, and links to folders are not followed.
    """

    root: Path
    files: Mapping[str, int] = field(default_factory=dict)
    folders: Mapping[str, Subtree] = field(default_factory=dict)


def read_tree(root: Path) -> Tree:
    """Raises UsageError if a folder cannot be read."""
    files: dict[str, int] = {}
    folders: dict[str, Subtree] = {}

    def visit(folder: Path) -> Subtree:
        here = Subtree()
        try:
            with os.scandir(folder) as entries:
                for count, entry in enumerate(entries):
                    if count >= _MANY:
                        return Subtree(here.size, here.files, here.has_code, True)
                    here = _sum(here, _entry(entry))
        except OSError as error:
            raise UsageError(f"{folder} cannot be read: {error.strerror}") from error
        return here

    def _entry(entry: os.DirEntry[str]) -> Subtree:
        name = Path(entry.path).relative_to(root).as_posix()
        if entry.is_dir(follow_symlinks=False):
            if entry.name.startswith(".") or entry.name in _SKIPPED or Path(entry.path, "pyvenv.cfg").is_file():
                return Subtree()
            folders[name] = visit(Path(entry.path))
            return folders[name]
        if not entry.is_file():  # a link to a folder or to nothing, a pipe
            return Subtree()
        files[name] = entry.stat().st_size
        return Subtree(files[name], 1, entry.name.endswith(".py"))

    visit(root)
    return Tree(root, dict(sorted(files.items())), dict(sorted(folders.items())))


def _sum(one: Subtree, other: Subtree) -> Subtree:
    return Subtree(
        one.size + other.size,
        one.files + other.files,
        one.has_code or other.has_code,
        one.is_cut or other.is_cut,
    )


def as_size(size: float) -> str:
    """`5.0 GB`"""
    for unit in ("bytes", "KB", "MB", "GB"):
        if size < 1000 or unit == "GB":
            return f"{size:,.0f} {unit}" if unit == "bytes" else f"{size:,.1f} {unit}"
        size /= 1000
    raise AssertionError
