"""How values look on a terminal: rich renderables, made of plain values. Printing them is cli.py's job."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from rich.box import SIMPLE
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from coordinator import metrics
from coordinator.experiment import Change, Experiment
from coordinator.ledger import Run
from coordinator.target import RunState

_COLOURS = {
    RunState.COMPLETE: "green",
    RunState.ERROR: "red",
    RunState.REFUSED: "red",
    RunState.CANCELLED: "yellow",
    RunState.RUNNING: "cyan",
    RunState.QUEUED: "cyan",
    RunState.PUSHING: "yellow",
}


def experiments(found: Sequence[Experiment]) -> RenderableType:
    table = _table("experiment", "base", "about", "recorded")
    for item in found:
        recorded = "\n".join(f"{r.metric} {r.value:g} ({r.mode})" for r in item.recorded)
        table.add_row(item.name, item.bases[0] if item.bases else "", item.about, recorded)
    return table


def experiment(item: Experiment) -> RenderableType:
    parts: list[RenderableType] = [Text(f"{item.name}: {item.about}" if item.about else item.name, style="bold")]
    parts.append(Text("bases: " + (" -> ".join(item.bases) or "none")))
    parts.append(Text(f"\nWhat differs from {item.bases[0] if item.bases else 'the defaults'}:"))
    parts.append(_changes(item.changes) if item.changes else Text("  nothing"))
    parts.append(Text("The resolved config:\n"))
    parts.append(Text(_config(item.config)))
    if item.recorded:
        recorded = _table("recorded metric", "better", "value", "note")
        for figure in item.recorded:
            recorded.add_row(figure.metric, figure.mode, f"{figure.value:g}", figure.note)
        parts.append(recorded)
    return Group(*parts)


def runs(found: Sequence[Run]) -> RenderableType:
    table = _table("run", "state", "age", "last reported, and where")
    for run in found:
        last = metrics.describe(run.last_event) if run.last_event else ""
        about = Text("\n".join(filter(None, [metrics.clean(last), metrics.clean(run.message)])))
        about.append(("\n" if about else "") + run.url, style="dim")
        state = Text(run.state.upper(), style=_COLOURS[run.state])
        table.add_row(run.label.replace(" ", "\n"), state, age(run.created_at), about)
    return table


def results(title: str, summary: dict[str, Any]) -> RenderableType:
    """The cross-validation tables of a metrics.json, the baseline beside them, and where the time went."""
    parts: list[RenderableType] = []
    for metric in metrics.metric_tables(summary):
        parts.append(Text(f"{title}: {metric.name} ({_better(metric.mode)})", style="bold"))
        table = _table("fold", metric.name, "images")
        for column in table.columns[1:]:
            column.justify = "right"
        for fold, value, n in metric.folds:
            table.add_row(fold, _figure(value), _count(n))
        table.add_section()
        table.add_row("mean", _figure(metric.mean), _count(metric.n))
        table.add_row("sd", _figure(metric.sd), "")
        if metric.name == metrics.primary_name(summary):
            table.add_row("all images", _figure(metrics.primary_value(summary)), _count(metric.n))
        for name, value in metrics.baselines(summary, metric.name):
            table.add_row(f"baseline {name}", _figure(value), "", style="dim")
        parts.append(table)
    parts.append(Text(metrics.clean(_seconds(summary))))
    error = summary.get("error")
    if isinstance(error, dict):
        parts.append(Text(metrics.clean(f"{error.get('type')}: {error.get('message')}"), style="red"))
    return Group(*parts)


def age(since: str) -> str:
    """How long ago a time of the ledger was: 45s, 12m, 3h, 2d."""
    seconds = int((datetime.now(UTC) - datetime.fromisoformat(since)).total_seconds())
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= size:
            return f"{seconds // size}{unit}"
    return f"{max(seconds, 0)}s"


def _table(*columns: str) -> Table:
    table = Table(box=SIMPLE, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def _changes(changes: Sequence[Change]) -> Table:
    table = _table("path", "base", "here")
    for change in changes:
        table.add_row(change.path, json.dumps(change.base), json.dumps(change.value))
    return table


def _config(config: dict[str, Any], indent: str = "  ") -> str:
    """The config as YAML-like text, nested as it is declared."""
    found = []
    for key, value in config.items():
        if isinstance(value, dict) and value:
            found.append(f"{indent}{key}:\n{_config(value, indent + '  ')}")
        else:
            found.append(f"{indent}{key}: {json.dumps(value)}\n")
    return "".join(found)


def _better(mode: str) -> str:
    return {"max": "higher is better", "min": "lower is better"}.get(mode, mode)


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"


def _count(value: int | None) -> str:
    return "" if value is None else str(value)


def _seconds(summary: dict[str, Any]) -> str:
    total, stages = summary.get("seconds"), summary.get("stages")
    if not isinstance(total, int | float):
        return ""
    parts = [
        f"{name} {value:.0f}"
        for name, value in (stages if isinstance(stages, dict) else {}).items()
        if isinstance(value, int | float) and value >= 0.5
    ]
    return f"{total:.0f} seconds" + (f" ({', '.join(parts)})" if parts else "")
