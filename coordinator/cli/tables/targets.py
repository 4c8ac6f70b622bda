"""The table of `coord targets`."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.text import Text

from coordinator.cli.tables.lines import Cell, Column, Cut, LineTable
from coordinator.maintenance import AskedTarget
from coordinator.text import clean

_COLUMNS = (Column("target"), Column("kind"), Column("answers"), Column("where", Cut.END))


def targets(found: Sequence[AskedTarget]) -> RenderableType:
    """A line for each; below them, why one does not answer."""
    table = LineTable(_COLUMNS)
    for each in found:
        name = f"{each.name}{' (default)' if each.is_chosen else ''}"
        answers = Cell("yes", "green") if each.error is None else Cell("no", "red")
        table.rows.append([name, each.kind, answers, clean(each.place)])
    told = [f"{each.name}: {clean(each.error.what)}" for each in found if each.error]
    return Group(table, *(Text(line, style="red") for line in told))
