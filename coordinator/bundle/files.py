"""Files and folders of a program's tree: what never goes into a bundle, and what is refused."""

from __future__ import annotations

import contextlib
import hashlib
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path, PurePosixPath

from coordinator.errors import BundleError
from coordinator.files import is_leftover

_SKIPPED_NAMES = {"__pycache__", ".git"}
_SKIPPED_SUFFIXES = (".pyc", ".pyo")
_LOOKED_AT = 10_000
MODULE_SUFFIXES = (*EXTENSION_SUFFIXES, ".py")


@dataclass(frozen=True)
class SourceFile:
    """One file of the bundle: its POSIX path relative to the root, and its bytes."""

    path: str
    data: bytes
    is_source: bool | None = field(default=None, compare=False)
    """Whether it is a Python source, where its name does not tell: a script without .py, a template with it."""

    @property
    def is_python(self) -> bool:
        return self.path.endswith(".py") if self.is_source is None else self.is_source

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
    """Names of the modules and folders that an import could find in the folder.

    A statement cannot import a name such as "my-module", but `import_module` can.
    """
    with os.scandir(folder) as entries:
        for entry in entries:
            name = entry.name.partition(".")[0]
            if not name or is_leftover(entry.name):
                continue
            is_known = name.isidentifier() or is_module(folder, name)
            if is_known and (entry.name.endswith(MODULE_SUFFIXES) or entry.is_dir()):
                yield name


def is_module(folder: Path, name: str) -> bool:
    """Whether the folder has a module or a package (with __init__.py) of that name."""
    return (folder / name / "__init__.py").is_file() or any(
        (folder / f"{name}{suffix}").is_file() for suffix in MODULE_SUFFIXES
    )


def located(folders: Sequence[Path], name: str) -> list[Path]:
    """What Python would import, in its order; a folder without __init__.py only if there is nothing else."""
    portions = []
    for folder in folders:
        package = folder / name
        if (package / "__init__.py").is_file():
            return [package]
        modules = [file for suffix in MODULE_SUFFIXES if (file := folder / f"{name}{suffix}").is_file()]
        if modules:
            return modules
        if name not in sys.stdlib_module_names and has_modules(package):
            portions.append(package)
    return portions


def has_modules(folder: Path) -> bool:
    """Whether a folder has Python sources. In a folder with a lot of data only its first entries are looked at."""
    seen = 0
    for _, folders, names in os.walk(folder):
        folders.sort()
        seen += len(names)
        if any(name.endswith(".py") for name in names):
            return True
        if seen > _LOOKED_AT:
            return False
    return False


def resolved(base: Path, text: str) -> Path:
    """The path that a text names in a folder, without `..` in it."""
    return Path(os.path.normpath(base / text)) if "\0" not in text else base / "?"


def existing(bases: Iterable[Path], text: str) -> Path | None:
    """The regular file of that name below the first of the folders that has one."""
    if not text.isprintable() or not 0 < len(text) < 256 or PurePosixPath(text).is_absolute():
        return None
    for base in bases:
        path = Path(os.path.normpath(base / text))
        if path.is_relative_to(base) and path.is_file() and not any(map(is_skipped, path.relative_to(base).parts)):
            return path
    return None


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
