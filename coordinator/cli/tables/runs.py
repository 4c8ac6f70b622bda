"""The tables of runs, experiments, quota, findings and checks."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from rich.box import SIMPLE
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from coordinator.cli.tables.board import FoldMetrics
from coordinator.ledger import Run
from coordinator.target import AcceleratorQuota, Quota
from coordinator.text import clean

if TYPE_CHECKING:  # they bring the template engine and YAML, which most tables do without
    from coordinator.finding import Finding
    from coordinator.kernel import Check
    from coordinator.project import Change, Experiment, Launch, Recorded
    from coordinator.runs import Step

_DIFF_LINES = 40
_BAR = 30
_ACTIONS = {"push": "push", "wait": "wait for it", "nothing": "nothing", "stop": "STOP"}
_ACTION_COLOURS = {"push": "cyan", "stop": "red"}
_LEVEL_COLOURS = {"ok": "green", "warning": "yellow", "problem": "red"}
_BOARD_ROWS = 8  # of the metrics of a run that goes on: the log is to be seen, too


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


def experiment(item: Experiment, newest: Run | None = None) -> RenderableType:
    """Everything about it; `newest` is its newest run that read something."""
    parts: list[RenderableType] = [Text(f"{item.name}: {item.about}" if item.about else item.name, style="bold")]
    parts.append(Text("bases: " + (" -> ".join(item.bases) or "none")))
    started = clean(shlex.join([item.launch.entry, *item.launch.args]))
    parts.append(Text(f"runs: {started}, config by {_delivery(item.launch)}"))
    if item.needs:
        named = (f"{need.name}: {need}" if need.name != need.experiment else str(need) for need in item.needs)
        parts.append(Text(f"needs: {', '.join(named)}"))
    if newest is not None:
        parts.append(Text(f"{newest.label} read {', '.join(map(str, newest.named_reads))}"))
    parts.append(Text(f"\nWhat differs from {item.bases[0] if item.bases else 'the defaults'}:"))
    parts.append(_changes(item.changes) if item.changes else Text("  nothing"))
    parts.append(Text("The resolved config:\n"))
    parts.append(Text(_config(item.config)))
    if item.recorded:
        recorded = new_table("recorded metric", "better", "value", "note")
        for figure in item.recorded:
            recorded.add_row(figure.metric, figure.mode, f"{figure.value:g}", figure.note)
        parts.append(recorded)
    return Group(*parts)


def _delivery(launch: Launch) -> str:
    """How the config reaches the program, in a word or by the file's name."""
    kind = str(launch.delivery["kind"])
    return str(launch.delivery["path"]) if kind == "written" else "COORD_CONFIG" if kind == "file" else kind


def chain(steps: Sequence[Step]) -> RenderableType:
    """A row for each experiment of a chain, in the order in which they run."""
    table = new_table("experiment", "needs", "what", "why")
    for step in steps:
        needs = ", ".join(f"{each.name}: {each}" if each.name != each.experiment else str(each) for each in step.needs)
        what = Text(_ACTIONS[step.action], style=_ACTION_COLOURS.get(step.action, ""))
        table.add_row(step.experiment, needs, what, clean(step.why))
    return table


def quota(found: Quota) -> RenderableType:
    """A row for each kind of accelerator, with a bar of the quota: used, reserved by running sessions, left."""
    table = new_table("", "", "used", "reserved", "left", "of")
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
    """The whole quota in `_BAR` characters; whatever is not 0 has at least one."""
    parts, rest = [], _BAR
    for seconds, character, colour in ((quota.used, "█", "cyan"), (quota.reserved, "▒", "yellow")):
        share = seconds / quota.total if quota.total > 0 else 0.0
        length = min(rest, max(1, round(share * _BAR)) if seconds > 0 else 0)
        parts.append((character * length, colour))
        rest -= length
    return Text.assemble(*parts, ("░" * rest, "dim"))


def findings(found: Sequence[Finding]) -> RenderableType:
    """A row for each finding, with its remedy below it."""
    table = new_table("check", "state", "what, and what to do about it")
    for each in found:
        about = Text(clean(each.what))
        if each.remedy:
            about.append(f"\n-> {clean(each.remedy)}", style="bold")
        table.add_row(each.check, Text(each.level.upper(), style=_LEVEL_COLOURS[each.level]), about)
    return table


def board(label: str, found: FoldMetrics) -> RenderableType:
    """The progress of a run, and the metrics of its fold."""
    table = new_table("metric", "last", "lowest", "in epoch", "highest", "in epoch")
    for name, figure in list(found.figures.items())[:_BOARD_ROWS]:
        table.add_row(
            name,
            f"{figure.last:.4f}",
            f"{figure.lowest:.4f}",
            "" if figure.lowest_in is None else str(figure.lowest_in),
            f"{figure.highest:.4f}",
            "" if figure.highest_in is None else str(figure.highest_in),
        )
    return Group(Text(f"{label}: {clean(found.place)}", style="bold"), table)


def check(found: Check) -> RenderableType:
    """The differences between a kernel and the working tree: names first, then the first lines."""
    parts: list[RenderableType] = []
    if found.files:
        files = new_table("file", "what")
        for file in found.files:
            files.add_row(clean(file.path), file.state)
        parts.append(files)
    if found.settings or found.config:
        values = new_table("value", "in the kernel", "in the working tree")
        for change in (*found.settings, *found.config):
            values.add_row(clean(change.path), *(json.dumps(value) for value in (change.base, change.value)))
        parts.append(values)
    if found.text:
        parts.append(Text("\nThe text around files and config differs: the header, the template or coord's bootstrap."))
    lines = [line for diff in (*(file.diff for file in found.files), found.text) for line in diff]
    if lines:
        parts.append(Text("\n" + "\n".join(clean(line) for line in lines[:_DIFF_LINES]), overflow="fold"))
    if len(lines) > _DIFF_LINES:
        parts.append(Text(f"... and {len(lines) - _DIFF_LINES} more lines of differences: --json has them all"))
    return Group(*parts)


def age(since: str) -> str:
    """The time since a moment of the ledger: 45s, 12m, 3h, 2d."""
    return duration(datetime.now(UTC) - datetime.fromisoformat(since))


def duration(span: timedelta) -> str:
    """A time span in its largest unit: 45s, 12m, 3h, 2d."""
    seconds = int(span.total_seconds())
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= size:
            return f"{seconds // size}{unit}"
    return f"{max(seconds, 0)}s"


def new_table(*columns: str) -> Table:
    """An empty table in the style of all tables; long cells are wrapped."""
    table = Table(box=SIMPLE, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def _changes(changes: Sequence[Change]) -> Table:
    table = new_table("path", "base", "here")
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
