"""Locks between processes, and files and folders that are replaced or made as a whole."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from coordinator.errors import UsageError

_POLL_SECONDS = 0.02  # between two attempts to get a lock that another process holds


@contextlib.contextmanager
def held(file: Path, *, wait: bool) -> Iterator[bool]:
    """Holds an exclusive lock on `file` while the context is open, and yields True.

    With `wait=False`, yields False at once if it is held already, by another process or another context of this one.
    The lock is the operating system's: it ends with the process, however that ends. The file stays where it is: if it
    were deleted while others wait for it, two could hold a lock of that name. Raises OSError if it cannot be opened.
    """
    from filelock import FileLock, Timeout  # milliseconds, which `coord --help` need not pay

    file.parent.mkdir(parents=True, exist_ok=True)
    # The soft lock, which file systems without flock would get, outlives a process that is killed.
    lock = FileLock(file, poll_interval=_POLL_SECONDS, fallback_to_soft=False, preserve_lock_file=True)
    try:
        lock.acquire(blocking=wait)
    except Timeout:
        yield False
        return
    try:
        yield True
    finally:
        lock.release()


def write_atomically(
    file: Path, data: bytes | str, *, durable: bool = False, private: bool = False, unfinished_in: Path | None = None
) -> None:
    """Replaces the file as a whole: whoever reads it sees its old content or all of the new one. Text is UTF-8.

    It is written where a link leads, and into a pipe or a device, which stays what it is. `durable`: when this returns,
    the content is on the disk. `private`: only the user may read it. `unfinished_in` is a folder of the same file
    system for what is not complete yet, else the file's own. Raises OSError, and leaves nothing unfinished behind.
    """
    content = data.encode("utf-8") if isinstance(data, str) else data
    if file.exists() and not file.is_file() and not file.is_dir():
        file.write_bytes(content)
        return
    file = Path(os.path.realpath(file))
    with unfinished(file, within=unfinished_in) as new:
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600 if private else 0o666)
        with open(descriptor, "wb") as out:  # noqa: PTH123 - Path.open cannot take a descriptor
            out.write(content)
            if durable:
                out.flush()
                os.fsync(descriptor)


@contextlib.contextmanager
def unfinished(file: Path, *, within: Path | None = None) -> Iterator[Path]:
    """Yields the path of a new file to write to, which replaces `file` at the end of the context.

    If the context raises, it is deleted, and `file` stays as it was. Its name has nothing of the file's, for programs
    that take every file with a certain word in its name.
    """
    new = (within or file.parent) / f".unfinished-{os.urandom(6).hex()}"
    try:
        yield new
        new.replace(file)
    finally:
        new.unlink(missing_ok=True)


def check_free(directory: Path) -> None:
    """Raises UsageError unless `directory` does not exist, or is a folder that is empty but for git's own folder."""
    if directory.exists() and not directory.is_dir():
        raise UsageError(f"{directory} is a file", hint="Name a new folder.")
    if directory.exists() and (found := sorted(each.name for each in directory.iterdir() if each.name != ".git")):
        more = ", ..." if len(found) > 3 else ""
        raise UsageError(f"{directory} is not empty: {', '.join(found[:3])}{more}", hint="Name a new folder.")


def write_folder(directory: Path, files: Mapping[Path, bytes]) -> None:
    """Writes the files, whose paths are relative to `directory`. Raises UsageError if it is not free or not writable.

    They are written beside it first. An empty folder stays the same one: it may be the current folder of a process.
    """
    check_free(directory)
    top = directory.resolve()
    try:
        top.parent.mkdir(parents=True, exist_ok=True)
        new = Path(tempfile.mkdtemp(dir=top.parent, prefix=".coord-new-"))
        try:
            _write_files(new, files)
            top.mkdir(exist_ok=True)
            for child in sorted(new.iterdir()):
                child.rename(top / child.name)
        finally:
            shutil.rmtree(new, ignore_errors=True)
    except OSError as error:
        raise UsageError(f"{directory} cannot be written: {error.strerror or error}") from error


def replace_folder(directory: Path, files: Mapping[Path, bytes]) -> None:
    """Replaces a folder and all that is in it by a new one with these files, whose paths are relative to it.

    One process at a time does this to one folder. If it fails, the old folder stays. Raises OSError.
    """
    directory.parent.mkdir(parents=True, exist_ok=True)
    new, old = (directory.with_name(f".{directory.name}.{state}") for state in ("new", "old"))
    for leftover in (new, old):  # of a process that was killed
        shutil.rmtree(leftover, ignore_errors=True)
    try:
        new.mkdir()
        _write_files(new, files)
        if directory.exists():
            directory.rename(old)
        new.rename(directory)
    finally:
        shutil.rmtree(new, ignore_errors=True)
        if not directory.exists() and old.exists():
            old.rename(directory)
        shutil.rmtree(old, ignore_errors=True)


def _write_files(directory: Path, files: Mapping[Path, bytes]) -> None:
    for path, data in files.items():
        (directory / path).parent.mkdir(parents=True, exist_ok=True)
        (directory / path).write_bytes(data)
