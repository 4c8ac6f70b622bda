"""The settings about results: how metrics are read from what a program leaves, and what a sweep knows of the config."""

from __future__ import annotations

import dataclasses
import re
from pathlib import PurePosixPath
from typing import Literal

from coordinator.errors import did_you_mean

SCORES = ("auc", "rmse", "mae", "logloss", "accuracy", "qwk")
"""The scores that coord computes itself; `results/scores.py` has their formulas."""


@dataclasses.dataclass(frozen=True)
class PrimaryMetric:
    """The metric by which runs are compared."""

    name: str
    """Its name, as the program writes it.

    Example: "val/auc"
    """
    mode: Literal["max", "min"]
    """The direction in which it is better.

    Example: "max"
    """


def _check_below(setting: str, patterns: str | tuple[str, ...]) -> None:
    """Raises ValueError unless these are files of the output."""
    for pattern in (patterns,) if isinstance(patterns, str) else patterns:
        path = PurePosixPath(pattern)
        if not pattern or path.is_absolute() or ".." in path.parts:
            raise ValueError(f'{setting} must be below the output, as "oof.csv" or "logs/*.csv", is "{pattern}"')


@dataclasses.dataclass(frozen=True)
class OutOfFoldSettings:
    """The table of out-of-fold predictions: CSV, parquet or npy files of the output, and their columns."""

    file: str = "oof.csv"
    """A shell pattern such as "oof_fold*.csv" is one table in several files."""
    id: str = "id"
    """An empty name is the column without a name (an index of pandas); without that one, rows are counted."""
    fold: str | None = None
    """By default the column "fold", if there is one.

    Example: "fold"
    """
    target: str = "target"
    """The column with the truth."""
    prediction: str | tuple[str, ...] = ("prediction", "prediction_*")
    """One column or several, also by shell patterns, such as "prob_*"."""

    def __post_init__(self) -> None:
        _check_below("file", self.file)


@dataclasses.dataclass(frozen=True)
class MetricsSettings:
    """How metrics are read from what a program leaves, if it does not write coord's metrics.json: docs/metrics.md."""

    primary: PrimaryMetric | None = None
    """The metric by which runs are compared; by default the first that the program names as such."""
    modes: dict[str, Literal["max", "min"]] = dataclasses.field(default_factory=dict)
    """Directions of other metrics, by name.

    Example: {"val/loss" = "min"}
    """
    read: Literal["coord", "events", "json", "csv", "trainer_state", "boosting", "line"] | None = None
    """The reader; by default the first that finds metrics.

    Example: "csv"
    """
    file: str | tuple[str, ...] | None = None
    """Files of the output with metrics, such as "logs/fold*/metrics.csv"; shell patterns.

    Example: "logs/fold*/metrics.csv"
    """
    line: str | tuple[str, ...] = ()
    r"""Regular expressions with named groups, searched in each line of the log: fold, epoch, step and seed say where in
    the training it is; every other group is a metric, or `name` and `value` together are one.

    Example: 'auc (?P<auc>[\d.]+)'
    """
    epoch: Literal["last", "best"] = "last"
    """Which epoch's values are the fold's. "best" by the primary metric is optimistic: it was chosen by that value."""
    rows: str = "rows"
    """What the rows of out-of-fold predictions are, in the plural: "images"."""
    oof: OutOfFoldSettings | None = None
    """Where out-of-fold predictions are; by default in oof.csv, with columns as coord_log writes them."""
    score: str | None = None
    """How a whole table of predictions is scored in the primary metric: auc, rmse, mae, logloss, accuracy, qwk, or the
    project's own "module:function", which gets (targets, predictions) and returns a float.

    Example: "auc"
    """

    @property
    def table(self) -> OutOfFoldSettings | None:
        """Where the predictions are that are scored; None if coord's own oof.csv has a value of each row."""
        return self.oof or (OutOfFoldSettings() if self.score else None)

    @property
    def lines(self) -> tuple[str, ...]:
        """The expressions of `line` that are searched: none if the lines of boosting libraries are to be read."""
        if self.read == "boosting":
            return ()
        return (self.line,) if isinstance(self.line, str) else self.line

    def __post_init__(self) -> None:
        if self.file is not None:
            _check_below("file", self.file)
        if self.score is not None and self.score not in SCORES and not re.fullmatch(r"[\w.]+:\w+", self.score):
            near = did_you_mean(self.score, SCORES)
            raise ValueError(f'score "{self.score}" is none of {", ".join(SCORES)}{near}, and no module:function')
        for pattern in (self.line,) if isinstance(self.line, str) else self.line:
            try:
                groups = re.compile(pattern).groupindex
            except re.error as error:
                raise ValueError(f"line is no regular expression: {error}: {pattern}") from None
            if not set(groups) - {"fold", "folds", "epoch", "epochs", "step", "seed"}:
                raise ValueError(f"line needs a named group with a metric, such as (?P<auc>[\\d.]+): {pattern}")


@dataclasses.dataclass(frozen=True)
class SweepSettings:
    """What `coord sweep` has to know about the config, as dotted paths."""

    seed: str = "seed"
    """The seed, which `--seeds` counts up."""
    fold_seed: str | None = None
    """The seed of the folds, if it is not null: `--seeds` sets it so that all runs have the same folds.

    Example: "folds.seed"
    """
    fold_count: str | None = None
    """How many folds there are, for `--split-folds`.

    Example: "folds.n"
    """
    folds: str | None = None
    """The list of the folds to run, counted from 0; empty = all.

    Example: "folds.run"
    """
    of_all_folds: tuple[str, ...] = ()
    """Metrics, and columns of oof.csv, that are computed from all folds together, for example with a threshold chosen
    on them: what runs of single folds have under these names is dropped when they are merged.

    Example: ["cv/dice_chosen"]
    """
    merge: str | None = None
    """Module that works these out: `python -m MODULE MERGED FOLDER...` completes metrics.json and oof.csv in the first
    folder from what the folds' runs have left in the others.

    Example: "model_src.merge"
    """
