"""Locks between processes, atomic writing of files and folders, and names that are nobody's files."""

from __future__ import annotations

import contextlib
import errno
import fnmatch
import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

from coordinator.disk import hint as full_hint
from coordinator.errors import FileError, UsageError
from coordinator.system import IS_WINDOWS, is_too_long, remove, remove_tree, replace

_NO_LOCKS = "This file system has no locks, and coord needs them: put the project on a local disk."
_LONG = "The path is too long for this system: put the project in a folder nearer to the top." + (
    " Or let Windows take long paths: LongPathsEnabled, see docs/machines.md." if IS_WINDOWS else ""
)
_HINTS = {
    errno.EROFS: "coord has to write here: work in a copy of the project on a disk that is writable.",
    errno.EACCES: "Look at the permissions of the file and of its folder.",
    errno.EPERM: "Look at the permissions of the file and of its folder.",
    errno.ENOLCK: _NO_LOCKS,
    errno.ENOSYS: _NO_LOCKS,
    errno.EOPNOTSUPP: _NO_LOCKS,
    errno.EBADF: "It is closed.",
    errno.EIO: "The disk reports an error: look into the system's log.",
    errno.EMFILE: "Raise the limit of open files: ulimit -n 4096",
}

_POLL_SECONDS = 0.02  # between two attempts to get a lock that another process holds

LEFTOVERS = (
    # of macOS
    *("._*", ".DS_Store", ".AppleDouble", ".LSOverride", "Icon\r", "__MACOSX", ".Spotlight-V100", ".Trashes"),
    *(".fseventsd", ".TemporaryItems", ".DocumentRevisions-V100", ".apdisk"),
    # of Windows
    *("Thumbs.db", "Thumbs.db:encryptable", "ehthumbs.db", "ehthumbs_vista.db", "desktop.ini", "$RECYCLE.BIN"),
    *("System Volume Information", "~$*"),
    # of Linux desktops and of network file systems
    *(".directory", ".Trash-*", ".goutputstream-*", ".fuse_hidden*", ".nfs[0-9a-f]*", ".smbdelete*", ".~lock.*#"),
    # of editors, and of git and patch after a conflict
    *("*~", "#*#", ".#*", ".*.sw[a-p]", ".sw[a-p]", "4913", "*___jb_tmp___", "*___jb_old___", ".ipynb_checkpoints"),
    *("*.orig", "*.rej", "*.bak", "*.tmp"),
)
"""Names of files and folders that systems and editors leave beside those of the user, as patterns, in any case."""
_LEFTOVER = "|".join(fnmatch.translate(pattern) for pattern in LEFTOVERS)


def is_leftover(name: str) -> bool:
    """Whether a system or an editor has left a file or folder of that name: it is nothing of the user's."""
    return re.match(_LEFTOVER, name, re.IGNORECASE) is not None


def explained(error: OSError | UnicodeEncodeError) -> FileError:
    """The error as a line for the user: the file, what the system says, what to do."""
    if isinstance(error, UnicodeEncodeError):
        return FileError(f"{error.object!a} cannot be written as {error.encoding}: {error.reason}")
    files = " -> ".join(str(name) for name in (error.filename, error.filename2) if name is not None)
    what = error.strerror or str(error) or type(error).__name__
    written = error.filename2 or error.filename  # of a copy, the second one
    place = Path(written) if isinstance(written, str) else Path()
    return FileError(
        f"{files}: {what}" if files else what,
        hint=_LONG if is_too_long(error) else full_hint(error, place) or _HINTS.get(error.errno or 0),
    )


@contextlib.contextmanager
def _naming(file: Path) -> Iterator[None]:
    """Gives an OSError the name of the file: it has none after writing and locking, or that of an unfinished file."""
    try:
        yield
    except OSError as error:
        error.filename, error.filename2 = str(file), None
        raise


@contextlib.contextmanager
def held(file: Path, *, wait: bool) -> Iterator[bool]:
    """Holds an exclusive lock on `file` while the context is open, and yields True.

    With `wait=False`, yields False at once if the lock is held already, by another process or another context of this
    process. The operating system releases the lock when the process ends, even if it is killed. The file is not
    deleted: if it were, while others wait for it, two processes could hold a lock with that name. Raises OSError if the
    file cannot be opened.
    """
    from filelock import FileLock, Timeout  # takes milliseconds, which `coord --help` does not need

    with _naming(file):
        file.parent.mkdir(parents=True, exist_ok=True)
    # No `fallback_to_soft`: on file systems without flock, a soft lock would stay locked after its process is killed.
    lock = FileLock(file, poll_interval=_POLL_SECONDS, fallback_to_soft=False, preserve_lock_file=True)
    try:
        with _naming(file):
            lock.acquire(blocking=wait)
    except Timeout:
        yield False
        return
    except NotImplementedError as error:  # of filelock, where flock is not supported
        raise OSError(errno.ENOSYS, "Locks are not supported", str(file)) from error
    try:
        yield True
    finally:
        lock.release()


