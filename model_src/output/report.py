"""The report of a run: events as they happen, and a summary that is always up to date.

`metrics.jsonl` has one event per line, which is also printed as `COORD {json}`, so that a live log shows it: on a line
of its own even if the program has not finished its line (a progress bar).
`metrics.json` is the summary. Both files are replaced as a whole, so that a reader never sees an incomplete file, and a
run that is killed leaves the state of its last event.
"""

from __future__ import annotations

import contextlib
import json
import math
import statistics
import sys
import time
import traceback
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self, TextIO, cast

from ..files import finite, write_text

SCHEMA = 1

Mode = Literal["max", "min"]


class Report:
    """A context manager around the run, which records an exception and raises it again.

    `directory` is the folder of the two files; the other arguments identify the run.
    """

    def __init__(self, directory: Path, *, experiment: str, run_id: str, digest: str) -> None:
        self._directory = directory
        self._started = time.monotonic()
        self._lines: list[str] = []
        self._watch = contextlib.ExitStack()
        self._outcome = "complete"
        self._stages: dict[str, float] = {}
        self._identity = {"experiment": experiment, "run_id": run_id, "digest": digest}
        self._summary: dict[str, Any] = {
            "schema": SCHEMA,
            "status": "running",
            "error": None,
            **self._identity,
            "started": datetime.now(UTC).isoformat(timespec="seconds"),
            "seconds": 0.0,
            "primary": None,
            "metrics": [],
            "baselines": [],
            "repeats": None,
            "thresholds": {},
            "choice": None,
            "ablation": [],
            "oracle": None,
            "profile": None,
            "stages": self._stages,
            "versions": {},
            "devices": [],
            "counts": {},
            "config": {},
            "resumed": None,
            "stopped": None,
        }

    def __enter__(self) -> Self:
        self._watch.enter_context(contextlib.redirect_stdout(cast(TextIO, _Watched(sys.stdout))))
        self._event("start", **self._identity)
        self.update()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._watch:
            if error is not None:
                self._summary["error"] = described(error)
            self._end(self._outcome if error is None else "error")

    def update(self, **parts: Any) -> None:
        """Set parts of the summary by their names in the file, and write it. Raises KeyError for an unknown name."""
        unknown = parts.keys() - self._summary.keys()
        if unknown:
            raise KeyError(f"unknown part of metrics.json: {', '.join(sorted(unknown))}")
        self._summary.update(parts)
        self._summary["seconds"] = self._seconds()
        write_text(self._directory / "metrics.json", json.dumps(finite(self._summary), indent=2) + "\n")

    def resumed(self, **place: Any) -> None:
        """Record where the run continues an earlier one; the summary has the first place only."""
        if self._summary["resumed"] is None:
            self.update(resumed=place)

    def extend(self, **parts: Sequence[Mapping[str, Any]]) -> None:
        """Append to parts of the summary that are lists, and write it."""
        self.update(**{name: [*self._summary[name], *more] for name, more in parts.items()})

    @contextlib.contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Add the seconds in the block to a stage. A stage may be entered several times; stages must not be nested."""
        begun = time.monotonic()
        try:
            yield
        finally:
            self._stages[name] = round(self._stages.get(name, 0.0) + time.monotonic() - begun, 3)

    def incomplete(self, text: str) -> None:
        """Record that the run ends before it is finished, because its own settings limit it."""
        self._outcome = "incomplete"
        self.message(text)

    def message(self, text: str) -> None:
        """Write an event with a message for the log."""
        self._event("message", text=text)

    def epoch(
        self, *, fold: int, epoch: int, epochs: int, step: int, metrics: Mapping[str, float], seed: int | None = None
    ) -> None:
        """Write an event at the end of an epoch.

        `epoch` counts from 1, `step` is the number of optimizer steps of the fold. `seed` is the seed of a repeat; None
        = the first one.
        """
        self._event("epoch", **_of(seed), fold=fold, epoch=epoch, epochs=epochs, step=step, metrics=dict(metrics))
        self.update()

    def fold(self, *, fold: int, folds: int, metrics: Mapping[str, float], seed: int | None = None) -> None:
        """Write an event at the end of a fold; `folds` is the number of folds, `seed` as in `epoch`."""
        self._event("fold", **_of(seed), fold=fold, folds=folds, metrics=dict(metrics))
        self.update()

    def _end(self, status: str) -> None:
        self._summary["status"] = status
        values = {each["name"]: each["value"] for each in [self._summary["primary"]] if each}
        values |= {f"baseline/{each['name']}": each["value"] for each in self._summary["baselines"]}
        self._event("end", status=status, metrics=values)
        self.update()

    def _event(self, event: str, **values: Any) -> None:
        line = json.dumps(finite({"event": event, "time": self._seconds(), **values}), allow_nan=False)
        self._lines.append(line)
        write_text(self._directory / "metrics.jsonl", "".join(f"{each}\n" for each in self._lines))
        unfinished = isinstance(sys.stdout, _Watched) and not sys.stdout.is_at_start
        # In one write, so that no other process of the session can write between the text and its newline.
        print("\n" * unfinished + f"COORD {line}\n", end="", flush=True)

    def _seconds(self) -> float:
        return round(time.monotonic() - self._started, 3)


class _Watched:
    """A stream that knows whether its last line is finished."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.is_at_start = True

    def write(self, text: str) -> int:
        if text:
            self.is_at_start = text.endswith("\n")
        return self._stream.write(text)

    def writelines(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def described(error: BaseException) -> dict[str, str]:
    """An exception as it is in the summary."""
    return {
        "type": type(error).__name__,
        "message": str(error),
        "traceback": "".join(traceback.format_exception(error)),
    }


def replace_error(directory: Path, error: Mapping[str, Any]) -> None:
    """Replace the error in a summary by that of another process, which was its cause."""
    file = directory / "metrics.json"
    if file.is_file():
        summary = json.loads(file.read_text(encoding="utf-8"))
        write_text(file, json.dumps({**summary, "status": "error", "error": dict(error)}, indent=2) + "\n")


def _of(seed: int | None) -> dict[str, int]:
    """The seed of a repeat as a part of an event; empty for the first one."""
    return {} if seed is None else {"seed": seed}


def metric(name: str, mode: Mode, folds: Sequence[tuple[int, float, int]]) -> dict[str, Any]:
    """A cross-validated metric as it is in the summary, from (fold, value, number of images) of each fold.

    `mean` and `sd` (sample standard deviation) are over the finite values of the folds.
    """
    values = [value for _, value, _ in folds if math.isfinite(value)]
    return {
        "name": name,
        "mode": mode,
        "folds": [{"fold": fold, "value": value, "n": n} for fold, value, n in folds],
        "mean": statistics.fmean(values) if values else None,
        "sd": statistics.stdev(values) if len(values) > 1 else None,
        "n": sum(n for _, _, n in folds),
    }


def spread(name: str, mode: Mode, values: Mapping[int, float]) -> dict[str, Any]:
    """A metric over repeats as it is in the summary, from its value for each seed; `sd` as in `metric`."""
    return {
        "metric": name,
        "mode": mode,
        "values": [{"seed": seed, "value": value} for seed, value in values.items()],
        "mean": statistics.fmean(values.values()),
        "sd": statistics.stdev(values.values()) if len(values) > 1 else None,
        "n": len(values),
    }


def is_better(value: float, best: float | None, mode: Mode) -> bool:
    """Whether a value is better than the best so far; every value is better than None and NaN."""
    if best is None or math.isnan(best):
        return True
    return value > best if mode == "max" else value < best


def best_place(values: Sequence[float], mode: Mode) -> int:
    """The index of the best value; ties: the first one."""
    best = 0
    for place, value in enumerate(values[1:], start=1):
        if is_better(value, values[best], mode):
            best = place
    return best
