"""Tables with one line a row, whatever the width: what is too long is cut, and nothing wraps.

Only a screen has a width: into a file or a pipe, every row is written in full.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from rich.box import SIMPLE
from rich.cells import cell_len, set_cell_size
from rich.console import Console, ConsoleOptions, RenderResult
from rich.style import Style
from rich.table import Table
from rich.text import Text

from coordinator.text import clean, shortened

_RULE = 80  # cells of the line below the header, at most, in a file
_GAP = 2  # cells between two columns
_BLOCKS = "▁▂▃▄▅▆▇█"
_SPARK = 8


class Cut(StrEnum):
    """What a column loses where there is no room."""

    NOTHING = "nothing"
    MIDDLE = "middle"
    """For names: they begin alike, and end in what tells them apart."""
    END = "end"


_GIVING = (
    (Cut.END, 36),
    (Cut.MIDDLE, 28),
    (Cut.END, 26),
    (Cut.MIDDLE, 24),
    (Cut.END, 10),
    (Cut.MIDDLE, 6),
    (Cut.END, 1),
)
"""Which columns give up cells of their width, one after the other, and how many they keep."""


@dataclass(frozen=True)
class Column:
    """A column of `LineTable`."""

    name: str
    cut: Cut = Cut.NOTHING
    right: bool = False
    """Aligned, for numbers."""
    from_width: int = 0
    """The screen's width in cells below which the column is left out."""


@dataclass(frozen=True)
class Cell:
    """A text with its style, and the address that a click on it opens."""

    text: str
    style: str = ""
    link: str = ""


@dataclass(frozen=True)
class LineTable:
    """A table of which each row is one line."""

    columns: Sequence[Column]
    rows: list[Sequence[Cell | str]] = field(default_factory=list)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        if not console.is_terminal:
            yield from map(_whole, self._in_full())
            return
        width = options.max_width
        mark = "…" if _has(console, "…") else "~"
        shown = self._shown(width)
        table = Table(box=SIMPLE, pad_edge=False, show_edge=False, padding=(0, 1, 0, 0))
        for at, size in zip(shown, self._sizes(shown, width), strict=True):
            column = self.columns[at]
            table.add_column(
                _Cut(column.name, column.cut, mark),
                justify="right" if column.right else "left",
                width=size,
                no_wrap=True,
                overflow="crop",
            )
        for row in self.rows:
            table.add_row(*(_Cut(row[at], self.columns[at].cut, mark) for at in shown))
        yield table

    def cuts(self, row: int, console: Console) -> bool:
        """Whether a cell of this row is not shown in full there."""
        if not console.is_terminal:
            return False
        shown = self._shown(console.width)
        sizes = self._sizes(shown, console.width)
        return any(cell_len(text_of(self.rows[row][at])) > size for at, size in zip(shown, sizes, strict=True))

    def _shown(self, width: int) -> list[int]:
        return [at for at, column in enumerate(self.columns) if width >= column.from_width]

    def _sizes(self, shown: Sequence[int], width: int) -> list[int]:
        """The cells that each of these columns gets: of what is too much the texts give first, then the names."""
        kinds = [self.columns[at].cut for at in shown]
        sizes = [
            max(cell_len(text) for text in (self.columns[at].name, *(text_of(row[at]) for row in self.rows)))
            for at in shown
        ]
        most = width - _GAP * (len(sizes) - 1)
        for kind, least in _GIVING:
            while sum(sizes) > most:
                wide = [at for at, each in enumerate(kinds) if each is kind and sizes[at] > least]
                if not wide:
                    break
                sizes[max(wide, key=lambda at: sizes[at])] -= 1
        return sizes

    def _in_full(self) -> Iterator[str]:
        rows = [[text_of(cell) for cell in row] for row in ([each.name for each in self.columns], *self.rows)]
        sizes = [max(map(cell_len, column)) for column in zip(*rows, strict=True)]
        for number, row in enumerate(rows):
            gaps = [" " * (size - cell_len(text)) for size, text in zip(sizes, row, strict=True)]
            cells = [
                gap + text if column.right else text + gap
                for column, gap, text in zip(self.columns, gaps, row, strict=True)
            ]
            yield (" " * _GAP).join(cells).rstrip()
            if number == 0:
                yield "─" * min(sum(sizes) + _GAP * (len(sizes) - 1), _RULE)


@dataclass(frozen=True)
class _Cut:
    """A cell in as many cells of the terminal as its column gets."""

    cell: Cell | str
    cut: Cut
    mark: str

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        text, width = text_of(self.cell), options.max_width
        if self.cut is Cut.MIDDLE:
            text = shortened(text, width, self.mark)
        elif cell_len(text) > width:
            text = set_cell_size(text, max(width - 1, 0)).rstrip() + self.mark
        cell = self.cell if isinstance(self.cell, Cell) else Cell("")
        style = Style.parse(cell.style) + (Style(link=cell.link) if cell.link else Style())
        yield Text(text, style=style, no_wrap=True, overflow="crop", end="", justify=options.justify)


def text_of(cell: Cell | str) -> str:
    """The text on one line, whatever the names and messages of others hold."""
    return " ".join(clean(cell.text if isinstance(cell, Cell) else cell).split())


def _whole(line: str) -> Text:
    return Text(line, no_wrap=True, overflow="ignore")


def spark(values: Sequence[float]) -> str:
    """The course of a metric in a few characters, `▁▃▄▆▇█`: the lowest value and the highest span the height.

    Of a long course, each character is the mean of as many values. Empty for fewer than two values.
    """
    if len(values) < 2:
        return ""
    means = list(_means(values))
    low, high = min(means), max(means)
    if high == low:
        return _BLOCKS[3] * len(means)
    return "".join(_BLOCKS[round((each - low) / (high - low) * (len(_BLOCKS) - 1))] for each in means)


def has_blocks(console: Console) -> bool:
    """Whether the terminal's encoding has the characters of `spark`."""
    return _has(console, _BLOCKS)


def _means(values: Sequence[float]) -> Iterator[float]:
    parts = min(len(values), _SPARK)
    for number in range(parts):
        part = values[number * len(values) // parts : (number + 1) * len(values) // parts]
        yield sum(part) / len(part)


def _has(console: Console, characters: str) -> bool:
    try:
        characters.encode(console.encoding)
    except (UnicodeEncodeError, LookupError):
        return False
    return True
