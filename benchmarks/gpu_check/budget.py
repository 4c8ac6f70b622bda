"""Measures parts within a number of seconds, each in a process of its own.

A process in which CUDA has failed cannot use it any more; and a part that takes too long is ended.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any, Literal

from benchmarks.gpu_check.bench import Bench

Status = Literal["measured", "passed", "goal missed", "failed", "not measured", "not here"]
INCOMPLETE: tuple[Status, ...] = ("failed", "not measured")
"""With one of these, the program ends with exit code 1."""

# A process that is forked has torch already. This one never uses a card, because CUDA does not survive a fork.
PROCESSES: Any = multiprocessing.get_context("fork" if sys.platform == "linux" else "spawn")


@dataclass(frozen=True)
class Row:
    """A row of the table."""

    what: str
    value: float | None = None
    unit: str = ""
    status: Status = "measured"
    note: str = ""
    part: str = ""


@dataclass(frozen=True)
class Part:
    """Something to measure."""

    name: str
    share: float
    """Of the seconds of all parts; what an earlier part leaves is divided among the later ones."""
    rows: tuple[str, ...]
    """`what` of every row, in order: what is missing in the end is known by them."""
    measure: Callable[[Bench, float], Iterator[Row]]
    """Yields the rows; the second argument is when it has to end, in seconds of `time.monotonic`."""


def run_part(part: Part, bench: Bench, seconds: float) -> list[Row]:
    """The rows of a part. What it did not measure, in time or after an error, is a row, too."""
    late = f"its {seconds:.0f} s were over"
    if seconds <= 0:
        # A process could send a row before anybody looks at the time.
        return [Row(name, status="not measured", note=late, part=part.name) for name in part.rows]
    rows: list[Row] = []
    until = time.monotonic() + seconds
    receiving, sending = PROCESSES.Pipe(duplex=False)
    process = PROCESSES.Process(target=_measure, args=(part, bench, until - seconds / 10, sending))
    process.start()
    sending.close()
    error: str | None = None
    try:
        while True:
            ready = wait([receiving, process.sentinel], max(until - time.monotonic(), 0.0))
            if receiving not in ready:
                if ready:
                    process.join()
                    error = f"its process ended with code {process.exitcode}"
                break
            sent = receiving.recv()
            if not isinstance(sent, Row):
                error = sent
                process.join(5)
                break
            rows.append(sent)
    except EOFError:
        process.join()
        error = f"its process ended with code {process.exitcode}"
    finally:
        process.terminate()
        process.join(5)
        process.kill()
        process.join()
    missing = [name for name in part.rows if name not in {row.what for row in rows}]
    if error:
        first, *missing = missing or ["the end"]
        rows.append(Row(first, status="failed", note=error))
    rows += [Row(name, status="not measured", note="after an error" if error else late) for name in missing]
    place = {name: number for number, name in enumerate(part.rows)}
    rows.sort(key=lambda row: place.get(row.what, len(place)))
    return [replace(row, part=part.name) for row in rows]


def _measure(part: Part, bench: Bench, until: float, sending: Connection) -> None:
    """In the part's process: send its rows, then an error's text, or None."""
    # What the program prints is not this table. Its processes have the same standard output.
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere:
        os.dup2(nowhere.fileno(), 1)
    bench.enter()
    try:
        for row in part.measure(bench, until):
            sending.send(row)
    except (Exception, SystemExit) as error:
        sending.send(told(error))
    else:
        sending.send(None)


def told(error: BaseException) -> str:
    """An error as a cell of a table."""
    line = next(iter(str(error).strip().splitlines()), "")
    return f"{type(error).__name__}: {line}".replace("|", "/")[:200]
