"""Renders a report as one HTML page that loads nothing: styles, script, charts and pictures are inside it.

A Content-Security-Policy in it names the hashes of its own style and script and forbids everything else, so that not
even text that slipped through as markup could load or run anything.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any

import jinja2
from markupsafe import Markup

from coordinator.experiment import Recorded
from coordinator.metrics import MetricTable
from coordinator.report import charts
from coordinator.report.material import Curve, Item, differences, recorded_rows

_CURVES = 4  # charts of one run
_COMPARED = 8  # lines in a chart of several runs


@dataclass(frozen=True)
class Board:
    """The runs that share a primary metric, the best first."""

    metric: str
    mode: str
    items: tuple[Item, ...]

    @property
    def direction(self) -> str:
        return {"max": "higher is better", "min": "lower is better"}.get(self.mode, "direction not known")


def boards(items: Sequence[Item]) -> list[Board]:
    """The leaderboards; runs with no result are in none."""
    grouped: dict[tuple[str, str], list[Item]] = {}
    for item in items:
        if item.primary is not None and item.value is not None:
            grouped.setdefault((item.primary.name, item.primary.mode), []).append(item)
    return [
        Board(name, mode, tuple(sorted(found, key=lambda item: (item.value or 0.0) * (1 if mode == "min" else -1))))
        for (name, mode), found in grouped.items()
    ]


def render(
    items: Sequence[Item], recorded: Mapping[str, Sequence[Recorded]], *, title: str, made_at: str, version: str
) -> str:
    """The page's text. The same arguments give the same text."""
    environment = jinja2.Environment(
        undefined=jinja2.StrictUndefined, autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["figure"] = _figure
    style, script = _file("report.css"), _file("report.js")
    ranked = boards(items)
    shown = {item.run.id for board in ranked for item in board.items}
    return environment.from_string(_file("report.html.j2")).render(
        title=title,
        made_at=made_at,
        version=version,
        style=Markup(style),
        script=Markup(script),
        style_hash=_hash(style),
        script_hash=_hash(script),
        items=items,
        boards=ranked,
        without=[item for item in items if item.run.id not in shown],
        recorded=recorded_rows(recorded),
        differences=differences(items) if len(items) > 1 else [],
        compared=[(board, _compared(board)) for board in ranked],
        spread=[(board, _spread(board)) for board in ranked],
        against=[(board, _against(board)) for board in ranked],
        curves=_run_curves,
        bar=charts.bar,
    )


def _figure(value: Any) -> str:
    return "" if value is None else f"{value:.4f}" if isinstance(value, float) else str(value)


def _file(name: str) -> str:
    return resources.files("coordinator.report").joinpath(name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode("ascii")


def _spread(board: Board) -> Markup:
    def folds(table: MetricTable | None) -> list[tuple[str, float]]:
        return [(fold, value) for fold, value, _ in table.folds if value is not None] if table else []

    rows = [(item.label, folds(item.primary), item.value) for item in board.items]
    return charts.spread(f"{board.metric} by fold", rows)


def _against(board: Board) -> Markup:
    points = [
        (item.label, item.value, item.score.public)
        for item in board.items
        if item.value is not None and item.score.public is not None
    ]
    return charts.scatter(f"{board.metric} against the public score", points, x_label=board.metric)


def _compared(board: Board) -> Markup:
    """The primary metric's validation curve, each run's mean over its folds; the best runs only."""
    name = "val/" + board.metric.rpartition("/")[2]
    series = {item.label: _mean(list(item.curves[name].values())) for item in board.items if name in item.curves}
    return charts.lines(f"{name} by epoch", dict(list(series.items())[:_COMPARED]), x_label="epoch")


def _mean(lines: Sequence[Curve]) -> Curve:
    """At each epoch, the mean over the lines that have a value there."""
    at: dict[float, list[float]] = {}
    for line in lines:
        for x, y in line:
            at.setdefault(x, []).append(y)
    return [(x, sum(at[x]) / len(at[x])) for x in sorted(at)]


def _run_curves(item: Item) -> list[tuple[str, Markup]]:
    names = sorted(item.curves, key=lambda name: (name.startswith("train/") and name != "train/loss",))
    return [(name, charts.lines(f"{name} by epoch", item.curves[name], x_label="epoch")) for name in names[:_CURVES]]
