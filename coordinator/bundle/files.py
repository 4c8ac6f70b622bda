"""Files and folders of a program's tree: what never goes into a bundle, and what is refused."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

from coordinator.errors import BundleError

_SKIPPED_NAMES = {"__pycache__", ".git", ".DS_Store", ".ipynb_checkpoints"}
_SKIPPED_SUFFIXES = (".pyc", ".pyo")
MODULE_SUFFIXES = (*EXTENSION_SUFFIXES, ".py")


@dataclass(frozen=True)
class SourceFile:
    """One file of the bundle: its POSIX path relative to the root, and its bytes."""

    path: str
    data: bytes

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.data).hexdigest()


@contextlib.contextmanager
def failures_told(root: Path) -> Iterator[None]:
    """Turns the OSError of a folder or file that cannot be read into a BundleError."""
    try:
        yield
    except OSError as error:
        raise BundleError(f"{_below(root, error.filename)} cannot be read: {error.strerror}") from error


def _below(root: Path, name: object) -> str:
    """The path of a file or folder, relative to the root if it is below it."""
    path = Path(str(name))
    return path.relative_to(root).as_posix() if path != root and path.is_relative_to(root) else str(name)


def names_in(folder: Path) -> Iterator[str]:
    """Names of the modules and folders that an import could find in the folder."""
    with os.scandir(folder) as entries:
        for entry in entries:
            name = entry.name.partition(".")[0]
            if name.isidentifier() and (entry.name.endswith(MODULE_SUFFIXES) or entry.is_dir()):
                yield name


def is_module(folder: Path, name: str) -> bool:
    """Whether the folder has a module or a package (with __init__.py) of that name."""
    return (folder / name / "__init__.py").is_file() or any(
        (folder / f"{name}{suffix}").is_file() for suffix in MODULE_SUFFIXES
    )


def entries(folder: Path) -> list[Path]:
    """What is in the folder, sorted, without what never goes into a bundle."""
    with os.scandir(folder) as entries:
        return [folder / name for name in sorted(entry.name for entry in entries) if not is_skipped(name)]


def is_skipped(name: str) -> bool:
    """Whether a file or folder of that name never goes into a bundle."""
    return name in _SKIPPED_NAMES or name.endswith(_SKIPPED_SUFFIXES)


def checked(root: Path, path: Path) -> Path:
    """Returns the path. Raises BundleError if it leads out of the project."""
    if path.is_symlink() and not path.resolve().is_relative_to(root.resolve()):
        raise BundleError(f"{path.relative_to(root)} is a link to {path.resolve()}, outside the project")
    return path


def read(root: Path, path: Path) -> SourceFile:
    """Reads the file."""
    return SourceFile(path.relative_to(root).as_posix(), path.read_bytes())
