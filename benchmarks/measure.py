"""Measures the time of several ways to do one thing, in turns, and prints a Markdown table."""

from __future__ import annotations

import importlib.util
import math
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path


def seconds(ways: Mapping[str, Callable[[], object]], repetitions: int, *, until: float = math.inf) -> dict[str, float]:
    """The median seconds of each way. They run in turns, so that a slow moment of the machine affects all of them.

    `until` (of `time.monotonic`) ends it before; a way that did not run is not in the result.
    """
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for name in [*ways] * repetitions:
        if time.monotonic() + max(taken[name], default=0.0) > until:
            break
        begun = time.perf_counter()
        ways[name]()
        taken[name].append(time.perf_counter() - begun)
    return {name: statistics.median(each) for name, each in taken.items() if each}


def print_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Prints a Markdown table: the first column aligned left, the others right."""
    widths = [max(len(row[place]) for row in [header, *rows]) for place in range(len(header))]

    def line(cells: Sequence[str]) -> str:
        first, *others = (cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
        return "| " + " | ".join([first, *(cell.strip().rjust(len(cell)) for cell in others)]) + " |"

    ruler = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    print("\n".join(map(line, [header, ruler, *rows])))


def machine() -> str:
    """The versions and the machine, which the figures depend on as well as on the code."""
    import numpy as np

    return f"Python {platform.python_version()}, NumPy {np.__version__}, {platform.machine()}, {os.cpu_count()} CPUs"


def wheel_labels() -> Path:
    """The competition's label file in the wheel of torchxrayvision; ends the program if it is not installed."""
    package = importlib.util.find_spec("torchxrayvision")
    if package is None or not package.submodule_search_locations:
        sys.exit("name a label file, or: pip install --no-deps torchxrayvision")
    return Path(package.submodule_search_locations[0]) / "data" / "siim-pneumothorax-train-rle.csv.gz"
