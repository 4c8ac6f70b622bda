"""Tables of one line a row: on screens of any width, with names of any script, and into files."""

from __future__ import annotations

import io
from collections.abc import Sequence

import pytest
from rich.cells import cell_len
from rich.console import Console

from coordinator.cli.tables.lines import Cell, Column, Cut, LineTable, spark

COLUMNS = (Column("run", Cut.MIDDLE), Column("state"), Column("age", right=True, from_width=50), Column("why", Cut.END))
ROWS: list[Sequence[Cell | str]] = [
    ("base local-v1", Cell("COMPLETE", "green"), "3m", "cv/dice 0.8222"),
    (Cell("base--" + "cut0.5-" * 12 + "s0 local-v2", link="http://127.0.0.1/x"), "ERROR", "12m", "ValueError " * 30),
    ("日本語の実験" * 8 + " local-v3", "RUNNING", "2d", "精度 0.9 " * 20),
    ("e\u0301" * 70, "QUEUED", "1s", "two\nlines\tand \x1b[31mcolours"),
]


def _shown(width: int, *, is_screen: bool = True) -> list[str]:
    file = io.StringIO()
    console = Console(file=file, width=width, force_terminal=is_screen, color_system=None, legacy_windows=False)
    console.print(LineTable(COLUMNS, list(ROWS)), crop=False)
    return file.getvalue().splitlines()


@pytest.mark.parametrize("width", [20, 40, 60, 80, 100, 200])
def test_each_row_is_one_line_of_the_screens_width(width: int) -> None:
    """Also with wide and combining characters, line ends and escape sequences in the cells."""
    lines = _shown(width)
    assert len(lines) == len(ROWS) + 2
    assert max(map(cell_len, lines)) <= width
    # The states stand below each other, whatever comes before them.
    start = lines[0].index("state")
    for line, state in zip(lines[2:], ("COMPLETE", "ERROR", "RUNNING", "QUEUED"), strict=True):
        assert cell_len(line.partition(state)[0]) == start


@pytest.mark.parametrize(("width", "has_age"), [(40, False), (80, True)])
def test_what_can_be_spared_gives_way(width: int, has_age: bool) -> None:
    """At 40 columns there is no age; names keep their beginning and their end."""
    lines = _shown(width)
    assert ("age" in lines[0]) is has_age
    assert lines[3].startswith("ba")
    assert "local-v2" in lines[3] if width == 80 else "v2" in lines[3]


def test_into_a_file_nothing_is_cut() -> None:
    """Each cell is there in full, and lines have no blanks at their ends."""
    lines = _shown(80, is_screen=False)
    assert "base--" + "cut0.5-" * 12 + "s0 local-v2" in lines[3]
    assert lines[3].endswith("ValueError")
    assert lines[5].endswith("two lines and colours")
    assert all(line == line.rstrip() for line in lines)


def test_a_terminal_without_an_ellipsis() -> None:
    """An encoding that lacks the character gets another one of the same width."""
    raw = io.BytesIO()
    console = Console(file=io.TextIOWrapper(raw, encoding="ascii"), width=30, force_terminal=True, color_system=None)
    console.print(LineTable(COLUMNS[:2], [("x" * 60, "DONE")]))
    console.file.flush()
    assert raw.getvalue().decode("ascii").splitlines()[-1].startswith("xxx")
    assert b"xx~xx" in raw.getvalue()


@pytest.mark.parametrize("is_terminal", [True, False])
def test_only_a_terminal_gets_a_link(is_terminal: bool) -> None:
    """The name opens the run's page there (OSC 8); a file gets plain text."""
    file = io.StringIO()
    console = Console(file=file, width=80, force_terminal=is_terminal, color_system="standard" if is_terminal else None)
    console.print(LineTable(COLUMNS, list(ROWS)), crop=False)
    assert ("\x1b]8;" in file.getvalue()) is is_terminal
    assert ("\x1b" in file.getvalue()) is is_terminal


@pytest.mark.parametrize(
    ("values", "drawn"),
    [
        ([], ""),
        ([1.0], ""),
        ([0.0, 1.0], "▁█"),
        ([1.0, 1.0, 1.0], "▄▄▄"),
        ([0.0, 0.5, 1.0, 0.0], "▁▅█▁"),
        ([float(each // 2) for each in range(16)], "▁▂▃▄▅▆▇█"),
        ([-3.0, -2.0], "▁█"),
    ],
)
def test_a_course_in_eight_characters(values: list[float], drawn: str) -> None:
    """From its lowest to its highest value; a long one by means."""
    assert spark(values) == drawn