def write_atomically(
    file: Path, data: bytes | str, *, durable: bool = False, private: bool = False, unfinished_in: Path | None = None
) -> None:
    """Replaces the file atomically: a reader sees the old content or all of the new content. Text is written as UTF-8.

    A symbolic link is followed and kept. A pipe or a device is written to directly. `durable`: the content is on the
    disk when this returns. `private`: only the user may read the file. `unfinished_in` is the folder for the temporary
    file, in the same file system; by default the folder of the file. Raises OSError, and then leaves no temporary file.
    """
    content = data.encode("utf-8") if isinstance(data, str) else data
    if file.exists() and not file.is_file() and not file.is_dir():
        with _naming(file):
            file.write_bytes(content)
        return
    file = Path(os.path.realpath(file))
    with _naming(file), unfinished(file, within=unfinished_in) as new:
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600 if private else 0o666)
        with open(descriptor, "wb") as out:  # noqa: PTH123 - Path.open cannot take a descriptor
            out.write(content)
            if durable:
                out.flush()
                os.fsync(descriptor)


@contextlib.contextmanager
def unfinished(file: Path, *, within: Path | None = None) -> Iterator[Path]:
    """Yields the path of a new temporary file, which replaces `file` at the end of the context.

    If the context raises, the temporary file is deleted, and `file` does not change. Its name contains no part
    of the final name, because some programs read every file whose name contains a certain word.
    """
    new = (within or file.parent) / f".unfinished-{os.urandom(6).hex()}"
    try:
        yield new
        replace(new, file)
    finally:
        remove(new)


def check_free(directory: Path) -> None:
    """Raises UsageError if `directory` is a file, or a folder with anything in it except `.git`.

    What a killed `write_folder`, an editor or the system left there does not count.
    """
    if directory.exists() and not directory.is_dir():
        raise UsageError(f"{directory} is a file", hint="Name a new folder.")
    names = {each.name for each in directory.iterdir()} if directory.exists() else set()
    if found := sorted(name for name in names - {".git"} - _left_in(directory) if not is_leftover(name)):
        more = ", ..." if len(found) > 3 else ""
        raise UsageError(f"{directory} is not empty: {', '.join(found[:3])}{more}", hint="Name a new folder.")


def write_folder(directory: Path, files: Mapping[Path, bytes]) -> None:
    """Writes the files, whose paths are relative to `directory`, into a new or empty folder.

    A new folder gets its name when it is complete. An existing empty one is kept, not replaced: it may be the current
    folder of a process. Whenever this process is killed, the next attempt finds the folder free, or all of it there.
    Raises UsageError if the folder is not empty or not writable.
    """
    check_free(directory)
    top = directory.resolve()
    try:
        if top.exists():
            _fill(top, files)
            return
        top.parent.mkdir(parents=True, exist_ok=True)
        new = top.with_name(f".coord-new-{os.urandom(6).hex()}")
        try:
            new.mkdir()
            _write_files(new, files)
            replace(new, top)
        finally:
            shutil.rmtree(new, ignore_errors=True)
    except OSError as error:
        what = f"{directory} cannot be written: {error.strerror or error}"
        raise UsageError(what, hint=full_hint(error, directory)) from error


_UNFINISHED, _NAMES = ".coord-unfinished", "names.json"


def _fill(top: Path, files: Mapping[Path, bytes]) -> None:
    """Writes the files into a folder in `top` and moves them out of it, once the names that will be there are noted."""
    _empty(top)
    unfinished = top / _UNFINISHED
    try:
        _write_files(unfinished / "new", files)
        children = sorted((unfinished / "new").iterdir())
        (unfinished / _NAMES).write_text(json.dumps([child.name for child in children]), encoding="utf-8", newline="\n")
        for child in children:
            replace(child, top / child.name)
        (unfinished / _NAMES).unlink()  # from here on they count
    except BaseException:
        _empty(top)
        raise
    shutil.rmtree(unfinished, ignore_errors=True)


def _empty(top: Path) -> None:
    for name in sorted(_left_in(top), key=_UNFINISHED.__eq__):  # the note of the names last
        path = top / name
        if path.is_dir() and not path.is_symlink():
            remove_tree(path)
        else:
            remove(path)


def _left_in(top: Path) -> set[str]:
    """What is in the folder of a `_fill` that did not come to its end."""
    try:
        found = json.loads((top / _UNFINISHED / _NAMES).read_text(encoding="utf-8"))
        return {_UNFINISHED, *(name for name in found if Path(name).name == name)}
    except (OSError, ValueError, TypeError):  # nothing was moved so far
        return {_UNFINISHED}


def replace_folder(directory: Path, files: Mapping[Path, bytes]) -> None:
    """Replaces a folder and its content by a new folder with these files, whose paths are relative to it.

    The caller makes sure that only one process at a time does this to a folder. If it fails, the old folder stays.
    Raises OSError.
    """
    new, old = (directory.with_name(f".{directory.name}.{state}") for state in ("new", "old"))
    with _naming(directory):
        directory.parent.mkdir(parents=True, exist_ok=True)
        for leftover in (new, old):  # left by a process that was killed
            shutil.rmtree(leftover, ignore_errors=True)
        try:
            new.mkdir()
            _write_files(new, files)
            if directory.exists():
                replace(directory, old)
            replace(new, directory)
        finally:
            shutil.rmtree(new, ignore_errors=True)
            if not directory.exists() and old.exists():
                replace(old, directory)
            shutil.rmtree(old, ignore_errors=True)


def _write_files(directory: Path, files: Mapping[Path, bytes]) -> None:
    for path, data in files.items():
        (directory / path).parent.mkdir(parents=True, exist_ok=True)
        (directory / path).write_bytes(data)
