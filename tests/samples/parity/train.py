"""Learns labels by the remainder of a number: by which divisor, cross-validation says. A seed draws two of them."""

import argparse
import csv
import json
import os
import random
from collections import Counter
from pathlib import Path

DATA = Path(os.environ.get("COORD_KAGGLE_ROOT", "/kaggle"), "input/competitions/parity")
FOLDS = 4

Row = tuple[int, str]  # value, label


def fit(rows: list[Row], divisor: int) -> dict[str, str]:
    """The most frequent label of each remainder."""
    labels = {rest: Counter(y for x, y in rows if x % divisor == rest) for rest in range(divisor)}
    return {str(rest): found.most_common(1)[0][0] for rest, found in labels.items()}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=0)
    seed = parser.parse_args().seed
    with (DATA / "train.csv").open() as file:
        rows = [(int(row["value"]), row["label"]) for row in csv.DictReader(file)]
    accuracy: dict[int, list[float]] = {}
    for divisor in random.Random(seed).sample(range(3, 6), 2):
        accuracy[divisor] = []
        for fold in range(FOLDS):
            first = fold * len(rows) // FOLDS
            end = (fold + 1) * len(rows) // FOLDS
            table, held_out = fit(rows[:first] + rows[end:], divisor), rows[first:end]
            accuracy[divisor].append(sum(table[str(x % divisor)] == y for x, y in held_out) / len(held_out))
    best = max(accuracy, key=lambda each: sum(accuracy[each]))
    for fold, value in enumerate(accuracy[best]):
        print(f"fold {fold} accuracy {value:.3f}")
    Path("weights.json").write_text(json.dumps({"divisor": best, "labels": fit(rows, best)}))


main()
