"""A session's log: a file with one record a line, and the two forms in which Kaggle serves it.

While the session runs, each record is an event of a stream; afterwards, all records are one JSON array. The text is
ASCII (everything else is escaped), because clients that split a stream with `str.splitlines` would otherwise break a
record at characters such as U+2028.
"""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from json.encoder import encode_basestring_ascii
from pathlib import Path

from runner_test.state import files


@dataclass(frozen=True)
class Record:
    """A line of output; without its end, if that was long in coming (records.py)."""

    stream_name: str  # "stdout" or "stderr"
    time: float  # seconds since the session's start
    data: str

    def to_json(self) -> str:
        """The record as one line of JSON, without the line's end, in Kaggle's form."""
        # The encoder that json.dumps uses: a program may print hundreds of thousands of lines.
        return f'{{"stream_name":"{self.stream_name}","time":{self.time},"data":{encode_basestring_ascii(self.data)}}}'


def append(descriptor: int, records: Iterable[Record]) -> None:
    """Append records to the log with that descriptor, which must be open for appending."""
    left = memoryview("".join(f"{record.to_json()}\n" for record in records).encode("ascii"))
    while left:
        left = left[os.write(descriptor, left) :]


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
