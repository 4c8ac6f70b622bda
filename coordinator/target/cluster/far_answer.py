"""How the far side's program answers: it follows `far` in the text that is sent. Python 3.6."""

import json
import os
import sys
import time
from collections.abc import Callable, Iterator

from coordinator.target.cluster.far import (
    ANSWERS,
    FULL,
    Answer,
    Refused,
    attempts_of,
    is_own_file,
    run_folder,
)

MARK = "\x1ecoord "
"""Begins the line of the answer: a shell that signs in may print something before it."""
NOTHING = b"\x1e\n"
"""A line that is no part of a log. Who waits for a log's end writes it, and so learns that nobody reads any more: a
connection tells its far end nothing else of a reader that is gone."""
NOTHING_EVERY = 2.0  # seconds


def read(request: Answer) -> None:
    """Answers with the size of an output file, and then its bytes from `offset` on."""
    top = os.path.realpath(os.path.join(run_folder(request["root"], request["ref"]), "working"))
    path = os.path.join(top, request["name"])
    if not is_own_file(top, path):
        raise Refused("gone", "there is no such file")
    with open(os.path.realpath(path), "rb") as file:
        found = os.fstat(file.fileno())
        start = request["offset"] if request["offset"] <= found.st_size else 0
        file.seek(start)
        validator = f"{found.st_mtime_ns}-{found.st_ino}-{found.st_size}"
        answer({"start": start, "size": found.st_size, "validator": validator})
        left = found.st_size - start
        while left:
            chunk = file.read(min(left, 1 << 20))
            if not chunk:
                break
            sys.stdout.buffer.write(chunk)
            left -= len(chunk)
    sys.stdout.buffer.flush()


def log(request: Answer) -> None:
    """A log's bytes from `offset` on; waits for more until the run has ended, or nothing came for `idle` seconds.

    While it waits, NOTHING comes between lines now and then.
    """
    folder = run_folder(request["root"], request["ref"])
    answer({})
    for chunk in log_chunks(folder, request["offset"], request["idle"]):
        sys.stdout.buffer.write(chunk)
        sys.stdout.buffer.flush()


def log_chunks(folder: str, offset: int, idle: float) -> "Iterator[bytes]":
    path, quiet = os.path.join(folder, "log.jsonl"), time.monotonic()
    told, end = quiet, b"\n"
    while True:
        has_ended = is_over(folder)  # asked before the file is read: nothing is written after it
        try:
            with open(path, "rb") as file:
                file.seek(offset)
                while True:
                    chunk = file.read(1 << 18)
                    if not chunk:
                        break
                    offset, quiet, end = offset + len(chunk), time.monotonic(), chunk[-1:]
                    yield chunk
        except FileNotFoundError:
            pass
        if has_ended or time.monotonic() - quiet >= idle:
            return
        if time.monotonic() - max(quiet, told) >= NOTHING_EVERY and end == b"\n":
            told = time.monotonic()
            yield NOTHING
        time.sleep(0.2)


def is_over(folder: str) -> bool:
    attempts = attempts_of(folder)
    return bool(attempts) and attempts[-1].get("next") in ("end", "requeue")


STREAMS: "dict[str, Callable[[Answer], None]]" = {"read": read, "log": log}


def answer(found: Answer) -> None:
    """Writes the line of the answer."""
    sys.stdout.buffer.write((MARK + json.dumps(found) + "\n").encode("ascii"))
    sys.stdout.buffer.flush()


def main() -> None:
    """Reads the question from standard input, and answers it."""
    request = json.loads(sys.stdin.buffer.read().decode("utf-8"))
    do = request["do"]
    try:
        if do in STREAMS:
            STREAMS[do](request)
        else:
            answer(ANSWERS[do](request))
    except Refused as refused:
        answer({"error": refused.answer})
    except BrokenPipeError:  # nobody reads any more
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    except OSError as error:
        kind = "full" if error.errno in FULL else "refused"
        answer({"error": {"kind": kind, "what": f"{error.filename}: {error.strerror}", "hint": ""}})
