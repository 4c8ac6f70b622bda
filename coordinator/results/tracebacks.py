"""Replaces paths of the kernel's machine in a log by paths of the project, as in the lines of a traceback.

A kernel unpacks its sources below the temporary directory, `/tmp/coord-<random>/sources/model_src/train.py`. In a line
of its log such a path becomes `model_src/train.py`, the file that a person would open. So does
`/kaggle/working/train.py`: a program that runs as in a checkout of its repository has its files there.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

# A traceback's `File "PATH", line 88`, or `PATH:88: UserWarning`. A bare path ends where another may begin: the time
# is linear in the length of the line.
_PATH = re.compile(r'File "(?P<quoted>/[^"]*)"|(?<![^\s(\[])(?P<bare>/[^\s":(\[]*):\d')
_WORKING = "working"
_LONGEST = 4096  # characters of a path, on Linux


@dataclass(frozen=True)
class Place:
    """A line of a log that names one of the kernel's sources."""

    before: str
    path: str
    """Relative to the project."""
    after: str
    file: Path | None
    """The file on this machine; None if the project does not have it."""
    is_changed: bool
    """Whether that file has changed since the kernel was built, so that the line number may be wrong."""

    @property
    def text(self) -> str:
        return f"{self.before}{self.path}{self.after}"


@dataclass(frozen=True)
class _Source:
    """A source of the kernel; see `Place`."""

    path: str
    file: Path | None
    is_changed: bool


class Sources:
    """The sources of a kernel and where they are on this machine.

    `root` is the folder of the project, `digests` has path -> SHA-256 of the sources. If there are no digests (an old
    run), a path counts as a source if the project has such a file now.
    """

    def __init__(self, root: Path, digests: Mapping[str, str]) -> None:
        self._root = root
        self._digests = digests
        self._seen: dict[str, _Source | None] = {}

    def place(self, line: str) -> Place | None:
        """The first source that a line of a log names; None if it names none."""
        if not _may_name_one(line):
            return None
        for found in _PATH.finditer(line):
            group = found.lastgroup or ""
            source = self._source(found[group])
            if source is not None:
                start, end = found.span(group)
                return Place(line[:start], source.path, line[end:], source.file, source.is_changed)
        return None

    def relative(self, line: str) -> str:
        """The line with the path of the project instead of that of the kernel's machine."""
        place = self.place(line)
        return place.text if place else line

    def _source(self, name: str) -> _Source | None:
        if not _may_name_one(name) or len(name) > _LONGEST:
            return None
        if name not in self._seen:
            self._seen[name] = self._find(name)
        return self._seen[name]

    def _find(self, name: str) -> _Source | None:
        """The source that the kernel unpacked to this path; None if it is none."""
        for path in candidates(name):
            file = self._root / path
            if not self._digests and "\0" not in path and file.is_file():
                return _Source(path, file, is_changed=False)
            if path in self._digests:
                try:
                    data = file.read_bytes()
                except OSError:
                    return _Source(path, None, is_changed=False)
                # A kernel may have LF where this checkout has CR LF.
                digests = {hashlib.sha256(each).hexdigest() for each in (data, data.replace(b"\r\n", b"\n"))}
                return _Source(path, file, is_changed=self._digests[path] not in digests)
        return None


def candidates(name: str) -> Iterator[str]:
    """Of a path on the kernel's machine the possible paths of the source.

    What follows a folder `coord-...`, without its first none, one or two folders, or a working directory.
    """
    parts = name.split("/")
    for number, part in enumerate(parts):
        rest = parts[number + 1 :]
        if part.startswith("coord-") and ".." not in rest and "" not in rest:
            yield from ("/".join(rest[start:]) for start in range(min(3, len(rest))))
        elif part == _WORKING and rest and ".." not in rest and "" not in rest:
            yield "/".join(rest)


def _may_name_one(text: str) -> bool:
    """Takes less time than to look for a path."""
    return "coord-" in text or f"/{_WORKING}/" in text
