"""A session's log: records on disk, one a line, and Kaggle's two ways of showing them.

Live, a record is an event of a stream; afterwards, all records are one JSON array. Both are made from the same file.
The text is ASCII (everything else escaped), because clients that split a stream with `str.splitlines` would otherwise
break a record at U+2028 and its like.
"""

import json
import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Record:
    """A piece of output.

    Its borders are where the reader happened to stop, not where lines end, but never inside a character.
    """

    stream_name: str  # "stdout" or "stderr"
    time: float  # seconds since the session's start
    data: str

    def to_json(self) -> str:
        """One line, without the line's end, as Kaggle writes it."""
        fields = {"stream_name": self.stream_name, "time": self.time, "data": self.data}
        return json.dumps(fields, separators=(",", ":"))


def append(descriptor: int, record: Record) -> None:
    """Append one record to a log that is open for appending."""
    line = memoryview(record.to_json().encode("ascii") + b"\n")
    while line:
        line = line[os.write(descriptor, line) :]


def lines_from(path: Path, offset: int) -> tuple[list[str], int]:
    """The records (as JSON) from byte `offset` on, and the offset to go on from.

    A last line that is still being written is left for the next call; a log that does not exist yet is empty.
    """
    try:
        with path.open("rb") as file:
            file.seek(offset)
            new = file.read()
    except FileNotFoundError:
        return [], offset
    whole = new[: new.rfind(b"\n") + 1]
    return whole.decode("ascii").splitlines(), offset + len(whole)


def as_array(path: Path) -> str:
    """The whole log the way Kaggle stores it: a JSON array, one record a line, commas first."""
    lines, _ = lines_from(path, 0)
    return "[" + "\n,".join(lines) + "\n]" if lines else "[]"
