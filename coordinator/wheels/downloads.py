"""How far pip is: what it has downloaded, of what it has announced."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path

from coordinator.progress import Moment, minutes

_ANNOUNCED = re.compile(r"^\s*Downloading (?P<name>\S+)(?: \((?P<size>[\d.]+) (?P<unit>bytes|kB|MB|GB)\))?")
_UNITS = {"bytes": 1, "kB": 1e3, "MB": 1e6, "GB": 1e9}


class Downloads:
    """A job, in the sense of `coordinator.progress`.

    pip's own bar is for a terminal that it has for itself. What it downloads lies in a temporary folder first, which
    tells more than its lines: these come once a file.
    """

    def __init__(self, label: str, total: int | None = None, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.label = label
        self._total = total
        self._announced = 0.0
        self._name = ""
        self._folder: Path | None = None
        self._clock = clock
        self._started = clock()

    def begin(self, folder: Path) -> None:
        """pip starts, with this folder for its temporary files."""
        self._folder = folder
        self._announced = 0.0

    def heard(self, line: str) -> None:
        """A line of pip's output."""
        if (found := _ANNOUNCED.match(line)) is not None and not found["name"].endswith(".metadata"):
            self._name = found["name"].rpartition("/")[2]
            self._announced += float(found["size"] or 0) * _UNITS[found["unit"] or "bytes"]

    def moment(self) -> Moment:
        took = self._clock() - self._started
        total = self._announced if self._total is None else self._total
        here = sum(map(_size, self._folder.rglob("*.whl*"))) if self._folder is not None else 0
        if not total or not here:
            return Moment(f"{f'{self._name}, ' if self._name else ''}{minutes(took)} so far")
        left = minutes(took / here * max(0, total - here))
        share = min(1.0, here / total)
        return Moment(f"{self._name}, {here / 1e6:,.1f} of {total / 1e6:,.1f} MB, {left} left", share)


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except OSError:  # pip has moved it
        return 0
