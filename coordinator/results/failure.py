"""The exception that ended a run, and its place in the project's files, from the end of the run's log."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Collection, Iterable, Iterator
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from coordinator.results.events import EVENT_PREFIX, Lines
from coordinator.results.tracebacks import candidates

if TYPE_CHECKING:
    from coordinator.target import LogRecord

_BEGIN = "Traceback (most recent call last):"
_PREFIX = re.compile(r"\[(?:rank)?\d+\]:\s?")  # torchrun's, before each line of a process
_FRAME = re.compile(r'\s+File "(?P<path>[^"]{1,4096})", line (?P<line>\d{1,9})')
_EXCEPTION = re.compile(r"(?:[^\W\d]\w*\.){0,20}(?P<type>[A-Z]\w{0,100})(?:: (?P<message>.*))?")
_READ = 2000
_NEAR = 40
"""Lines that may follow the traceback: an earlier one was caught, and did not end the run."""
_LONGEST = 2000
_NOT_INDENTED = 8
"""Lines of a message, after its first, that need not be indented: more are what the program printed then."""


def failure(records: Iterable[LogRecord], sources: Collection[str]) -> str:
    """`ValueError at train.py:41: no images`, with all lines of the message; empty if the log ends with no traceback.

    `sources` are the paths of the kernel's own files. The place is the last of them that the traceback names, or else
    its last line of all: what one would look at first.
    """
    found, after, frames = list[str](), 0, list[tuple[str, str]]()
    is_inside, follows, beside = False, None, 0
    for stream, raw in deque(_lines(records), maxlen=_READ):
        line = _PREFIX.sub("", raw, count=1) if raw.startswith("[") else raw
        origin = (stream, raw[: len(raw) - len(line)])
        if line.strip() == _BEGIN:
            frames, is_inside, follows = [], True, None
        elif is_inside and (frame := _FRAME.match(line)):
            frames.append((frame["path"], frame["line"]))
        elif is_inside and frames and not line[:1].isspace() and (exception := _EXCEPTION.fullmatch(line)):
            found, after, is_inside, follows, beside = [_told(exception, frames, sources)], 0, False, origin, 0
            continue
        elif follows == origin:
            # An empty line or a rule may end a message: otherwise a few lines that are not indented are taken.
            beside += not line[:1].isspace()
            if any(map(str.isalnum, line)) and not line.startswith(EVENT_PREFIX) and beside <= _NOT_INDENTED:
                found.append(line.rstrip())
                after += not line[:1].isspace()
                continue
            follows = None
        after += 1
    return "\n".join(found)[:_LONGEST] if after <= _NEAR else ""


def _lines(records: Iterable[LogRecord]) -> Iterator[tuple[str, str]]:
    """The lines of a log, each with its stream."""
    streams: dict[str, Lines] = {}
    for record in records:
        for line in streams.setdefault(record.stream, Lines()).feed(record):
            yield record.stream, line
    for stream, whole in streams.items():
        yield from ((stream, line) for line in whole.end())


def _told(exception: re.Match[str], frames: list[tuple[str, str]], sources: Collection[str]) -> str:
    own = [frame for frame in frames if any(path in sources for path in candidates(frame[0]))]
    path, line = (own or frames)[-1]
    message = f": {exception['message']}" if exception["message"] else ""
    return f"{exception['type']} at {PurePosixPath(path).name}:{line}{message}"
