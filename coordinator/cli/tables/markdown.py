"""The same tables as Markdown, for a comment, an issue or a README: `--markdown` prints them."""

from __future__ import annotations

import re

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from coordinator.text import clean

# A name or a message must not become a link, an image, HTML or the end of a cell. What GitHub's own syntax adds
# (@name, #1, an address) begins with characters that have no escape there; names in coord have none of them.
_SYNTAX = re.compile(r"([\\`*_\[\]<>|~])")


def markdown(shown: RenderableType) -> str:
    """Tables as tables, with numbers to the right; bold lines as bold lines; the other lines as paragraphs.

    Raises TypeError for what is neither text, nor a table, nor a group of them.
    """
    return "\n\n".join(filter(None, _blocks(shown)))


def _blocks(shown: RenderableType) -> list[str]:
    if isinstance(shown, Group):
        return [block for each in shown.renderables for block in _blocks(each)]
    if isinstance(shown, Table):
        return [_table(shown)]
    if isinstance(shown, Text):
        lines = [line for line in shown.plain.splitlines() if line.strip()]
        is_bold = "bold" in str(shown.style)
        return ["  \n".join(f"**{_escaped(line)}**" if is_bold else _escaped(line) for line in lines)]
    raise TypeError(f"not a table: {type(shown).__name__}")


def _table(table: Table) -> str:
    columns = [[_cell(column.header), *(_cell(cell) for cell in column.cells)] for column in table.columns]
    rule = ["---:" if column.justify == "right" else "---" for column in table.columns]
    header, *rows = zip(*columns, strict=True)
    return "\n".join(f"| {' | '.join(row)} |" for row in (header, rule, *rows))


def _cell(cell: RenderableType) -> str:
    return _escaped(" ".join((cell.plain if isinstance(cell, Text) else str(cell)).split()))


def _escaped(text: str) -> str:
    return _SYNTAX.sub(r"\\\1", clean(text)).strip()
