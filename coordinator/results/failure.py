"""The exception that ended a run, and its place in the project's files, from the end of the run's log."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Collection, Iterable
from pathlib import PurePosixPath

from coordinator.results.tracebacks import candidates

_BEGIN = "Traceback (most recent call last):"
_PREFIX = re.compile(r"\[(?:rank)?\d+\]:\s?")  # torchrun's, before each line of a process
_FRAME = re.compile(r'\s+File "(?P<path>[^"]{1,4096})", line (?P<line>\d{1,9})')
_EXCEPTION = re.compile(r"(?:[^\W\d]\w*\.){0,20}(?P<type>[A-Z]\w{0,100})(?:: (?P<message>.*))?")
_READ = 2000
_NEAR = 40
"""Lines that may follow the traceback: an earlier one was caught, and did not end the run."""
_LONGEST = 200


def failure(lines: Iterable[str], sources: Collection[str]) -> str:
    """`ValueError at train.py:41: no images`; empty if the log does not end with a traceback.

    `sources` are the paths of the kernel's own files. The place is the last of them that the traceback names, or else
    its last line of all: what one would look at first.
    """
    found, after, frames = "", 0, list[tuple[str, str]]()
    is_inside = False
    for raw in deque(lines, maxlen=_READ):
        line = _PREFIX.sub("", raw, count=1) if raw.startswith("[") else raw
        after += 1
        if line.strip() == _BEGIN:
            frames, is_inside = [], True
        elif is_inside and (frame := _FRAME.match(line)):
            frames.append((frame["path"], frame["line"]))
        elif is_inside and frames and not line[:1].isspace() and (exception := _EXCEPTION.fullmatch(line)):
            found, after, is_inside = _told(exception, frames, sources), 0, False
    return found if after <= _NEAR else ""


def _told(exception: re.Match[str], frames: list[tuple[str, str]], sources: Collection[str]) -> str:
    own = [frame for frame in frames if any(path in sources for path in candidates(frame[0]))]
    path, line = (own or frames)[-1]
    message = f": {exception['message']}" if exception["message"] else ""
    return f"{exception['type']} at {PurePosixPath(path).name}:{line}{message}"[:_LONGEST]
