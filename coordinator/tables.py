"""How values look on a terminal: rich renderables, made of plain values. Printing them is cli/terminal.py's job."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from rich.box import SIMPLE
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from coordinator import metrics
from coordinator.board import Board
from coordinator.deadlines import Times, times
from coordinator.ledger import Run
from coordinator.target import AcceleratorQuota, Quota, RunState

if TYPE_CHECKING:  # they bring the template engine and YAML, which most tables do without
    from coordinator.check import Check
    from coordinator.doctor import Finding
    from coordinator.experiment import Change, Experiment, Recorded

NO_CHAINS: Mapping[str, Sequence[Run]] = {}

_DIFF_LINES = 40
_BAR = 30
_LEVEL_COLOURS = {"ok": "green", "warning": "yellow", "problem": "red"}
_BOARD_ROWS = 8  # of the metrics of a run that goes on: the log is to be seen, too
_COLUMNS = 3  # metrics side by side: a terminal has 80 characters
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
    """A paragraph each: a table's columns would be too narrow for the sentences."""
    parts: list[RenderableType] = []
    for item in found:
        base = f"  (base: {item.bases[0]})" if item.bases else ""
        parts.append(Text.assemble((item.name, "bold"), (base, "dim")))
        below = filter(None, (item.about, _recorded(item.recorded)))
        parts.extend(Padding(Text(line), (0, 0, 0, 2), expand=False) for line in below)
    return Group(*parts)


def _recorded(figures: Sequence[Recorded]) -> str:
    """Recorded figures by metric, repeated ones as a range: `val/loss 0.4309 to 0.4385 (min, 4 runs)`."""
    by_metric: dict[tuple[str, str], list[float]] = {}
    for figure in figures:
        by_metric.setdefault((figure.metric, figure.mode), []).append(figure.value)
    shown = [
        f"{metric} {values[0]:.4f} ({mode})"
        if len(values) == 1
        else f"{metric} {min(values):.4f} to {max(values):.4f} ({mode}, {len(values)} runs)"
        for (metric, mode), values in by_metric.items()
    ]
    return f"recorded: {', '.join(shown)}" if shown else ""


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


def runs(found: Sequence[Run], chains: Mapping[str, Sequence[Run]] = NO_CHAINS) -> RenderableType:
    """A row a run: `wait` is how long it waited, or waits, for its session. `chains` is `Status.chains`."""
    table = _table("run", "state", "age", "wait", "last reported, and where")
    for run in found:
        at = times(run)
        last = metrics.describe(run.last_event) if run.last_event else ""
        lines = [metrics.clean(last), metrics.clean(run.message), _chain(chains.get(run.id, ()))]
        about = Text("\n".join(filter(None, lines)))
        if at.is_stuck:
            about.append(("\n" if about else "") + _stuck(run, at), style="red")
        about.append(("\n" if about else "") + run.url, style="dim")
        state = Text("STUCK", style="red") if at.is_stuck else Text(run.state.upper(), style=_COLOURS[run.state])
        queued = "" if at.queued is None else duration(at.queued)
        table.add_row(run.label.replace(" ", "\n"), state, age(run.created_at), queued, about)
    return table


def _chain(links: Sequence[Run]) -> str:
    """`continues v1, v2`: what led to the last of them."""
    return f"continues {', '.join(f'v{link.version}' for link in links[:-1])}" if len(links) > 1 else ""


def _stuck(run: Run, at: Times) -> str:
    ran = "" if at.running is None else f"{duration(at.running)} "
    return (
        f"said to run {ran}now, but a session ends after {duration(at.limit)}: look at its page, and if it does not "
        f"run there, coord cancel --exp {run.experiment} --version {run.version}"
    )


