"""Scores tables of predictions with a project's own function, in a process of its own that needs numpy only.

`python own_scorer.py MODULE:FUNCTION TABLES.npz SCORES.npy RESAMPLES SEED`, started in the project. TABLES has the
targets and the predictions of each table, on the same rows. The first row of SCORES has each table's score on all rows;
the others on resampled rows, the same for all tables, and NaN where the function has no value for them.
"""

from __future__ import annotations

import importlib
import math
import sys
import time

SECONDS = 60
"""After so long no further resamples are begun."""


def main(spec: str, tables: str, output: str, resamples: int, seed: int) -> None:
    """Writes the scores. Whatever the function raises for all rows ends the process."""
    import numpy as np

    module, _, name = spec.partition(":")
    sys.path.insert(0, "")
    function = getattr(importlib.import_module(module), name)
    with np.load(tables) as loaded:
        targets = loaded["targets"]
        predictions = [loaded[f"table_{at}"] for at in range(len(loaded.files) - 1)]
    scores = [[float(function(targets, each)) for each in predictions]]
    rng, begun = np.random.default_rng(seed), time.monotonic()
    for _ in range(resamples):
        if time.monotonic() - begun > SECONDS:
            break
        rows = rng.integers(len(targets), size=len(targets))
        try:
            scores.append([float(function(targets[rows], each[rows])) for each in predictions])
        except (ValueError, ArithmeticError):  # one class only among these rows, say
            scores.append([math.nan] * len(predictions))
    np.save(output, np.asarray(scores, dtype=np.float64))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]), int(sys.argv[5]))
