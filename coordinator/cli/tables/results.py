"""What a run has found, on a terminal: the cross-validation of a metrics.json, and what is worth knowing beside it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from coordinator.cli.tables.runs import new_table
from coordinator.results import summary as metrics

_COLUMNS = 3  # metrics side by side: a terminal has 80 characters


def results(title: str, summary: dict[str, Any]) -> RenderableType:
    """The cross-validation table of a metrics.json, the baseline below it, and where the time went."""
    parts: list[RenderableType] = []
    found = metrics.metric_tables(summary)
    if found:
        parts.append(Text(f"{title}, cross-validation", style="bold"))
        # What was measured apart from the folds has images of its own.
        for group in ([each for each in found if each.folds], [each for each in found if not each.folds]):
            for start in range(0, len(group), _COLUMNS):
                parts.append(_cross_validation(group[start : start + _COLUMNS], summary))
    repeats = metrics.repeats(summary)
    if repeats is not None:
        parts.append(Text(_spread(repeats)))
    if ablated := metrics.ablation(summary):
        parts += _ablation(ablated)
    found_bottlenecks = metrics.bottlenecks(summary)
    if found_bottlenecks is not None and found_bottlenecks.alone:
        parts += _bottlenecks(found_bottlenecks)
    parts.append(Text(metrics.clean(_seconds(summary))))
    if summary.get("status") not in ("complete", "error"):
        status = metrics.clean(f"the run says that it is {summary.get('status')}: these are its figures so far")
        parts.append(Text(status, style="yellow"))
    error = summary.get("error")
    if isinstance(error, dict):
        parts.append(Text(metrics.clean(f"{error.get('type')}: {error.get('message')}"), style="red"))
    return Group(*parts)


def _cross_validation(found: Sequence[metrics.MetricTable], summary: dict[str, Any]) -> Table:
    """A row a fold, a column a metric; `images` counts those of the first metric."""
    primary = found[0]
    table = new_table("fold", "images", *(f"{metric.name}\n{_better(metric.mode)}" for metric in found))
    for column in table.columns[1:]:
        column.justify = "right"
    values = [{fold: value for fold, value, _ in metric.folds} for metric in found]
    for fold, _, n in primary.folds:
        table.add_row(fold, _count(n), *(_figure(value.get(fold)) for value in values))
    table.add_section()
    table.add_row("mean", _count(primary.n), *(_figure(metric.mean) for metric in found))
    table.add_row("sd", "", *(_figure(metric.sd) for metric in found))
    if primary.name == metrics.primary_name(summary):
        table.add_row("all images", _count(primary.n), _figure(metrics.primary_value(summary)))
    for name in dict.fromkeys(name for metric in found for name, _ in metrics.baselines(summary, metric.name)):
        scores = [dict(metrics.baselines(summary, metric.name)) for metric in found]
        shown = [_figure(score[name]) if name in score else "" for score in scores]
        table.add_row(f"baseline {name}", "", *shown, style="dim")
    return table


def _ablation(found: Sequence[metrics.Ablated]) -> list[RenderableType]:
    """A row a value of a setting, a section a setting; `*` marks what the run predicts with."""
    table = new_table("setting", "value", "metric", "images", "as set", "chosen", "nested")
    for column in table.columns[3:]:
        column.justify = "right"
    for place, row in enumerate(found):
        is_first = place == 0 or row.setting != found[place - 1].setting
        if is_first and place:
            table.add_section()
        value = f"{row.value}{' *' * row.is_used}"
        table.add_row(row.setting * is_first, value, row.metric, _count(row.images), *map(_figure, row.figures))
    return [
        Text("what a setting is worth", style="bold"),
        table,
        Text(
            "* predicts; rule for masks: as set, chosen on all, nested (on the other folds)\n",
            style="dim",
        ),
    ]


def _bottlenecks(found: metrics.Bottlenecks) -> list[RenderableType]:
    """What perfect stages would bring, and what each kind of error takes."""
    stages = new_table("with a perfect", found.metric, "gain")
    for name, value, gain in found.alone:
        stages.add_row(name, _figure(value), "-" if gain is None else f"{gain:+.4f}")
    losses = new_table("kind of error", f"takes from {found.metric}", "images")
    for name, loss, images in found.losses:
        losses.add_row(name.replace("_", " "), _figure(loss), _count(images))
    for table in (stages, losses):
        for column in table.columns[1:]:
            column.justify = "right"
    parts: list[RenderableType] = [
        Text(f"bottlenecks: {found.metric} is {_figure(found.baseline)}", style="bold"),
        stages,
    ]
    if found.ladder:
        rungs = " -> ".join(f"{name} {_figure(value)}" for name, value in found.ladder)
        parts.append(Text(f"one after the other: {rungs}"))
    return [*parts, *([losses] if found.losses else [])]


def _spread(found: metrics.Repeats) -> str:
    """`cv/dice over 3 seeds: mean 0.9120, sd 0.0040, min 0.9081, max 0.9162`."""
    least, most = _figure(min(found.values)), _figure(max(found.values))
    over = f"{found.metric} over {len(found.values)} seeds"
    return f"{over}: mean {_figure(found.mean)}, sd {_figure(found.sd)}, min {least}, max {most}"


def _better(mode: str) -> str:
    return {"max": "(max)", "min": "(min)"}.get(mode, f"({mode})")


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
