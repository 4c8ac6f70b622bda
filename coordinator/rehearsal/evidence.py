"""What a session's log and files tell: the error that ended it, and which rows it predicted."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from coordinator.results import Sources
from coordinator.target import LogRecord
from coordinator.text import clean

_LONGEST = 200
"""Characters of an error's message that are shown."""
_SHOWN = 3
_TRACEBACK = "Traceback (most recent call last):"
_FRAME = re.compile(r'\s+File "(?P<path>[^"]+)", line (?P<line>\d+)')
_OF_THE_IMAGE = re.compile(r"/(site|dist)-packages/|/lib/python3[.\d]*/|^<|/kaggle_evaluation/")
_WORKING = re.compile(r"^.*?/kaggle/(working|src)/")
_NO_INTERNET = re.compile(
    r"name resolution|Name or service not known|nodename nor servname|No address associated with hostname"
    r"|Network is unreachable|Failed to establish a new connection|getaddrinfo failed|gaierror|Max retries exceeded"
    r"|No matching distribution found|Could not resolve host|We couldn't connect to",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class LastError:
    """The last exception that a log shows."""

    place: str
    """`model/infer.py:7`, the innermost line of the user's own files; "" if there is none."""
    text: str
    """`FileNotFoundError: ...`, one line."""

    def __str__(self) -> str:
        return f"{self.place}: {self.text}" if self.place else self.text

    @property
    def is_no_internet(self) -> bool:
        """Whether it is what a program gets that asks the internet for something, and has none."""
        return _NO_INTERNET.search(self.text) is not None

    def names(self, *counts: int) -> bool:
        """Whether its text has each of these numbers."""
        found = set(re.findall(r"(?<![\w.])\d+(?![\w.]*\w)", self.text))
        return all(str(count) in found for count in counts)


def last_error(log: Iterable[LogRecord], sources: Sources) -> LastError | None:
    """The exception of the last traceback in a log; None without one."""
    lines = _lines(log)
    start = max((number for number, line in enumerate(lines) if _TRACEBACK in line), default=None)
    if start is None:
        return None
    place, text = "", ""
    for line in lines[start + 1 :]:
        if (frame := _FRAME.match(line)) is not None:
            place = _place(line, frame, sources) or place
        elif line[:1].strip():
            text = line
            break
    return LastError(place, text[:_LONGEST])


def _lines(log: Iterable[LogRecord]) -> list[str]:
    """The lines of what a session printed to its error stream."""
    return [clean(line) for line in "".join(each.data for each in log if each.stream == "stderr").split("\n")]


def says_no_internet(log: Iterable[LogRecord]) -> str | None:
    """The last line of a log that a program without internet prints; None if no line is one."""
    found = [line.strip()[:_LONGEST] for line in _lines(log) if _NO_INTERNET.search(line)]
    return found[-1] if found else None


def _place(line: str, frame: re.Match[str], sources: Sources) -> str:
    """`path:line` of a frame of the user's own files; "" for those of the image and the kit."""
    placed = sources.place(line)
    path = placed.path if placed else frame["path"]
    if placed is None and _OF_THE_IMAGE.search(path):
        return ""
    return f"{_WORKING.sub('', path)}:{frame['line']}"


@dataclass(frozen=True)
class Rows:
    """The ids in the first column of a table, in its order."""

    ids: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.ids)

    def __str__(self) -> str:
        shown = ", ".join(self.ids[:_SHOWN]) + (", ..." if len(self.ids) > _SHOWN else "")
        return f"{len(self)} row{'s' * (len(self) != 1)} ({shown})"

    def lacking(self, wanted: Rows) -> Sequence[str]:
        """The ids of `wanted` that are not here."""
        here = set(self.ids)
        return [each for each in wanted.ids if each not in here]


def read_rows(file: Path | None) -> Rows | None:
    """The rows of a CSV file; None if there is no file, or it is none."""
    if file is None or file.suffix.lower() != ".csv":
        return None
    try:
        with file.open(encoding="utf-8-sig", newline="") as table:
            return Rows(tuple(row[0].strip() for row in csv.reader(table) if row)[1:])
    except (OSError, UnicodeDecodeError, csv.Error):
        return None


def sample_in(folder: Path) -> Path | None:
    """The sample submission in a folder of a competition's data; None if no file is one, or several may be."""
    found = [each for each in folder.glob("*.csv") if re.search(r"sample.*submission", each.name, re.IGNORECASE)]
    return found[0] if len(found) == 1 else None
