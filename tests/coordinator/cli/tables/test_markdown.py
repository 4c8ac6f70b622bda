"""Tables as Markdown: a reader of it finds the same cells, whatever is in them, and nothing else."""

from __future__ import annotations

import re

import pytest
from markdown_it import MarkdownIt
from rich.console import Group
from rich.table import Table
from rich.text import Text

from coordinator.cli.tables.markdown import markdown

READER = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
NAMES = (
    "base--lr0.001-s2 local-v1",
    "a | b",
    "a\\|b",
    "*bold* _it_ __x__",
    "`code`",
    "[text](https://example.com)",
    "![image](https://example.com/x.png)",
    "<img src=https://example.com/x.png>",
    "<!-- comment",
    "~~gone~~",
    "a\nb",
    "",
)


def _cells(text: str) -> list[list[str]]:
    """The texts of each row of the tables, and nothing but texts."""
    rows: list[list[str]] = []
    for token in READER.parse(text):
        if token.type == "tr_open":
            rows.append([])
        elif token.type == "inline" and rows:
            assert {child.type for child in token.children or []} <= {"text", "text_special"}, token.content
            rows[-1].append("".join(child.content for child in token.children or []))
    return rows


@pytest.mark.parametrize("name", NAMES)
def test_a_cell_is_what_it_was(name: str) -> None:
    """In the header and in a row: no link, image, HTML or further cell comes of a name."""
    table = Table(name, "mean")
    table.add_row(name, "0.5")
    shown = re.sub(r"\s+", " ", name)
    assert _cells(markdown(table)) == [[shown, "mean"], [shown, "0.5"]]


def test_numbers_are_to_the_right_and_lines_are_paragraphs() -> None:
    """Bold lines stay bold; text between tables keeps them apart; lines that are empty are left out."""
    table = Table("run")
    table.add_column("mean", justify="right")
    table.add_row("a", Text("0.5"))
    shown = markdown(Group(Text("title *", style="bold green"), table, Text("\none\n\ntwo\n"), table, Text("")))
    block = "| run | mean |\n| --- | ---: |\n| a | 0.5 |"
    assert shown == f"**title \\***\n\n{block}\n\none  \ntwo\n\n{block}"


def test_what_is_no_table_is_refused() -> None:
    """A new kind of output must be thought of here."""
    with pytest.raises(TypeError, match="not a table: str"):
        markdown("text")
