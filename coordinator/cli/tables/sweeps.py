"""The tables of a sweep: its plan, and its progress."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from rich.box import SIMPLE
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from coordinator.cli.tables.lines import Cell, Column, Cut, LineTable, text_of
from coordinator.cli.tables.runs import age
from coordinator.cli.tables.status import COLOURS, addresses
from coordinator.ledger import Run
from coordinator.live_page import LivePage
from coordinator.sweeps import MemberProgress, Plan, SweepProgress, estimates
from coordinator.target import AcceleratorQuota
from coordinator.text import clean

_LIKE = 5  # settings in which a run may differ and still be a good estimate


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


def progress(found: SweepProgress, page: LivePage | None = None, *, has_urls: bool = False) -> RenderableType:
    """A line an experiment, with what its log said last, or why it failed; then how many are done, and what is left."""
    known = [each.metric for each in found.members]
    metric = next((each[0] for each in known if each), "metric")
    columns = (
        Column("experiment", Cut.MIDDLE),
        Column("state"),
        Column("run", from_width=60),
        Column(clean(metric), Cut.MIDDLE, right=True),
        Column("took", right=True, from_width=70),
        Column("left", right=True, from_width=60),
        Column("last reported, or why it ended", Cut.END),
    )
    rows: list[Sequence[Cell | str]] = []
    for each in found.members:
        version = _which(each.run, each.member.experiment) if each.run and each.run.version is not None else ""
        value = "" if each.metric is None else f"{each.metric[1]:.4f}"
        name = Cell(each.member.experiment, link=each.run.url if each.run else "")
        about = Cell(each.about, "red" if each.state == "error" else "")
        rows.append((name, _state(each.state), version, value, _took(each), _left(each), about))
    for whole, run in found.merged.items():
        if run is not None:
            found_value = run.reported.primary_value
            shown = "" if found_value is None else f"{found_value:.4f}"
            rows.append((whole, Cell("MERGED", "green"), f"{run.target}-v{run.version}", shown, "", "", ""))
    left = f"; about {span(found.left)} left" if found.left else ""
    lines = [f"sweep {found.sweep.name} on {found.sweep.target}: {_counts(found)}{left}"]
    if "waiting" in found.counts:
        lines.append(f"If no coord is pushing them any more: coord sweep resume {found.sweep.name}")
    if found.to_fetch:
        lines.append(f"The results of {found.to_fetch} are not here yet: coord fetch-results --all")
    urls = addresses((each.run for each in found.members if each.run), page) if has_urls else ()
    return Group(_filled(columns, rows), "", Text("\n".join(lines)), *urls)


def _filled(columns: Sequence[Column], rows: list[Sequence[Cell | str]]) -> LineTable:
    """Without the columns behind the state that are empty in every row."""
    kept = [at for at in range(len(columns)) if at < 2 or any(text_of(row[at]) for row in rows)]
    return LineTable([columns[at] for at in kept], [[row[at] for at in kept] for row in rows])


def sweeps(found: list[SweepProgress]) -> RenderableType:
    """A line a sweep, as it was last seen."""
    columns = (
        Column("sweep", Cut.MIDDLE),
        Column("of", Cut.MIDDLE, from_width=50),
        Column("target", from_width=60),
        Column("age", right=True, from_width=50),
        Column("experiments", Cut.END),
    )
    rows = [
        (each.sweep.name, each.sweep.base, str(each.sweep.target), age(each.sweep.created_at), _counts(each))
        for each in found
    ]
    return Group(LineTable(columns, list(rows)), Text("one of them: coord sweep status NAME", style="dim"))


def _counts(found: SweepProgress) -> str:
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


def _state(state: str) -> Cell:
    return Cell(state.upper(), COLOURS.get(state, ""))


def _took(each: MemberProgress) -> str:
    took = estimates.seconds(each.run) if each.run and not each.is_waiting else None
    return "" if took is None else span(took)


def _left(each: MemberProgress) -> str:
    return "" if each.left is None else span(each.left) if each.left else "soon"


def _table(*columns: str) -> Table:
    table = Table(box=SIMPLE, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    return table
