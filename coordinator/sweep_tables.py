"""How a sweep looks on a terminal: its plan, and where it stands."""

from __future__ import annotations

from datetime import timedelta

from rich.box import SIMPLE
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from coordinator import estimates
from coordinator.metrics import primary_name, primary_value
from coordinator.sweep import Plan, Progress, Standing
from coordinator.sweeps import Sweep
from coordinator.target import AcceleratorQuota

_COLOURS = {"complete": "green", "error": "red", "cancelled": "yellow", "running": "cyan", "queued": "cyan"}


def plan(found: Plan, quota: AcceleratorQuota | None) -> RenderableType:
    """A row an experiment, then what all of it takes, and its share of the quota."""
    table = _table("experiment", "what is set", "takes")
    for each in found.planned:
        about = "\n".join(each.combination.overrides)
        takes = "?" if each.estimate is None else f"about {span(each.estimate.seconds)}"
        table.add_row(each.combination.name, about, f"done: {each.done.label}" if each.done else takes)
    count = len(found.to_run)
    done = len(found.planned) - count
    lines = [f"sweep {found.name} on {found.target}: {count} to run" + (f", {done} done already" if done else "")]
    unknown = sum(each.estimate is None for each in found.to_run)
    if unknown:
        lines.append(f"How long {unknown} of them will take is not known: no run like it is complete.")
    elif count and found.session_seconds is not None and found.wall_seconds is not None:
        total, wall = span(found.session_seconds), span(found.wall_seconds)
        lines.append(f"about {total} of sessions, {wall} from start to end; by earlier runs like them")
    if share := quota_share(found, quota):
        lines.append(share)
    return Group(table, Text("\n".join(lines)))


def quota_share(found: Plan, quota: AcceleratorQuota | None) -> str:
    """How much of the week's accelerator hours it takes; nothing for a CPU, or where the time is not known."""
    if found.kind == "cpu" or found.session_seconds is None or quota is None or quota.total <= 0:
        return ""
    share, hours = found.session_seconds / quota.total, quota.total / 3600
    text = (
        f"that is {share:.0%} of the week's {hours:.0f} {found.kind.upper()} hours; {quota.left / 3600:.1f} h are left"
    )
    return text + (": not enough" if found.session_seconds > quota.left else "")


def progress(found: Progress) -> RenderableType:
    """A row an experiment, then how many are done and what is left."""
    named = [each.run.summary for each in found.standings if each.run and each.run.summary]
    metric = next(filter(None, map(primary_name, named)), "metric")
    table = _table("experiment", "state", "run", metric, "took", "left")
    for each in found.standings:
        state = Text(each.state.upper(), style=_COLOURS.get(each.state, ""))
        version = f"{each.run.target}-v{each.run.version}" if each.run and each.run.version is not None else ""
        if each.run and each.member.run_id is not None:
            version = each.run.label
        table.add_row(each.member.experiment, state, version, _value(each), _took(each), _left(each))
    counts = ", ".join(f"{count} {state}" for state, count in found.counts.items())
    left = "" if found.left is None else f"; about {span(found.left)} left" if found.left else ""
    return Group(table, Text(f"sweep {found.sweep.name} on {found.sweep.target}: {counts}{left}"))


def sweeps(found: list[Sweep]) -> RenderableType:
    table = _table("sweep", "of", "target", "experiments", "begun")
    for each in found:
        table.add_row(each.name, each.base, each.target, str(len(each.members)), each.created_at)
    return table


def span(seconds: float) -> str:
    """A time span as one would say it: 45 s, 12 min, 3.4 h."""
    time = timedelta(seconds=seconds)
    if time < timedelta(minutes=2):
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if time < timedelta(hours=2) else f"{seconds / 3600:.1f} h"


def _value(each: Standing) -> str:
    value = primary_value(each.run.summary) if each.run and each.run.summary else None
    return "" if value is None else f"{value:.4f}"


def _took(each: Standing) -> str:
    took = estimates.seconds(each.run) if each.run and not each.is_waiting else None
    return "" if took is None else span(took)


def _left(each: Standing) -> str:
    return "" if each.left is None else span(each.left)


def _table(*columns: str) -> Table:
    table = Table(box=SIMPLE, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    return table
