"""Text that comes from elsewhere and is written to a terminal."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from coordinator.text import clean


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("plain\ttext ü😀", "plain\ttext ü😀"),
        ("\x1b[31;1mred\x1b[0m", "red"),
        ("\x9b31mred", "red"),
        ("\x1b[2J\x1b[1;1Hgone", "gone"),
        ("\x1b[?25lhidden", "hidden"),
        ("\x1b]0;a title\x07text", "text"),
        ("\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x1bcreset", "creset"),
        ("a\x00b\x07c\x08d\x7fe\x85f", "abcdef"),
        ("10%\r50%\r100%", "100%"),
        ("100%\r", "100%"),
        ("\ud83d broken", " broken"),
    ],
)
def test_nothing_that_steers_a_terminal_gets_through(text: str, cleaned: str) -> None:
    """Colours, cursor movements, titles, control characters and halves of characters are taken out."""
    assert clean(text) == cleaned
    cleaned.encode("utf-8")


@given(st.text("\x1b\x9b[]0;mH\x07\\a\r\ud800", max_size=12))
def test_cleaning_leaves_no_control_character(text: str) -> None:
    """Sequences inside sequences leave no new one behind: what is left can be printed."""
    cleaned = clean(text)
    assert not set(cleaned) & set("\x1b\x9b\x07\r\ud800")
    assert clean(cleaned) == cleaned
