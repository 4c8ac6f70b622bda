"""The generated pages are what the code says now, and the manual has every command."""

from __future__ import annotations

import re

import pytest
from click import Group

from coordinator.cli.manual import MANUAL
from tests.reference import DOCS, commands, pages

PAGES = pages()


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_a_generated_page_is_up_to_date(path) -> None:  # type: ignore[no-untyped-def]
    assert path.read_text(encoding="utf-8") == PAGES[path], f"{path.name} is old: make reference"


def test_each_command_has_an_entry_with_examples_and_a_page() -> None:
    """The examples begin with the command; the page and its heading exist."""
    for name, command in commands():
        if not (isinstance(command, Group) and name not in MANUAL):
            manual = MANUAL[name]
            assert all(example.startswith(f"coord {name.partition(' ')[0]}") for example in manual.examples), name
            assert (DOCS.parent / manual.page.partition("#")[0]).is_file(), f"{name}: {manual.page}"
    text = PAGES[DOCS / "commands.md"]
    headings = re.findall(r"^### coord (.+)$", text, flags=re.M)
    assert len(headings) == len(set(headings)) >= 45
