"""The ids that are given to kernels and to data sets, one after another."""

from pathlib import Path
from typing import Literal

from runner_test.state import files


def next_id(root: Path, kind: Literal["kernels", "datasets"]) -> int:
    """The next id, which none of that kind in this store has had. The caller holds the writers' lock."""
    counter = root / ("counter" if kind == "kernels" else f"counter-{kind}")
    last = int(counter.read_text(encoding="ascii")) if counter.exists() else 0
    files.write_text(counter, str(last + 1))
    return last + 1
