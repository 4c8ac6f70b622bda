"""What a run leaves for its reader: events as they happen, and one summary that is always up to date.

`metrics.jsonl` has one event a line, each of which is also printed as `COORD {json}`, so that a live log shows it.
`metrics.json` is the summary. Both are replaced as a whole, so a reader never sees half a file, and a run that dies
leaves what it had.
"""

from __future__ import annotations

import contextlib
import json
import math
import statistics
import time
import traceback
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

from ..files import finite, write_text

SCHEMA = 1

Mode = Literal["max", "min"]


class Report:
    """Use as a context manager around the run: what goes wrong inside is recorded, and then goes on.

    `directory` is where the files go; the other three say which run this is. `stage` times a part of the work.
    """

    def __init__(self, directory: Path, *, experiment: str, run_id: str, digest: str) -> None:
        self._directory = directory
        self._started = time.monotonic()
        self._lines: list[str] = []
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
        self._event("start", **self._identity)
        self.update()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self._end(self._outcome)
            return
        self._summary["error"] = described(error)
        self._end("error")

    def update(self, **parts: Any) -> None:
        """Set parts of the summary by their names in the file, and write it."""
        unknown = parts.keys() - self._summary.keys()
        if unknown:
            raise KeyError(f"no such part of metrics.json: {', '.join(sorted(unknown))}")
        self._summary.update(parts)
        self._summary["seconds"] = self._seconds()
        write_text(self._directory / "metrics.json", json.dumps(finite(self._summary), indent=2) + "\n")

    def resumed(self, **place: Any) -> None:
        """The run goes on from an earlier one, here; of several folds that do, the first is in the summary."""
        if self._summary["resumed"] is None:
            self.update(resumed=place)

    def extend(self, **parts: Sequence[Mapping[str, Any]]) -> None:
        """Add to those parts of the summary that are lists, and write it."""
        self.update(**{name: [*self._summary[name], *more] for name, more in parts.items()})

    @contextlib.contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Add the seconds spent inside to a stage's; stages may be entered many times, but not in one another."""
        begun = time.monotonic()
        try:
            yield
        finally:
            self._stages[name] = round(self._stages.get(name, 0.0) + time.monotonic() - begun, 3)

    def incomplete(self, text: str) -> None:
        """The run ends here by its own settings, before it is finished."""
        self._outcome = "incomplete"
        self.message(text)

    def message(self, text: str) -> None:
        """Something that a reader of the run should know."""
        self._event("message", text=text)

    def epoch(
        self, *, fold: int, epoch: int, epochs: int, step: int, metrics: Mapping[str, float], seed: int | None = None
    ) -> None:
        """An epoch is over; `epoch` counts from 1, `step` all of the fold's optimizer steps.

        `seed` is that of a repeat; None = the first.
        """
        self._event("epoch", **_of(seed), fold=fold, epoch=epoch, epochs=epochs, step=step, metrics=dict(metrics))
        self.update()

    def fold(self, *, fold: int, folds: int, metrics: Mapping[str, float], seed: int | None = None) -> None:
        """A fold is over; `folds` is how many there are, `seed` as for an epoch."""
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
        print(f"COORD {line}", flush=True)

    def _seconds(self) -> float:
        return round(time.monotonic() - self._started, 3)


def described(error: BaseException) -> dict[str, str]:
    """What went wrong, as the summary has it."""
    return {
        "type": type(error).__name__,
        "message": str(error),
        "traceback": "".join(traceback.format_exception(error)),
    }


def blame(directory: Path, error: Mapping[str, Any]) -> None:
    """Put what went wrong in another process into the summary there, whose own process ended because of it."""
    file = directory / "metrics.json"
    if file.is_file():
        summary = json.loads(file.read_text(encoding="utf-8"))
        write_text(file, json.dumps({**summary, "status": "error", "error": dict(error)}, indent=2) + "\n")


def _of(seed: int | None) -> dict[str, int]:
    """What an event says about the repeat that it is of: nothing in the first."""
    return {} if seed is None else {"seed": seed}


def metric(name: str, mode: Mode, folds: Sequence[tuple[int, float, int]]) -> dict[str, Any]:
    """A cross-validated metric as the summary holds it, from (fold, value, images) of each fold.

    `mean` and `sd` (of the sample) are over the folds' values; folds without a value don't count.
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
    """A metric over repeats as the summary holds it, from its value under each seed; `sd` is of the sample."""
    return {
        "metric": name,
        "mode": mode,
        "values": [{"seed": seed, "value": value} for seed, value in values.items()],
        "mean": statistics.fmean(values.values()),
        "sd": statistics.stdev(values.values()) if len(values) > 1 else None,
        "n": len(values),
    }


def is_better(value: float, best: float | None, mode: Mode) -> bool:
    """Whether a metric's value beats the best so far; anything beats none and not-a-number."""
    if best is None or math.isnan(best):
        return True
    return value > best if mode == "max" else value < best


def best_place(values: Sequence[float], mode: Mode) -> int:
    """The place of the best value, of equals the first."""
    best = 0
    for place, value in enumerate(values[1:], start=1):
        if is_better(value, values[best], mode):
            best = place
    return best
