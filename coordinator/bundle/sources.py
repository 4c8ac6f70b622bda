"""Which files go into the bundle.

The package that holds the entry module goes in whole (modules that are imported by computed names and package data
included); every other local module or package that its import statements reach goes in as well. Secrets and links out
of the project are refused, not skipped: leaving them out silently would hide where they lie.
"""

from __future__ import annotations

import ast
import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from coordinator.errors import BundleError

_SKIPPED_NAMES = {"__pycache__", ".git", ".DS_Store", ".ipynb_checkpoints"}
_SKIPPED_SUFFIXES = {".pyc", ".pyo"}
_SECRET_FILES = {".env", "kaggle.json", "access_token", "access_token.txt", ".netrc", "id_rsa", "id_ed25519"}
_SECRET_SUFFIXES = {".pem", ".key", ".p12", ".pfx"}
# Text that is a secret wherever it stands.
_SECRET_TEXTS = (
    (re.compile(rb"\bKGAT_[0-9A-Za-z]{16,}"), "a Kaggle access token"),
    (re.compile(rb'"key"\s*:\s*"[0-9a-f]{32}"'), "a Kaggle API key"),
    (re.compile(rb"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----"), "a private key"),
    (re.compile(rb"\bAKIA[0-9A-Z]{16}\b"), "an AWS access key"),
    (re.compile(rb"\bgh[pousr]_[0-9A-Za-z]{36}\b"), "a GitHub token"),
    (re.compile(rb"\bhf_[0-9A-Za-z]{30,}\b"), "a Hugging Face token"),
)


@dataclass(frozen=True)
class SourceFile:
    """One file of the bundle: its POSIX path relative to the project, and its bytes."""

    path: str
    data: bytes

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.data).hexdigest()


def collect(root: Path, entry: str) -> tuple[SourceFile, ...]:
    """The files that the entry module (dotted name) needs, sorted by path.

    Raises BundleError if the entry is missing, a source has a syntax error, or a file is refused.
    """
    entry_file = root.joinpath(*entry.split(".")).with_suffix(".py")
    if not entry_file.is_file() and not root.joinpath(*entry.split("."), "__main__.py").is_file():
        raise BundleError(
            f'there is no entry module "{entry}": {entry_file.relative_to(root)} is missing',
            hint='Set entry = "package.module" in [tool.coord].',
        )
    files: dict[str, SourceFile] = {}
    waiting, seen = [entry.partition(".")[0]], set[str]()
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        for path in _module_files(root, name):
            source = _read(root, path)
            files[source.path] = source
            if path.suffix == ".py":
                waiting.extend(_imported(source))
    return tuple(files[path] for path in sorted(files))


def _module_files(root: Path, name: str) -> Iterator[Path]:
    """The files of the local top-level module or package `name`; none if it is not local."""
    single, package = root / f"{name}.py", root / name
    # Both, where there are both: which one Python takes depends on an __init__.py.
    if single.is_file():
        yield _checked(root, single)
    if package.is_dir() and any(package.rglob("*.py")):
        yield from _walk(root, _checked(root, package), (package.resolve(),))


def _walk(root: Path, directory: Path, above: tuple[Path, ...]) -> Iterator[Path]:
    for path in sorted(directory.iterdir()):
        if path.name in _SKIPPED_NAMES or path.suffix in _SKIPPED_SUFFIXES:
            continue
        _checked(root, path)
        if path.is_dir():
            if path.resolve() in above:
                raise BundleError(f"{path.relative_to(root)} is a link to a folder that it lies in")
            yield from _walk(root, path, (*above, path.resolve()))
        elif path.is_file():
            yield path
        else:
            raise BundleError(f"{path.relative_to(root)} is not a file: a link to nothing, a pipe or a device")


def _checked(root: Path, path: Path) -> Path:
    """The path, unless it leads out of the project or has a name that would break the script that shows it."""
    if path.is_symlink() and not path.resolve().is_relative_to(root.resolve()):
        raise BundleError(f"{path.relative_to(root)} is a link to {path.resolve()}, outside the project")
    if not path.name.isprintable():
        raise BundleError(f"{str(path.relative_to(root))!a}: rename it, its name holds what cannot be printed")
    return path


def _read(root: Path, path: Path) -> SourceFile:
    relative = path.relative_to(root).as_posix()
    if path.name in _SECRET_FILES or path.name.startswith(".env.") or path.suffix in _SECRET_SUFFIXES:
        raise BundleError(
            f"{relative} looks like a secret and would become part of the kernel's source",
            hint="Move it out of the model source.",
        )
    try:
        data = path.read_bytes()
    except OSError as error:
        raise BundleError(f"{relative} cannot be read: {error.strerror}") from error
    for pattern, what in _SECRET_TEXTS:
        found = pattern.search(data)
        if found:
            line = data.count(b"\n", 0, found.start()) + 1
            raise BundleError(
                f"{relative}:{line} holds what looks like {what}; it would become part of the kernel's source",
                hint="Remove it (and revoke it, if it was ever pushed).",
            )
    return SourceFile(relative, data)


def _imported(source: SourceFile) -> set[str]:
    """The top-level names of a module's absolute imports, wherever in the module they stand."""
    try:
        tree = ast.parse(source.data, filename=source.path)
    except (SyntaxError, ValueError) as error:
        line = f":{error.lineno}" if isinstance(error, SyntaxError) and error.lineno else ""
        message = error.msg if isinstance(error, SyntaxError) else str(error)
        raise BundleError(f"{source.path}{line}: {message}") from error
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names.update(alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            names.add(node.module.partition(".")[0])
    return names
