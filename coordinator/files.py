"""Locks between processes, and folders that are written as a whole."""

from __future__ import annotations

import contextlib
import fcntl
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from coordinator.errors import UsageError


@contextlib.contextmanager
def held(file: Path, *, wait: bool) -> Iterator[bool]:
    """Holds the lock while the context is open. With `wait=False`, yields False at once if another process has it."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True


def check_free(directory: Path) -> None:
    """Raises UsageError unless `directory` is empty but for git's own folder, or not there."""
    if directory.exists() and not directory.is_dir():
        raise UsageError(f"{directory} is a file", hint="Name a new folder.")
    if directory.exists() and (found := sorted(each.name for each in directory.iterdir() if each.name != ".git")):
        more = ", ..." if len(found) > 3 else ""
        raise UsageError(f"{directory} is not empty: {', '.join(found[:3])}{more}", hint="Name a new folder.")


def write_folder(directory: Path, files: Mapping[Path, bytes]) -> None:
    """Writes the files, whose paths are relative to `directory`. Raises UsageError if it is not free or can't be had.

    They are written beside it first. An empty folder stays the same one: it may be somebody's current one.
    """
    check_free(directory)
    top = directory.resolve()
    try:
        top.parent.mkdir(parents=True, exist_ok=True)
        unfinished = Path(tempfile.mkdtemp(dir=top.parent, prefix=".coord-new-"))
        try:
            for path, data in files.items():
                (unfinished / path).parent.mkdir(parents=True, exist_ok=True)
                (unfinished / path).write_bytes(data)
            top.mkdir(exist_ok=True)
            for child in sorted(unfinished.iterdir()):
                child.rename(top / child.name)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
    except OSError as error:
        raise UsageError(f"{directory} cannot be written: {error.strerror or error}") from error
