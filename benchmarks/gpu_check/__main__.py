"""Measures on a graphics card what the tests, which have none, cannot show; prints a table.

    python -m benchmarks.gpu_check [--budget SECONDS] [--json FILE] [--device cuda|cpu] [--size full|tiny]

Exit code 0: all was measured, and what has to hold holds; 1: something failed, or there was no time for it; 2: no card.
With "--device cpu" the processor stands in: that tests this program, and its figures say nothing about a card.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

import torch

from benchmarks.gpu_check import pair, runs, steps
from benchmarks.gpu_check.bench import SIZES, Bench
from benchmarks.gpu_check.budget import INCOMPLETE, Part, Row, run_part
from benchmarks.measure import machine, print_table

PARTS = (
    steps.STEP,
    runs.LOADER,
    runs.ORACLE,
    runs.RESUME,
    runs.RESUME_EXACTLY,
    steps.DETERMINISTIC,
    pair.REFUSAL,
    pair.PAIR,
)


def find_card(bench: Bench, _: float) -> Iterator[Row]:
    """The card, or that there is none."""
    if bench.device == "cpu":
        yield Row("device", note="the processor stands in for a card")
    elif torch.cuda.is_available():
        card = torch.cuda.get_device_properties(0)
        count, memory = torch.cuda.device_count(), card.total_memory / 2**30
        note = f"{count} x {card.name}, {memory:.1f} GiB, compute capability {card.major}.{card.minor}"
        yield Row("device", note=f"{note}, CUDA {torch.version.cuda}")
    else:
        yield Row("device", status="not here")


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure every part, print the table, write the file; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu_check", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--budget", type=float, default=280, metavar="SECONDS", help="for all parts together (280)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the rows to a file, too")
    parser.add_argument("--device", choices=["cuda", "cpu"], default="cuda")
    parser.add_argument("--size", choices=SIZES, default="full", help="tiny is for a test of this program")
    given = parser.parse_args(arguments)
    end = time.monotonic() + given.budget
    with tempfile.TemporaryDirectory(prefix="coord-gpu-check-") as folder:
        bench = Bench(Path(folder), given.device, SIZES[given.size])
        (device,) = run_part(Part("device", 1, ("device",), find_card), bench, 60)
        if device.status != "measured":
            why = device.note or f"torch {torch.__version__} finds no graphics card with CUDA on this machine"
            print(f"gpu-check: {why}; nothing was measured", file=sys.stderr)
            return 2
        bench.draw()
        found = list(measured(bench, end))
    print(f"{device.note}; torch {torch.__version__}, {machine()}.\n")
    print_table(["measured", "value", "unit", "result", "note"], [cells(row) for row in found])
    if given.json:
        text = json.dumps({"device": device.note, "torch": torch.__version__, "rows": [asdict(row) for row in found]})
        given.json.write_text(text + "\n", encoding="utf-8")
    lacking = [row for row in found if row.status in INCOMPLETE]
    taken = given.budget - (end - time.monotonic())
    print(f"\n{len(found)} rows in {taken:.0f} s, {len(lacking)} of them failed or not measured.")
    for row in lacking:
        print(f"gpu-check: {row.part}, {row.what}: {row.status}: {row.note}", file=sys.stderr)
    return 1 if lacking else 0


def measured(bench: Bench, end: float) -> Iterator[Row]:
    """The rows of all parts. Each part has its share of the time that is left."""
    for place, part in enumerate(PARTS):
        share = part.share / sum(each.share for each in PARTS[place:])
        yield from run_part(part, bench, max(0.0, end - time.monotonic()) * share)


def cells(row: Row) -> list[str]:
    """A row of the table."""
    value = "" if row.value is None else f"{row.value:.4g}"
    return [f"{row.part}: {row.what}", value, row.unit, row.status, row.note]


if __name__ == "__main__":
    sys.exit(main())
