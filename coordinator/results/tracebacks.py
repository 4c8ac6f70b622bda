"""Paths in a kernel's log as paths in the project: where a traceback leads on this machine.

A kernel unpacks its sources below the temporary directory, `/tmp/coord-<random>/sources/model_src/engine.py`. In a line
of its log such a path becomes `model_src/engine.py`, the file that a person would open.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

# A traceback's `File "PATH", line 88`, or `PATH:88: UserWarning`.
_PATH = re.compile(r'File "(?P<quoted>/[^"]*)"|(?<![^\s(\[])(?P<bare>/[^\s":]*):\d')
_LONGEST = 4096  # characters of a path, on Linux


@dataclass(frozen=True)
class Place:
    """A line of a log that names one of the kernel's sources."""

    before: str
    path: str
    """Relative to the project."""
    after: str
    file: Path | None
    """The file here; None if the project has none (any more), or it came from a library."""
    is_changed: bool
    """Whether that file is another than the one in the kernel, so that the line's number may mislead."""

    @property
    def text(self) -> str:
        return f"{self.before}{self.path}{self.after}"


class Sources:
    """A kernel's sources and where they are on this machine: `root`, and the SHA-256 by path of what went in.

    Without digests (a run of long ago) a path counts as a source if the project has such a file now.
    """

    def __init__(self, root: Path, digests: Mapping[str, str]) -> None:
        self._root = root
        self._digests = digests
        self._seen: dict[str, tuple[str, Path | None, bool] | None] = {}

    def place(self, line: str) -> Place | None:
        """The place that a whole line names; None if it names none."""
        if "coord-" not in line:
            return None
        for found in _PATH.finditer(line):
            group = found.lastgroup or ""
            source = self._source(found[group])
            if source is not None:
                path, file, is_changed = source
                start, end = found.span(group)
                return Place(line[:start], path, line[end:], file, is_changed)
        return None

    def relative(self, line: str) -> str:
        """The line with the project's own path."""
        place = self.place(line)
        return place.text if place else line

    def _source(self, name: str) -> tuple[str, Path | None, bool] | None:
        if "coord-" not in name or len(name) > _LONGEST:
            return None
        if name not in self._seen:
            self._seen[name] = self._find(name)
        return self._seen[name]

    def _find(self, name: str) -> tuple[str, Path | None, bool] | None:
        """(path, file, whether that is changed) of a file that the kernel unpacked; None if it is no source."""
        for path in _candidates(name):
            file = self._root / path
            if not self._digests and "\0" not in path and file.is_file():
                return path, file, False
            if path in self._digests:
                try:
                    digest = hashlib.sha256(file.read_bytes()).hexdigest()
                except OSError:
                    return path, None, False
                return path, file, digest != self._digests[path]
        return None


def _candidates(name: str) -> Iterator[str]:
    """What may be the source's path: what follows a folder `coord-...`, without up to two more folders."""
    parts = name.split("/")
    for number, part in enumerate(parts):
        rest = parts[number + 1 :]
        if part.startswith("coord-") and ".." not in rest and "" not in rest:
            yield from ("/".join(rest[start:]) for start in range(min(3, len(rest))))
