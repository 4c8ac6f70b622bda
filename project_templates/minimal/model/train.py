"""The model and its config: cross-validates logistic regression on train.csv and predicts test.csv.

Replace it with your own model. At its top, this file may import the standard library only, because coord reads the
config without the libraries of the model. Import those (numpy, torch, ...) inside functions, or in other modules that
`main` imports. `report.py`, `files.py` and `inputs.py` are part of coord and need no change.
"""

from __future__ import annotations

import csv
import json
import math
import os
import platform
import random
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from .files import write_text
from .inputs import find_source, kaggle_root
from .report import Report, metric
from .score import accuracy

METRIC = "accuracy"
"""The column of oof.csv that has its value for each row."""
FREE = ("epochs", "resume_from")
"""Settings that may differ between a run and the run that it continues."""


@dataclass(frozen=True)
class Config:
    """The hyper-parameters: an experiment or `--set` can change these values and no others."""

    source: str = "sample-competition"
    """The attached competition (slug) or data set (owner/slug) with train.csv and test.csv."""
    folds: int = 3
    epochs: int = 20
    """Passes over the training rows."""
    lr: float = 0.5
    """Learning rate."""
    seed: int = 0
    resume_from: str | None = None
    """An attached kernel ("owner/slug") whose output has the weights to continue from."""

    def __post_init__(self) -> None:
        # One line per problem, which begins with the field's name.
        problems = [
            f"folds must be >= 2, is {self.folds}" if self.folds < 2 else "",
            f"epochs must be >= 1, is {self.epochs}" if self.epochs < 1 else "",
            f"lr must be > 0, is {self.lr}" if self.lr <= 0 else "",
        ]
        if any(problems):
            raise ValueError("\n".join(filter(None, problems)))


@dataclass(frozen=True)
class Table:
    """The rows of a CSV file."""

    ids: tuple[str, ...]
    features: tuple[tuple[float, ...], ...]
    targets: tuple[str, ...]
    """"0" or "1" for each row; empty if the file has no targets."""


def main() -> None:
    """Writes folds.csv, fold<k>.json, oof.csv, submission.csv and the metrics into the working directory."""
    config = Config(**json.loads(Path(os.environ["COORD_CONFIG"]).read_text(encoding="utf-8")))
    with Report(
        Path(),
        experiment=os.environ["COORD_EXPERIMENT"],
        run_id=os.environ["COORD_RUN_ID"],
        digest=os.environ["COORD_BUNDLE_DIGEST"],
    ) as report:
        report.update(config=asdict(config), versions={"python": platform.python_version()}, devices=["cpu"])
        run(config, report)


def run(config: Config, report: Report) -> None:
    """Trains one model per fold on the other folds' rows; their mean probability predicts the test rows."""
    folder = find_source(config.source, kaggle_root())
    train, test = read_table(folder / "train.csv"), read_table(folder / "test.csv")
    order = list(range(len(train.ids)))
    random.Random(config.seed).shuffle(order)
    fold_of = {row: place % config.folds for place, row in enumerate(order)}
    write_csv("folds.csv", ["id", "fold"], [[id_, fold_of[row]] for row, id_ in enumerate(train.ids)])

    oof: list[list[Any]] = []
    figures: list[tuple[int, float, int]] = []
    test_sums = [0.0] * len(test.ids)
    for fold in range(config.folds):
        with report.stage("train"):
            weights, rows = train_fold(config, report, fold, train, fold_of)
        test_sums = [
            total + predict(weights, features) for total, features in zip(test_sums, test.features, strict=True)
        ]
        oof += rows
        figures.append((fold, statistics.fmean(row[2] for row in rows), len(rows)))
        report.fold(fold=fold, folds=config.folds, metrics={f"cv/{METRIC}": figures[-1][1]})

    write_csv("oof.csv", ["id", "fold", METRIC, "target", "probability"], sorted(oof))
    labels = [str(int(total / config.folds > 0.5)) for total in test_sums]
    write_csv("submission.csv", ["id", "target"], list(zip(test.ids, labels, strict=True)))
    share = sum(target == "1" for target in train.targets) / len(train.targets)
    report.update(
        primary={"name": f"cv/{METRIC}", "mode": "max", "value": statistics.fmean(row[2] for row in oof)},
        metrics=[metric(f"cv/{METRIC}", "max", figures)],
        baselines=[{"name": "one class", "metric": f"cv/{METRIC}", "value": max(share, 1 - share)}],
        counts={"train": len(train.ids), "test": len(test.ids)},
    )


