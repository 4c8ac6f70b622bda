"""A session's log: a file with one record a line, and the two forms in which Kaggle serves it.

While the session runs, each record is an event of a stream; afterwards, all records are one JSON array. The text is
ASCII (everything else is escaped), because clients that split a stream with `str.splitlines` would otherwise break a
record at characters such as U+2028.
"""

import json
import os
from dataclasses import dataclass
from pathlib import Path

from runner_test.state import files


@dataclass(frozen=True)
class Record:
    """A piece of output, as it was read: it need not end with a line, but never inside a character."""

    stream_name: str  # "stdout" or "stderr"
    time: float  # seconds since the session's start
    data: str

    def to_json(self) -> str:
        """The record as one line of JSON, without the line's end, in Kaggle's form."""
        fields = {"stream_name": self.stream_name, "time": self.time, "data": self.data}
        return json.dumps(fields, separators=(",", ":"))


def append(descriptor: int, record: Record) -> None:
    """Append a record to the log with that descriptor, which must be open for appending."""
    line = memoryview(record.to_json().encode("ascii") + b"\n")
    while line:
        line = line[os.write(descriptor, line) :]


def lines_from(path: Path, offset: int) -> tuple[list[str], int]:
    """The records (JSON) from byte `offset` on, and the offset for the next call.

    A last line that is not complete is left for the next call; a log that does not exist yet or is no file is empty.
    """
    try:
        new = files.read_plain(path, offset)
    except OSError:
        return [], offset
    whole = new[: new.rfind(b"\n") + 1]
    return whole.decode("ascii", "backslashreplace").splitlines(), offset + len(whole)


def as_array(path: Path) -> str:
    """The whole log in the form that Kaggle stores: a JSON array, one record a line, commas first."""
    lines, _ = lines_from(path, 0)
    return "[" + "\n,".join(lines) + "\n]" if lines else "[]"
