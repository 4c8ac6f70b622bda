"""The output of a session: the files in its working directory that can be served."""

import os
from dataclasses import dataclass
from pathlib import Path, PurePosixPath


@dataclass(frozen=True)
class Output:
    """A file of a session's output."""

    name: str  # relative, with slashes
    size: int  # bytes
    modified: float  # seconds since 1970


def listed(working: Path) -> list[Output]:
    """The files below the folder, sorted by name.

    Without links that lead out of the folder, and without names that are not UTF-8.
    """
    names = sorted(
        (Path(folder) / name).relative_to(working).as_posix() for folder, _, files in os.walk(working) for name in files
    )
    found = ((name, file(working, name)) for name in names if _is_text(name))
    return [Output(name, path.stat().st_size, path.stat().st_mtime) for name, path in found if path is not None]


def file(working: Path, name: str) -> Path | None:
    """The path of the file that `listed` gives that name; None for any other name, however malformed."""
    parts = PurePosixPath(name).parts
    if not parts or parts[0] == "/" or ".." in parts or "\0" in name:
        return None
    path = (working / name).resolve()
    return path if path.is_relative_to(working.resolve()) and path.is_file() else None


def _is_text(name: str) -> bool:
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
