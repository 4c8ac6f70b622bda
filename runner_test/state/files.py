"""Files, links and folders that appear complete or not at all, and folders that are removed whatever their modes."""

import errno
import json
import os
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_LONG = 2048  # characters: half of the longest path that a system call takes


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a free path beside `path` to write to; at the end of the block it replaces `path`.

    If the block raises, what was written is removed and `path` stays as it was.
    """
    new = _beside(path)
    try:
        with naming(path):
            yield new
        new.replace(path)
    finally:
        new.unlink(missing_ok=True)


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Give an OSError of the block the file's name: after writing it has none, and nobody knows which disk is full."""
    try:
        yield
    except OSError as error:
        if error.errno is not None:
            error.filename = error.filename or str(path)
        raise


@contextmanager
def unfinished_folder(path: Path) -> Iterator[Path]:
    """Make a folder beside `path`, which the block renames when it is complete; otherwise it is removed."""
    new = _beside(path)
    new.mkdir(parents=True)
    try:
        yield new
    finally:
        if new.exists():
            remove_tree(new)


def _beside(path: Path) -> Path:
    """A path that is free and hidden: listings skip names that begin with a dot."""
    return path.with_name(f".{path.name}.{os.urandom(4).hex()}")


def write_text(path: Path, text: str) -> None:
    """Write `text` as UTF-8, line ends as they are."""
    with replacing(path) as new:
        new.write_text(text, encoding="utf-8", newline="")


def write_json(path: Path, value: object) -> None:
    """Write `value` as JSON."""
    write_text(path, json.dumps(value, indent=1) + "\n")


def read_plain(path: Path, offset: int = 0) -> bytes:
    """The bytes of a file from `offset` on. Raises OSError for a link, a pipe or anything else that is not a file.

    A session that is not isolated can reach the store's own files, and opening a pipe would wait for ever.
    """
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError(errno.EINVAL, "not a file", str(path))
        file.seek(offset)
        return file.read()


def replace_link(path: Path, target: Path) -> None:
    """Make `path` a symbolic link to `target`, in place of the link that was there."""
    with replacing(path) as new:
        new.symlink_to(target)


def remove_tree(path: Path, seconds: float = 2.0) -> None:
    """Remove a folder with its read-only parts; links are removed, not followed.

    Tries for `seconds`, because a process that is being killed may still add a file. Raises OSError if that fails.
    """
    give_up = time.monotonic() + seconds
    while True:
        try:
            _remove_tree(path)
            return
        except OSError:
            if time.monotonic() > give_up:
                raise
            time.sleep(0.02)


def _remove_tree(path: Path) -> None:
    """Remove a folder of any depth: `shutil.rmtree` calls itself for each level; no system call takes a long path."""
    left, emptied = [path], []
    while left:
        folder = left.pop()
        folder.chmod(0o700)
        if len(str(folder)) > _LONG:
            folder = folder.rename(path / f".removing-{os.urandom(8).hex()}")
        emptied.append(folder)
        with os.scandir(folder) as entries:
            for entry in list(entries):
                if entry.is_dir(follow_symlinks=False):
                    left.append(Path(entry.path))
                else:
                    os.unlink(entry.path)  # noqa: PTH108  # a Path takes three times as long
    for folder in reversed(emptied):
        folder.rmdir()
