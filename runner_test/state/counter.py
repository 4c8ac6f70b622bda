"""The ids that are given to kernels and data sets, one after another."""

from pathlib import Path

from runner_test.state import files


def next_id(root: Path) -> int:
    """The next id, which no kernel or data set of this store has had. The caller holds the writers' lock."""
    counter = root / "counter"
    last = int(counter.read_text(encoding="ascii")) if counter.exists() else 0
    files.write_text(counter, str(last + 1))
    return last + 1
