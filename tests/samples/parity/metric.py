"""The competition's metric."""

import csv
from collections.abc import Collection
from pathlib import Path


def accuracy(submission: Path, solution: Path, ids: Collection[str]) -> float:
    """The share of the ids with the right label; ValueError for a submission that lacks an id."""
    given, right = _labels(submission), _labels(solution)
    if missing := [each for each in right if each not in given]:
        raise ValueError(f"{submission} has no row for {missing[0]}")
    return sum(given[each] == right[each] for each in ids) / len(ids)


def _labels(file: Path) -> dict[str, str]:
    with file.open(newline="") as rows:
        return {row["id"]: row["label"] for row in csv.DictReader(rows)}
