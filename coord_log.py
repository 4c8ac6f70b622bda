"""Reports the metrics of any training program to coord: live while it runs, and in files at its end.

    from coord_log import log

    log(fold=0, epoch=3, auc=0.81)                 # printed, and a line of metrics.jsonl
    log.fold(0, auc=0.83)                          # the value of a whole fold
    log.oof(ids, targets, predictions, fold=0)     # rows of oof.csv
    log.final(auc=0.82, mode="max")                # metrics.json

It uses the standard library only and works without coord: the files are then in the working directory. `coord bundle`
and `coord build` pack it by themselves when the program imports it. Of several processes of one training (torchrun)
only the one with RANK 0 reports. docs/metrics.md describes lines and files.
"""

from __future__ import annotations

import csv
import json
import math
import os
import statistics
import sys
import time
from collections.abc import Iterable, Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

SCHEMA = 1
_WHOLE = ("fold", "folds", "epoch", "epochs", "step", "seed")


class Log:
    """What one program reports. `directory` is the folder of its files."""

    def __init__(self, directory: str | os.PathLike[str] = ".") -> None:
        self._directory = Path(directory)
        self._is_first = os.environ.get("RANK", "0") in ("", "0")
        self._begun: float | None = None
        self._folds: dict[str, dict[int, float]] = {}
        self._rows: dict[int, int] = {}
        self._columns: list[str] | None = None
        self._summary: dict[str, Any] = {}

    def __call__(self, text: str | None = None, /, **values: Any) -> None:
        """Reports an event: where in the training it is (fold, epoch, step, seed), and any numbers as metrics.

        `log("text")` reports a message. `epochs` and `folds` say how many there are. Raises TypeError for a metric that
        is no number; a tensor or an array with one element is one.
        """
        place = {name: _whole(name, values.pop(name)) for name in _WHOLE if values.get(name) is not None}
        metrics = {name: _number(name, value) for name, value in values.items() if value is not None}
        event = "epoch" if "epoch" in place else "fold" if "fold" in place and metrics else "message"
        if event == "fold":
            self._remember(int(place["fold"]), metrics)
        self._event(event, **place, **({"text": str(text)} if text is not None else {}), metrics=metrics)

    def fold(self, fold: int, **metrics: Any) -> None:
        """Reports the values of a whole fold, which become the cross-validation table."""
        self(fold=fold, **metrics)

    def oof(
        self, ids: Iterable[Any], targets: Iterable[Any] | None, predictions: Iterable[Any], *, fold: int = 0
    ) -> None:
        """Appends rows to oof.csv: the predictions for samples that the model of this fold was not trained on.

        `predictions` has a number a row, or a sequence of numbers (a column each). Raises ValueError if the numbers of
        rows or columns do not match.
        """
        ids, predictions = list(ids), [_cells(row) for row in predictions]
        truth = [None] * len(ids) if targets is None else list(targets)
        if not len(ids) == len(truth) == len(predictions):
            raise ValueError(f"{len(ids)} ids, {len(truth)} targets and {len(predictions)} predictions")
        width = {len(row) for row in predictions}
        if len(width) > 1:
            raise ValueError(f"predictions of {min(width)} and of {max(width)} numbers")
        count = width.pop() if width else 1
        names = ["prediction"] if count == 1 else [f"prediction_{number}" for number in range(count)]
        if not self._is_first:
            return
        columns = ["id", "fold", *(["target"] if targets is not None else []), *names]
        is_first = self._columns is None
        if not is_first and columns != self._columns:
            raise ValueError(f"earlier rows had the columns {self._columns}, these have {columns}")
        self._columns = columns
        with (self._directory / "oof.csv").open("w" if is_first else "a", encoding="utf-8", newline="") as file:
            rows = csv.writer(file)
            if is_first:
                rows.writerow(columns)
            for identity, target, row in zip(ids, truth, predictions):
                rows.writerow([identity, fold, *([_plain(target)] if targets is not None else []), *row])
        self._rows[fold] = self._rows.get(fold, 0) + len(ids)

    def final(self, *, mode: str, config: Mapping[str, Any] | None = None, **metrics: Any) -> None:
        """Reports the result of the whole program; the first metric is the one by which runs are compared.

        `mode` is "max" if a larger value is better, else "min". Writes metrics.json. Raises ValueError for another
        mode, or without a metric.
        """
        if mode not in ("max", "min"):
            raise ValueError(f'mode must be "max" or "min", is {mode!r}')
        numbers = {name: _number(name, value) for name, value in metrics.items()}
        if not numbers:
            raise ValueError("log.final needs a metric, for example log.final(auc=0.82, mode='max')")
        name, value = next(iter(numbers.items()))
        self._summary = {
            "schema": SCHEMA,
            "status": "complete",
            "primary": {"name": name, "mode": mode, "value": _finite(value)},
            "metrics": [self._metric(each, mode, number) for each, number in numbers.items()],
            "config": dict(config or {}),
        }
        self._event("end", status="complete", metrics=numbers)
        self._write_summary()

    def _metric(self, name: str, mode: str, value: float) -> dict[str, Any]:
        folds = sorted(self._folds.get(name, {}).items())
        values = [each for _, each in folds if math.isfinite(each)]
        return {
            "name": name,
            "mode": mode,
            "folds": [{"fold": fold, "value": _finite(each), "n": self._rows.get(fold)} for fold, each in folds],
            "mean": statistics.fmean(values) if values else _finite(value),
            "sd": statistics.stdev(values) if len(values) > 1 else None,
            "n": sum(self._rows.values()) or None,
        }

    def _remember(self, fold: int, metrics: Mapping[str, float]) -> None:
        for name, value in metrics.items():
            self._folds.setdefault(name, {})[fold] = value

    def _event(self, event: str, **values: Any) -> None:
        first = self._begun is None
        if self._begun is None:  # the program's first event
            self._begun = time.monotonic()
            self._started = datetime.now(timezone.utc).isoformat(timespec="seconds")
        if not self._is_first:
            return
        values["metrics"] = {name: _finite(value) for name, value in values.get("metrics", {}).items()}
        line = json.dumps({"event": event, "time": round(time.monotonic() - self._begun, 3), **values})
        with (self._directory / "metrics.jsonl").open("w" if first else "a", encoding="utf-8", newline="\n") as file:
            file.write(line + "\n")
        sys.stderr.flush()
        # A progress bar may have left an unfinished line: an event begins a line of its own.
        print(f"\nCOORD {line}", flush=True)

    def _write_summary(self) -> None:
        if not self._is_first:
            return
        summary = {
            **self._summary,
            "experiment": os.environ.get("COORD_EXPERIMENT", ""),
            "run_id": os.environ.get("COORD_RUN_ID", ""),
            "digest": os.environ.get("COORD_BUNDLE_DIGEST", ""),
            "started": self._started,
            "seconds": round(time.monotonic() - (self._begun or 0.0), 3),
        }
        unfinished = self._directory / f".metrics.json.{os.getpid()}"
        unfinished.write_bytes((json.dumps(summary, indent=2) + "\n").encode("utf-8"))
        unfinished.replace(self._directory / "metrics.json")


def _number(name: str, value: Any) -> float:
    try:
        return float(value.item() if hasattr(value, "item") else value)
    except (TypeError, ValueError) as error:
        raise TypeError(f"{name} is no number: {value!r}") from error


def _whole(name: str, value: Any) -> int | float:
    number = _number(name, value)
    return int(number) if number.is_integer() else number


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _cells(row: Any) -> list[Any]:
    """A row of predictions as a list, from a number, a sequence, a row of an array or a tensor."""
    plain = _plain(row)
    return list(plain) if isinstance(plain, list | tuple) else [plain]


def _plain(value: Any) -> Any:
    return value.tolist() if hasattr(value, "tolist") else value


log = Log()
"""The report of this program, in its working directory."""
