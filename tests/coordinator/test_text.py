"""Text that comes from elsewhere and is written to a terminal."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st
from rich.cells import cell_len

from coordinator.text import clean, in_one_line, sentences, shortened


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
        ("base--cut0.5-epochs20-s0 local-v2", 20, "base--…0-s0 local-v2"),
        ("日本語の実験名前 local-v3", 20, "日本語…名前 local-v3"),
        ("e\u0301" * 9, 5, "e\u0301…e\u0301e\u0301e\u0301"),
        ("abc", 1, "…"),
        ("abc", 0, ""),
        ("", 0, ""),
    ],
)
def test_a_name_that_is_too_long_loses_its_middle(text: str, width: int, shown: str) -> None:
    """Cells of a terminal are counted: two for a CJK character, none for an accent, which stays at its letter."""
    assert shortened(text, width) == shown


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("no images", "no images"),
        (
            "x is not in input, which holds\n  a/\n  a/b.csv\nThe script ended.",
            "x is not in input, which holds: a/, a/b.csv; The script ended.",
        ),
        ("x is not in input, which holds\r\n  (nothing)\r\n", "x is not in input, which holds: (nothing)"),
        (
            'Error(s) in loading state_dict for Net:\n\tMissing key(s): "a", "b". \n\tsize mismatch for c',
            'Error(s) in loading state_dict for Net: Missing key(s): "a", "b". size mismatch for c',
        ),
        (
            "CUDA error: out of memory\nCUDA kernel errors might be reported later.\nPass CUDA_LAUNCH_BLOCKING=1",
            "CUDA error: out of memory; CUDA kernel errors might be reported later. Pass CUDA_LAUNCH_BLOCKING=1",
        ),
        ("1 error for Config\nlr\n  must be positive [got=-1]", "1 error for Config; lr: must be positive [got=-1]"),
        ("None of [Index(['a',\n      dtype='str')] are there", "None of [Index(['a', dtype='str')] are there"),
        ("two problems\n- no a\n- no b", "two problems: no a, no b"),
        ("\n\nat the second\n\n-----\n  ^^^\nthere", "at the second; there"),
        ("10%\r100%\n\x1b[31mred", "100%; red"),
        ("x" * 301, "x" * 299 + "…"),
        ("-lr is 3", "-lr is 3"),
        ("", ""),
    ],
)
def test_a_message_of_several_lines_as_one(text: str, line: str) -> None:
    """Its lists are put behind the line above them, its lines are kept apart, and rules and arrows are left out."""
    assert in_one_line(text) == line


@given(st.text("a .:-\n\r\t\x1b[", max_size=20))
def test_one_line_is_one_line(text: str) -> None:
    """Whatever the text; and it stays as it is."""
    found = in_one_line(text)
    assert "\n" not in found
    assert in_one_line(found) == found


def test_parts_of_a_text() -> None:
    """No semicolon behind a full stop; parts without a text take no place."""
    assert sentences("", "it failed", "", "epoch 3.", "outdated") == "it failed; epoch 3. outdated"


@given(st.text("aé日\u0301\u200d👩🇩🇪\ufe0f-", max_size=30), st.integers(0, 40))
def test_a_shortened_text_fits(text: str, width: int) -> None:
    """Whatever is in it; and one that fits is as it was."""
    shown = shortened(text, width)
    assert cell_len(shown) <= width
    assert shown == text or cell_len(text) > width
