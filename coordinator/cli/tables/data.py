"""The tables of data sets."""

from __future__ import annotations

from collections.abc import Sequence

from rich.box import SIMPLE
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from coordinator.cli.tables.runs import age
from coordinator.datasets import DatasetStatus
from coordinator.ledger import DatasetVersion
from coordinator.target import DatasetState
from coordinator.text import clean

_COLOURS = {DatasetState.READY: "green", DatasetState.FAILED: "red", DatasetState.REFUSED: "red"}


def status(found: DatasetStatus, target: str) -> RenderableType:
    """A line about the newest version, and one about what was pushed from here."""
    there, lines = found.there, []
    if there is not None and found.state is not None:
        seen = "private" if there.is_private else "public"
        older = f" (sessions get v{there.current})" if 0 < there.current < there.newest else ""
        lines.append(
            f"{found.reference} v{there.newest} on {target}: {found.state}{older}, {seen}, {there.size:,} bytes"
        )
        lines += [clean(there.url)] if there.url else []
    if found.pushed is not None:
        lines.append(f"pushed from here: {_pushed(found.pushed)}, {found.pushed.digest[:19]}")
    return Text("\n".join(lines))


def datasets(found: Sequence[DatasetStatus]) -> RenderableType:
    """A row each."""
    table = Table(box=SIMPLE, header_style="bold", pad_edge=False)
    for name in ("data set", "version", "bytes", "seen by", "pushed from here"):
        table.add_column(name, justify="right" if name in ("version", "bytes") else "left")
    for each in found:
        there = each.there
        columns = (
            ("not there", "", "")
            if there is None
            else (f"v{there.newest}", f"{there.size:,}", "you" if there.is_private else "everybody")
        )
        pushed = each.pushed
        shown = Text(_pushed(pushed), style=_COLOURS.get(pushed.state, "yellow")) if pushed else Text("")
        table.add_row(clean(each.reference), *columns, shown)
    return table


def _pushed(each: DatasetVersion) -> str:
    version = "" if each.version is None else f"v{each.version} "
    return f"{version}{each.state}, {age(each.created_at)} ago"
