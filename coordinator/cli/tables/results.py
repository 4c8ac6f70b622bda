"""What a run has found, on a terminal: the cross-validation of a metrics.json, and what is worth knowing beside it."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from coordinator.cli.tables.runs import new_table
from coordinator.results import Ablated, Bottlenecks, Metric, Repeats, Summary

_COLUMNS = 3  # metrics side by side: a terminal has 80 characters


def results(title: str, summary: Summary, rows: str) -> RenderableType:
    """The cross-validation table of a metrics.json, the baseline below it, and where the time went.

    `rows` is what the metrics are means over, in the plural: images.
    """
    parts: list[RenderableType] = []
    found = summary.primary_first
    if found:
        parts.append(Text(f"{title}, cross-validation", style="bold"))
        # What was measured apart from the folds has rows of its own.
        for group in ([each for each in found if each.folds], [each for each in found if not each.folds]):
            for start in range(0, len(group), _COLUMNS):
                parts.append(_cross_validation(group[start : start + _COLUMNS], summary, rows))
    if summary.choice is not None and summary.choice.note:
        parts.append(Text(f"{summary.choice.note}\n", style="dim"))
    if summary.repeats is not None:
        parts.append(Text(_spread(summary.repeats)))
    if summary.ablation:
        parts += _ablation(summary.ablation, rows)
    if summary.bottlenecks is not None and summary.bottlenecks.alone:
        parts += _bottlenecks(summary.bottlenecks, rows)
    parts.append(Text(_seconds(summary)))
    if summary.status not in ("complete", "error"):
        reported = f"the run reports that it is {summary.status}" if summary.status else "the run reports no status"
        parts.append(Text(f"{reported}: these are its figures so far", style="yellow"))
    if summary.error is not None:
        parts.append(Text(summary.error.line, style="red"))
    return Group(*parts)


def _cross_validation(found: Sequence[Metric], summary: Summary, rows: str) -> Table:
    """A row a fold, a column a metric; the first column counts the `rows` of the first metric."""
    primary = found[0]
    counted = [primary.images, *(each.images for each in primary.folds)] != [None] * (1 + len(primary.folds))
    table = new_table("fold", *[rows] * counted, *(f"{metric.name}\n{_better(metric.mode)}" for metric in found))
    for column in table.columns[1:]:
        column.justify = "right"

    def row(name: str, count: int | None, *values: str) -> None:
        table.add_row(name, *[_count(count)] * counted, *values)

    values = [metric.by_fold for metric in found]
    for each in primary.folds:
        row(each.fold, each.images, *(_figure(value.get(each.fold)) for value in values))
    table.add_section()
    row("mean", primary.images, *(_figure(metric.mean) for metric in found))
    row("sd", None, *(_figure(metric.sd) for metric in found))
    whole = summary.primary_value
    # Without counts it may be the mean again, and not measured over all rows.
    if primary.name == summary.primary_name and (counted or whole != primary.mean):
        row(f"all {rows}", primary.images, _figure(whole))
    scores = [{each.name: each.value for each in summary.baselines_in(metric.name)} for metric in found]
    for name in dict.fromkeys(name for score in scores for name in score):
        shown = [_figure(score[name]) if name in score else "" for score in scores]
        table.add_row(f"baseline {name}", *[""] * counted, *shown, style="dim")
    return table


def _ablation(found: Sequence[Ablated], rows: str) -> list[RenderableType]:
    """A row a value of a setting, a section a setting; `*` marks what the run predicts with."""
    table = new_table("setting", "value", "metric", rows, "as set", "chosen", "nested")
    for column in table.columns[3:]:
        column.justify = "right"
    for place, row in enumerate(found):
        is_first = place == 0 or row.setting != found[place - 1].setting
        if is_first and place:
            table.add_section()
        value = f"{row.value}{' *' * row.is_used}"
        figures = map(_figure, (row.as_set, row.chosen, row.nested))
        table.add_row(row.setting * is_first, value, row.metric, _count(row.images), *figures)
    legend = "* predicts; rule for masks: as set, chosen on all, nested (on the other folds)\n"
    paired = [
        f"{row.value} against *, as set: {row.difference:+.4f} ± {row.error:.4f} (paired; standard error over {rows})\n"
        for row in found
        if not row.is_used and row.difference is not None and row.error is not None
    ]
    return [Text("what a setting is worth", style="bold"), table, Text("".join([legend, *paired]), style="dim")]


def _bottlenecks(found: Bottlenecks, rows: str) -> list[RenderableType]:
    """What perfect stages would bring, and what each kind of error takes."""
    stages = new_table("with a perfect", found.metric, "gain")
    for stage in found.alone:
        stages.add_row(stage.name, _figure(stage.value), "-" if stage.gain is None else f"{stage.gain:+.4f}")
    losses = new_table("kind of error", f"takes from {found.metric}", rows)
    for share in found.losses:
        losses.add_row(share.kind.replace("_", " "), _figure(share.loss), _count(share.images))
    for table in (stages, losses):
        for column in table.columns[1:]:
            column.justify = "right"
    parts: list[RenderableType] = [
        Text(f"bottlenecks: {found.metric} is {_figure(found.baseline)}", style="bold"),
        stages,
    ]
    if found.ladder:
        rungs = " -> ".join(f"{stage.name} {_figure(stage.value)}" for stage in found.ladder)
        parts.append(Text(f"one after the other: {rungs}"))
    return [*parts, *([losses] if found.losses else [])]


def _spread(found: Repeats) -> str:
    """`cv/dice over 3 seeds: mean 0.9120, sd 0.0040, min 0.9081, max 0.9162`."""
    values = [each.value for each in found.values]
    least, most = _figure(min(values)), _figure(max(values))
    over = f"{found.metric} over {len(values)} seeds"
    return f"{over}: mean {_figure(found.mean)}, sd {_figure(found.sd)}, min {least}, max {most}"


def _better(mode: str) -> str:
    return f"({mode})" if mode else ""


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"


def _count(value: int | None) -> str:
    return "" if value is None else str(value)


def _seconds(summary: Summary) -> str:
    if summary.seconds is None:
        return ""
    parts = [f"{name} {value:.0f}" for name, value in summary.stages.items() if value >= 0.5]
    return f"{summary.seconds:.0f} second{'s' * (round(summary.seconds) != 1)}" + (
        f" ({', '.join(parts)})" if parts else ""
    )