def train_fold(
    config: Config, report: Report, fold: int, table: Table, fold_of: dict[int, int]
) -> tuple[list[float], list[list[Any]]]:
    """Stochastic gradient descent on the log loss.

    Returns the weights (one per feature, then the bias), and the rows for oof.csv that this fold predicts.
    """
    inside = [row for row in fold_of if fold_of[row] != fold]
    done, weights = earlier_state(config, fold)
    if not weights:
        weights = [0.0] * (len(table.features[0]) + 1)
    rows: list[list[Any]] = []
    for epoch in range(done + 1, config.epochs + 1):
        # The random state depends on seed, fold and epoch only: a continued run gives the same as an uninterrupted one.
        order = list(inside)
        random.Random(f"{config.seed} {fold} {epoch}").shuffle(order)
        loss = 0.0
        for row in order:
            target = float(table.targets[row])
            probability = predict(weights, table.features[row])
            loss -= math.log(max(probability if target else 1 - probability, 1e-12))
            step = config.lr / math.sqrt(epoch) * (target - probability)
            inputs = (*table.features[row], 1.0)
            weights = [weight + step * value for weight, value in zip(weights, inputs, strict=True)]

        # The metric of each epoch gives the learning curve; the rows of the last epoch go into oof.csv.
        rows = []
        for row in (row for row in fold_of if fold_of[row] == fold):
            probability = predict(weights, table.features[row])
            predicted = str(int(probability > 0.5))
            value = accuracy(predicted, table.targets[row])
            rows.append([table.ids[row], fold, value, table.targets[row], f"{probability:.6f}"])
        metrics = {f"val/{METRIC}": statistics.fmean(row[2] for row in rows), "train/loss": loss / len(inside)}
        report.epoch(fold=fold, epoch=epoch, epochs=config.epochs, step=epoch * len(inside), metrics=metrics)
    state = {"epoch": config.epochs, "weights": weights, "config": asdict(config)}
    write_text(Path(f"fold{fold}.json"), json.dumps(state) + "\n")
    return weights, rows


def earlier_state(config: Config, fold: int) -> tuple[int, list[float]]:
    """(epochs done, weights) of this fold in the run that is continued; (0, []) if no run is continued.

    Raises ValueError if that run had another config.
    """
    if config.resume_from is None:
        return 0, []
    file = find_source(config.resume_from, kaggle_root()) / f"fold{fold}.json"
    state = json.loads(file.read_text(encoding="utf-8"))
    if problems := refused(state["config"], asdict(config)):
        raise ValueError(f"{config.resume_from} can't be continued with this config: {'; '.join(problems)}")
    return state["epoch"], state["weights"]


def refused(before: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """The reasons why a run can't be continued with this config; empty if it can. `coord continue` calls it first."""
    fixed = [name for name in now if name not in FREE and now[name] != before.get(name)]
    problems = [f"{name} was {before.get(name)}, is {now[name]}" for name in fixed]
    if now["epochs"] <= before["epochs"]:
        problems.append(f"epochs must be more than the {before['epochs']} that are done, is {now['epochs']}")
    return problems


def predict(weights: Sequence[float], features: Sequence[float]) -> float:
    """The probability of class 1."""
    logit = math.fsum(weight * value for weight, value in zip(weights, (*features, 1.0), strict=True))
    return 1 / (1 + math.exp(-max(min(logit, 60.0), -60.0)))


def read_table(path: Path) -> Table:
    """The first column is the row's id, `target` (if the file has it) its class; all other columns are numbers."""
    with path.open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        name, *others = reader.fieldnames or [""]
        rows = list(reader)
    columns = [each for each in others if each != "target"]
    return Table(
        ids=tuple(row[name] for row in rows),
        features=tuple(tuple(float(row[column]) for column in columns) for row in rows),
        targets=tuple(row["target"] for row in rows) if "target" in others else (),
    )


def write_csv(name: str, header: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Writes a file into the working directory; an earlier one is replaced only when the new one is complete."""
    unfinished = Path(f"{name}.tmp")
    with unfinished.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([header, *rows])
    unfinished.replace(name)


if __name__ == "__main__":
    main()
