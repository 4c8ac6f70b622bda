"""Logs of runs: read with offsets, so that nothing comes twice over the connection."""

from __future__ import annotations

import contextlib
import json
import math
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

from coordinator.errors import NoAnswer
from coordinator.target.cluster.far_answer import NOTHING
from coordinator.target.cluster.far_side import FarSide
from coordinator.target.kernel_ref import KernelRef
from coordinator.target.protocol import LogRecord

_WAITS_FROM = 10.0
"""A reader that waits for less than this many seconds only wants what is there: the end of a file is known."""
_LINE_MAX = 1 << 20
_LOG_MAX = 1 << 28


@dataclass
class _Known:
    """What was read of a log."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    offset: int = 0
    """Bytes of whole lines."""
    records: list[LogRecord] = field(default_factory=list)


class Logs:
    """The logs of a target's runs."""

    def __init__(self, far: FarSide) -> None:
        self._far = far
        self._known: dict[str, _Known] = {}

    def records(self, ref: KernelRef, *, idle_seconds: float) -> Iterator[LogRecord]:
        """All records from the start; waits for more until the run ends, or nothing came for `idle_seconds`.

        What was read before comes from here. A broken connection is tried again once it has brought something.
        """
        known = self._known.setdefault(str(ref), _Known())
        shown = 0
        while True:
            yield from known.records[shown:]
            shown, before = len(known.records), known.offset
            try:
                for each in self._new(ref, known, idle_seconds if idle_seconds >= _WAITS_FROM else 0.0):
                    shown += 1
                    yield each
                return
            except NoAnswer:
                if known.offset == before:
                    raise

    def _new(self, ref: KernelRef, known: _Known, idle: float) -> Iterator[LogRecord]:
        """The records behind those that are known; they are known then. Only one reader of a log asks at a time."""
        with known.lock:
            _, stream = self._far.begin("log", ref=[ref.owner, ref.slug, ref.version], offset=known.offset, idle=idle)
            with contextlib.closing(stream):
                rest = b""
                for chunk in stream.chunks:
                    *lines, rest = (rest + chunk).split(b"\n")
                    for line in lines:
                        if line + b"\n" == NOTHING:
                            continue
                        known.offset += len(line) + 1
                        if (record := _parsed(line)) is not None:
                            known.records.append(record)
                            yield record
                    if len(rest) > _LINE_MAX or known.offset > _LOG_MAX:
                        return


def _parsed(line: bytes) -> LogRecord | None:
    """The record of a line; None for one that broke off (a full disk)."""
    try:
        found = json.loads(line)
        time = float(found["time"])
        record = LogRecord(stream=str(found["stream"])[:20], time=time, data=str(found["data"]))
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    return record if math.isfinite(time) else None
