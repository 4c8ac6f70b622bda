"""Learning curves of a run, drawn from the events that it has reported."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from .charts import Line, line_chart, save_png

PANELS = (("val/dice", "Dice of the pictures outside the fold"), ("train/loss", "Mean training loss of the epoch"))


def write_curves(output: Path) -> None:
    """Writes learning.png from the epochs in metrics.jsonl: one curve a fold. Does nothing before the first epoch.

    Only the first repeat's, whose events have no seed.
    """
    lines = (output / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    epochs = [event for event in map(json.loads, lines) if event["event"] == "epoch" and "seed" not in event]
    panels = [(heading, curves(epochs, metric)) for metric, heading in PANELS]
    drawn = [(heading, found) for heading, found in panels if found]
    if drawn:
        save_png(output / "learning.png", line_chart("Learning curves", "epoch", drawn))


def curves(epochs: Iterable[dict[str, Any]], metric: str) -> list[Line]:
    """One curve a fold, of the epochs that have a number for the metric."""
    points: dict[int, list[tuple[float, float]]] = {}
    for event in epochs:
        value = event["metrics"].get(metric)
        if value is not None:
            points.setdefault(event["fold"], []).append((event["epoch"], value))
    return [Line(f"fold {fold}", tuple(points[fold])) for fold in sorted(points)]
