"""A folder as the content of a data set: its files with their digests, what is left out, and what cannot be sent.

The digest is that of the files' paths and bytes, so it is the same wherever the folder lies. A data set has files only:
an empty folder is left out, as Kaggle would drop it.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from coordinator.errors import UsageError
from coordinator.files import is_leftover
from coordinator.kaggle_rules import ARCHIVES
from coordinator.names import confined, same_file

_LEFT_OUT = frozenset({".git", ".hg", ".svn", "__pycache__"})
_FOR_THE_CLIENT = frozenset({"dataset-metadata.json", "datapackage.json"})
"""Files at the top that tell Kaggle's own command what to do, and that it does not send either."""
_SEARCHED, _SEARCHED_IN_BINARY = 4 << 20, 1 << 16
"""Bytes at the beginning of a file that are searched for secrets. A search takes up to 0.3 s a MiB, and weights and
images are most of what is sent."""
_LONG = 10**9  # bytes, which take some seconds to read
_SHOWN = 5  # names in a message


@dataclass(frozen=True)
class DataFile:
    """A file that goes into a data set."""

    name: PurePosixPath
    """Its path in the data set."""
    file: Path
    size: int
    modified: int
    """Nanoseconds since 1970."""
    sha256: str

    @property
    def path(self) -> str:
        return str(self.name)

    @property
    def data(self) -> bytes:
        """Its beginning, in which secrets are looked for."""
        with self.file.open("rb") as content:
            head = content.read(_SEARCHED_IN_BINARY)
            return head if b"\0" in head else head + content.read(_SEARCHED - len(head))

    def check_unchanged(self) -> None:
        """Raises UsageError if it was written since its digest was taken."""
        now = self.file.stat()
        if (now.st_size, now.st_mtime_ns) != (self.size, self.modified):
            raise UsageError(f"{self.file} was changed while it was being sent", hint="Push again when it is finished.")


@dataclass(frozen=True)
class FolderContents:
    files: tuple[DataFile, ...]
    """Sorted by their paths."""
    left_out: tuple[str, ...]
    """Paths of what systems and editors left there, and of empty folders (which end with a slash)."""

    @property
    def digest(self) -> str:
        return digest_of((str(each.name), each.size, each.sha256) for each in self.files)

    @property
    def size(self) -> int:
        return sum(each.size for each in self.files)

    def remarks(self) -> Iterator[str]:
        """What the user should know before it is sent, a line each."""
        if self.left_out:
            yield f"left out: {_some(self.left_out)}"
        packed = [str(each.name) for each in self.files if each.name.name.lower().endswith(ARCHIVES)]
        if packed:
            yield f"Kaggle unpacks archives when they arrive: {_some(packed)}"


def digest_of(files: Iterable[tuple[str, int, str]]) -> str:
    """The digest of a content: of (path, bytes, SHA-256) of each file, in the order of the paths."""
    text = json.dumps(sorted(files), ensure_ascii=False)
    return "sha256:" + hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def check_folder(folder: Path) -> None:
    """Raises UsageError if there is no such folder."""
    if not folder.is_dir():
        raise UsageError(f"{folder} is no folder", hint="Name the folder whose content becomes the data set.")


def read_contents(folder: Path, say: Callable[[str], None] = lambda _: None) -> FolderContents:
    """`say` is told if it takes a while.

    Raises UsageError, which names them all, for links and for names that a data set cannot have; OSError.
    """
    check_folder(folder)
    problems: list[str] = []
    left_out: list[str] = []
    found = sorted(_walk(folder, PurePosixPath(), problems, left_out))
    seen: dict[str, PurePosixPath] = {}
    for name, _ in found:
        if (other := seen.setdefault(same_file(name), name)) != name:
            problems.append(f"{name} and {other} differ only in case or accents, and are one file on some systems")
    if problems:
        more = [f"and {len(problems) - _SHOWN} more"] if len(problems) > _SHOWN else []
        raise UsageError("\n  ".join([f"{folder} cannot become a data set:", *problems[:_SHOWN], *more]))
    if not found:
        raise UsageError(f"{folder} has no files to send" + (f" ({_some(left_out)} left out)" if left_out else ""))
    size = sum(file.stat().st_size for _, file in found)
    if size > _LONG:
        say(f"reading {size / 1e9:,.1f} GB in {folder}, to know whether it was sent before")
    return FolderContents(tuple(_data_file(name, file) for name, file in found), tuple(sorted(left_out)))


def _walk(
    folder: Path, name: PurePosixPath, problems: list[str], left_out: list[str]
) -> Iterator[tuple[PurePosixPath, Path]]:
    with os.scandir(folder) as entries:
        children = sorted(entries, key=lambda entry: entry.name)
    is_empty = True
    for entry in children:
        path = name / entry.name
        if is_leftover(entry.name) or entry.name in _LEFT_OUT or (not name.parts and entry.name in _FOR_THE_CLIENT):
            left_out.append(_shown(path))
            continue
        is_empty = False
        mode = entry.stat(follow_symlinks=False).st_mode
        if problem := _problem(path, mode):
            problems.append(f"{_shown(path)} {problem}")
        elif stat.S_ISDIR(mode):
            yield from _walk(Path(entry.path), path, problems, left_out)
        else:
            yield path, Path(entry.path)
    if is_empty and name.parts:
        left_out.append(f"{_shown(name)}/")


def _problem(path: PurePosixPath, mode: int) -> str:
    if stat.S_ISLNK(mode):
        return "is a link: put the file itself there"
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        return "is neither a file nor a folder"
    if path.name != path.name.strip():
        return "has a name that begins or ends with a space"
    try:
        confined(str(path))
    except (ValueError, UnicodeEncodeError) as error:
        return f"has a name that cannot be taken: {error if type(error) is ValueError else 'it is no text in UTF-8'}"
    return ""


def _data_file(name: PurePosixPath, file: Path) -> DataFile:
    with file.open("rb") as content:
        before = os.fstat(content.fileno())
        digest = hashlib.file_digest(content, "sha256").hexdigest()
    return DataFile(name, file, before.st_size, before.st_mtime_ns, digest)


def _some(names: Iterable[str]) -> str:
    each = list(names)
    more = f" and {len(each) - _SHOWN} more" if len(each) > _SHOWN else ""
    return f"{', '.join(each[:_SHOWN])}{more}"


def _shown(path: PurePosixPath) -> str:
    return str(path) if str(path).isprintable() else ascii(str(path))
