"""The tables of a sweep: its plan, and its progress."""

from __future__ import annotations

from datetime import timedelta

from rich.box import SIMPLE
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from coordinator.ledger import Run
from coordinator.sweeps import Plan, Progress, Standing, estimates
from coordinator.target import AcceleratorQuota

_LIKE = 5  # settings in which a run may differ and still be a good estimate
_ABOUT = 60  # characters of a log's last event or of an error
_COLOURS = {"complete": "green", "error": "red", "cancelled": "yellow", "running": "cyan", "queued": "cyan"}


def plan(found: Plan, quota: AcceleratorQuota | None) -> RenderableType:
    """A row for each experiment, then the time of all of them, and their share of the quota."""
    table = _table("experiment", "what is set", "takes")
    for each in found.planned:
        name, about = each.combination.name, "\n".join(each.combination.overrides)
        takes = "?" if each.estimate is None else f"about {span(each.estimate.seconds)}"
        if each.done is not None:
            takes = f"{each.done.state if each.done.state.is_active else 'done'}: {_which(each.done, name)}"
        table.add_row(name, about, takes)
    count = len(found.to_run)
    states = [each.done.state for each in found.planned if each.done]
    going = sum(state.is_active for state in states)
    counts = {"to run": count, "on their way": going, "done already": len(states) - going}
    told = ", ".join(f"{number} {what}" for what, number in counts.items() if number or what == "to run")
    lines = [f"sweep {found.name} on {found.target}: {told}"]
    unknown = sum(each.estimate is None for each in found.to_run)
    if unknown:
        lines.append(f"How long {unknown} of them will take is not known: no run like it is complete.")
    elif count and found.session_seconds is not None and found.wall_seconds is not None:
        total, wall = span(found.session_seconds), span(found.wall_seconds)
        most = max(each.estimate.differences for each in found.to_run if each.estimate)
        like = "like them" if most <= _LIKE else f"that differ in up to {most} settings: a guess"
        lines.append(f"about {total} of sessions, {wall} from start to end; by earlier runs {like}")
    if share := quota_share(found, quota):
        lines.append(share)
    return Group(table, Text("\n".join(lines)))


def quota_share(found: Plan, quota: AcceleratorQuota | None) -> str:
    """Its share of the week's accelerator hours, as a sentence; empty for a CPU, or if the time is not known."""
    if found.kind == "cpu" or found.session_seconds is None or quota is None or quota.total <= 0:
        return ""
    share, hours = found.session_seconds / quota.total, round(quota.total / 3600, 1)
    told = f"{share:.0%}" if share >= 0.01 else "less than 1%"
    text = f"that is {told} of the week's {hours:g} {found.kind.upper()} hours; {quota.left / 3600:.1f} h are left"
    return text + (": not enough" if found.session_seconds > quota.left else "")


def progress(found: Progress) -> RenderableType:
    """A row an experiment, with what its log said last below its name; then how many are done, and what is left."""
    known = [each.metric for each in found.standings]
    table = _table("experiment", "state", "run", next((each[0] for each in known if each), "metric"), "took", "left")
    for each in found.standings:
        version = _which(each.run, each.member.experiment) if each.run and each.run.version is not None else ""
        value = "" if each.metric is None else f"{each.metric[1]:.4f}"
        table.add_row(_named(each), _state(each.state), version, value, _took(each), _left(each))
    for whole, run in found.merged.items():
        if run is not None:
            found_value = run.reported.primary_value
            shown = "" if found_value is None else f"{found_value:.4f}"
            table.add_row(whole, Text("MERGED", style="green"), f"{run.target}-v{run.version}", shown, "", "")
    left = f"; about {span(found.left)} left" if found.left else ""
    lines = [f"sweep {found.sweep.name} on {found.sweep.target}: {_counts(found)}{left}"]
    if "waiting" in found.counts:
        lines.append(f"If no coord is pushing them any more: coord sweep resume {found.sweep.name}")
    if found.to_fetch:
        lines.append(f"The results of {found.to_fetch} are not here yet: coord fetch-results --all")
    return Group(table, Text("\n".join(lines)))


def sweeps(found: list[Progress]) -> RenderableType:
    """A row a sweep, as it was last seen."""
    table = _table("sweep", "of", "target", "experiments", "begun")
    for each in found:
        sweep = each.sweep
        table.add_row(sweep.name, sweep.base, sweep.target, _counts(each), sweep.created_at.replace("T", "\n")[:19])
    return table


def _counts(found: Progress) -> str:
    return ", ".join(f"{count} {state}" for state, count in found.counts.items())


def span(seconds: float) -> str:
    """A time span as one would say it: 45 s, 12 min, 3.4 h."""
    time = timedelta(seconds=seconds)
    if time < timedelta(minutes=2):
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if time < timedelta(hours=2) else f"{seconds / 3600:.1f} h"


def _which(run: Run, experiment: str) -> str:
    """The run, with its name if it is another experiment's."""
    return f"{run.target}-v{run.version}" if run.experiment == experiment else run.label


def _named(each: Standing) -> Text:
    name, about = Text(each.member.experiment), each.about
    if len(about) > _ABOUT:
        about = f"{about[: _ABOUT - 1]}…"
    return name.append(f"\n  {about}", style="dim") if about else name


def _state(state: str) -> Text:
    return Text(state.upper(), style=_COLOURS.get(state, ""))


def _took(each: Standing) -> str:
    took = estimates.seconds(each.run) if each.run and not each.is_waiting else None
    return "" if took is None else span(took)


def _left(each: Standing) -> str:
    return "" if each.left is None else span(each.left) if each.left else "soon"


def _table(*columns: str) -> Table:
    table = Table(box=SIMPLE, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    return table
