"""Text that comes from elsewhere and is written to a terminal."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st
from rich.cells import cell_len

from coordinator.text import clean, shortened


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


@pytest.mark.parametrize(
    ("text", "width", "shown"),
    [
        ("base--cut0.5-epochs20-s0 local-v2", 33, "base--cut0.5-epochs20-s0 local-v2"),
        ("base--cut0.5-epochs20-s0 local-v2", 20, "base--cut…0 local-v2"),
        ("日本語の実験名前 local-v3", 20, "日本語の…前 local-v3"),
        ("e\u0301" * 9, 5, "e\u0301e\u0301…e\u0301e\u0301"),
        ("abc", 1, "…"),
        ("abc", 0, ""),
        ("", 0, ""),
    ],
)
def test_a_name_that_is_too_long_loses_its_middle(text: str, width: int, shown: str) -> None:
    """Cells of a terminal are counted: two for a CJK character, none for an accent, which stays at its letter."""
    assert shortened(text, width) == shown


@given(st.text("aé日\u0301\u200d👩🇩🇪\ufe0f-", max_size=30), st.integers(0, 40))
def test_a_shortened_text_fits(text: str, width: int) -> None:
    """Whatever is in it; and one that fits is as it was."""
    shown = shortened(text, width)
    assert cell_len(shown) <= width
    assert shown == text or cell_len(text) > width