def quota(found: Quota) -> RenderableType:
    """A row a kind of accelerator, with a bar of its whole quota: used, reserved by what runs, left."""
    table = _table("", "", "used", "reserved", "left", "of")
    for column in table.columns[2:]:
        column.justify = "right"
    for each in found.accelerators:
        hours = (f"{seconds / 3600:.1f} h" for seconds in (each.used, each.reserved, each.left, each.total))
        table.add_row(each.kind.upper(), _bar(each), *hours)
    parts: list[RenderableType] = [table]
    if found.refreshes_at is not None:
        there = found.refreshes_at.astimezone(UTC)
        left = duration(there - datetime.now(UTC))
        parts.append(Text(f"█ used  ▒ reserved  ░ left     new in {left}, on {there:%A %d %B at %H:%M} UTC"))
    return Group(*parts)


def _bar(quota: AcceleratorQuota) -> Text:
    """Its whole quota in `_BAR` characters; what is there at all gets one."""
    parts, rest = [], _BAR
    for seconds, character, colour in ((quota.used, "█", "cyan"), (quota.reserved, "▒", "yellow")):
        share = seconds / quota.total if quota.total > 0 else 0.0
        length = min(rest, max(1, round(share * _BAR)) if seconds > 0 else 0)
        parts.append((character * length, colour))
        rest -= length
    return Text.assemble(*parts, ("░" * rest, "dim"))


def findings(found: Sequence[Finding]) -> RenderableType:
    """A row a finding, its remedy below it."""
    table = _table("check", "state", "what, and what to do about it")
    for each in found:
        about = Text(metrics.clean(each.what))
        if each.remedy:
            about.append(f"\n-> {metrics.clean(each.remedy)}", style="bold")
        table.add_row(each.check, Text(each.level.upper(), style=_LEVEL_COLOURS[each.level]), about)
    return table


def board(label: str, found: Board) -> RenderableType:
    """Where a run stands, and the figures of its fold."""
    table = _table("metric", "last", "lowest", "in epoch", "highest", "in epoch")
    for name, figure in list(found.figures.items())[:_BOARD_ROWS]:
        table.add_row(
            name,
            f"{figure.last:.4f}",
            f"{figure.lowest:.4f}",
            "" if figure.lowest_in is None else str(figure.lowest_in),
            f"{figure.highest:.4f}",
            "" if figure.highest_in is None else str(figure.highest_in),
        )
    return Group(Text(f"{label}: {metrics.clean(found.place)}", style="bold"), table)


def check(found: Check) -> RenderableType:
    """What differs between a kernel and the working tree: names first, then lines, as many as one looks at."""
    parts: list[RenderableType] = []
    if found.files:
        files = _table("file", "what")
        for file in found.files:
            files.add_row(metrics.clean(file.path), file.state)
        parts.append(files)
    if found.settings or found.config:
        values = _table("value", "in the kernel", "in the working tree")
        for change in (*found.settings, *found.config):
            values.add_row(metrics.clean(change.path), *(json.dumps(value) for value in (change.base, change.value)))
        parts.append(values)
    if found.text:
        parts.append(Text("\nThe text around files and config differs: the header, the template or coord's bootstrap."))
    lines = [line for diff in (*(file.diff for file in found.files), found.text) for line in diff]
    if lines:
        parts.append(Text("\n" + "\n".join(metrics.clean(line) for line in lines[:_DIFF_LINES]), overflow="fold"))
    if len(lines) > _DIFF_LINES:
        parts.append(Text(f"... and {len(lines) - _DIFF_LINES} more lines of differences: --json has them all"))
    return Group(*parts)


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
    table = _table("fold", "images", *(f"{metric.name}\n{_better(metric.mode)}" for metric in found))
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
    table = _table("setting", "value", "metric", "images", "as set", "chosen", "nested")
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
    stages = _table("with a perfect", found.metric, "gain")
    for name, value, gain in found.alone:
        stages.add_row(name, _figure(value), "-" if gain is None else f"{gain:+.4f}")
    losses = _table("kind of error", f"takes from {found.metric}", "images")
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


def age(since: str) -> str:
    """How long ago a time of the ledger was: 45s, 12m, 3h, 2d."""
    return duration(datetime.now(UTC) - datetime.fromisoformat(since))


def duration(span: timedelta) -> str:
    """A time span in its largest unit: 45s, 12m, 3h, 2d."""
    seconds = int(span.total_seconds())
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
