"""The competition's metric: the share of rows whose target is right. Replace it with your competition's metric."""

from __future__ import annotations

import csv
import statistics
from collections.abc import Collection
from pathlib import Path


def accuracy(predicted: str, truth: str) -> float:
    """The score of one row: 1 if the prediction is right, else 0."""
    return float(predicted.strip() == truth.strip())


def score(submission: Path, solution: Path, ids: Collection[str]) -> float:
    """The mean accuracy over `ids`, a part of the solution's rows (`[tool.coord] scorer`).

    Raises ValueError, with a description, if the submission lacks a row or has a row that the solution lacks.
    """
    given, right = _targets(submission), _targets(solution)
    for what, names in (("no row for", right.keys() - given.keys()), ("a row for", given.keys() - right.keys())):
        if names:
            raise ValueError(f"the submission has {what} {min(names)}")
    return statistics.fmean(accuracy(given[each], right[each]) for each in ids)


def _targets(path: Path) -> dict[str, str]:
    with Path(path).open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        if reader.fieldnames != ["id", "target"]:
            raise ValueError(f"the columns must be id and target, are {', '.join(reader.fieldnames or ['none'])}")
        return {row["id"]: row["target"] for row in reader}
