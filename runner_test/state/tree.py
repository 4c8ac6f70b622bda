"""What is below a folder that a session filled: nothing there is trusted.

Links are not followed to anywhere else, sockets, pipes and devices are not opened, and a name may be anything. Folders
are visited one by one, because recursion ends with Python's stack, and a session can make folders of any depth.
"""

import os
import stat
import sys
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath


def walk(
    folder: Path,
    *,
    opening: bool = False,
    without: Path | None = None,
    unread: Callable[[OSError], None] | None = None,
) -> Iterator[os.DirEntry[str]]:
    """All entries below `folder` that are no folders, links included, but not those below `without`; in no order.

    With `opening`, folders that their owner may not read or enter are opened to him, as root enters them on Kaggle.
    `unread` is called with the error of each folder that can't be read; it is left out, as is what vanishes meanwhile.
    """
    left, excluded = [os.fspath(folder)], os.fspath(without) if without else None
    while left:
        path = left.pop()
        try:
            if opening:
                _allow(path, 0o500)
            with os.scandir(path) as entries:
                for entry in entries:
                    if not entry.is_dir(follow_symlinks=False):
                        yield entry
                    elif entry.path != excluded:
                        left.append(entry.path)
        except (FileNotFoundError, NotADirectoryError):
            pass  # it has vanished, or was replaced by a file
        except OSError as error:
            if unread is not None:
                unread(error)


def open_up(folder: Path) -> None:
    """Let their owner read all files below `folder`, whatever modes they have."""
    for entry in walk(folder, opening=True):
        try:
            if entry.is_file(follow_symlinks=False):
                _allow(entry.path, 0o400)
        except OSError:
            pass  # another user's, or its path is too long: it can't be served


def _allow(path: str, bits: int) -> None:
    """Add the permissions `bits` to a file or folder of our own; a link is not followed."""
    mode = stat.S_IMODE(os.lstat(path).st_mode)
    if mode & bits == bits:
        return
    if sys.platform == "linux":  # it can't change the mode of a path without following a link
        descriptor = os.open(path, os.O_PATH | os.O_NOFOLLOW)
        try:
            Path(f"/proc/self/fd/{descriptor}").chmod(mode | bits)
        finally:
            os.close(descriptor)
    else:
        Path(path).chmod(mode | bits, follow_symlinks=False)


def readable_files(folder: Path) -> list[tuple[str, os.stat_result]]:
    """The files below `folder` that can be served, by name (with slashes): those for which `file` has a path."""
    if not is_own(folder):
        return []
    found = []
    for entry in walk(folder):
        name = os.path.relpath(entry.path, folder)
        if not _is_text(name):
            continue
        # Only a link needs to be resolved, which takes long: `walk` passed through none.
        path = file(folder, name) if entry.is_symlink() else Path(entry.path)
        try:
            status = path.lstat() if path is not None else None
        except OSError:
            continue  # it has vanished, or its path is too long
        if status is not None and stat.S_ISREG(status.st_mode) and os.access(entry.path, os.R_OK):
            found.append((name, status))
    return sorted(found, key=lambda pair: pair[0])


def file(folder: Path, name: str) -> Path | None:
    """The path of the file `name` below `folder`, without links; None where there is none, however malformed the name.

    None also for a name that leads out of the folder by itself or by a link, for anything but a file, and for a file
    that can't be read. The folder itself must not be a link, nor lie below one.
    """
    parts = PurePosixPath(name).parts
    if not parts or parts[0] == "/" or ".." in parts or "\0" in name or not is_own(folder):
        return None
    path = Path(os.path.realpath(folder / name))  # unlike Path.resolve, it raises nothing for links in a circle
    try:
        is_file = stat.S_ISREG(path.lstat().st_mode)
    except OSError:
        return None
    return path if is_file and path.is_relative_to(folder) and os.access(path, os.R_OK) else None


def is_own(folder: Path) -> bool:
    """Whether the folder is one, not a link to another or below such a link."""
    return folder.is_dir() and os.path.realpath(folder) == os.fspath(folder)


def _is_text(name: str) -> bool:
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
