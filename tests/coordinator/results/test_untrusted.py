"""What counts as a number, a text or an object in JSON that another program wrote."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given

from coordinator.results.untrusted import (
    float_of,
    mapping,
    mappings,
    number,
    numbers,
    parse_json,
    text,
    texts,
    whole,
)
from tests.coordinator.results.json_values import JSON

HUGE = 10**400


@given(JSON)
def test_json_comes_back(data: Any) -> None:
    """Strict JSON is read as it was written."""
    assert parse_json(json.dumps(data)) == data


def test_what_json_does_not_have_becomes_null() -> None:
    """Python's own writer puts NaN and Infinity into a file; no strict reader takes them."""
    assert parse_json('{"a": NaN, "b": [Infinity, -Infinity], "c": 1}') == {"a": None, "b": [None, None], "c": 1}


@pytest.mark.parametrize(
    "broken",
    [
        *("", "{", "nan", "1e999", "[1.5, -1e999]", "9" * 5000, "[" * 50_000, "[" * 70 + "]" * 70),
        *('"\\ud800"', '"\\uD800"', '"\ud800"', '{"\\uDC00": 1}'),
    ],
)
def test_json_that_cannot_be_written_again(broken: str) -> None:
    """It is nested too deeply, too large, cut off, or has half a character: all give the same type of error."""
    with pytest.raises(ValueError):  # noqa: PT011  # its text is Python's own
        parse_json(broken)


@pytest.mark.parametrize(
    ("value", "as_number", "as_whole", "as_text"),
    [
        (3, 3.0, 3, "3"),
        (0.5, 0.5, None, "0.5"),
        ("0.5", None, None, "0.5"),
        ("a\x1b[31mb", None, None, "ab"),
        (True, None, None, ""),
        (None, None, None, ""),
        ([1], None, None, ""),
        ({"a": 1}, None, None, ""),
        (HUGE, None, None, str(HUGE)),
        (2**53, 2.0**53, 2**53, str(2**53)),
        (1e101, None, None, "1e+101"),
    ],
)
def test_one_value(value: object, as_number: float | None, as_whole: int | None, as_text: str) -> None:
    """A boolean or a text is no number; a boolean, a list or an object is no text."""
    assert (number(value), whole(value), text(value)) == (as_number, as_whole, as_text)
    assert float_of(value) == as_number or math.isnan(float_of(value))


def test_numbers_that_are_not_finite() -> None:
    """`number` does not take them, `float_of` does."""
    assert (number(math.inf), number(math.nan), float_of(-math.inf)) == (None, None, -math.inf)


def test_lists_and_objects() -> None:
    """What is of another type is left out, the whole value or a part of it."""
    assert mapping({"a": 1}) == {"a": 1}
    assert mapping([("a", 1)]) == {}
    assert mappings([{"a": 1}, 5, None, {}]) == [{"a": 1}, {}]
    assert mappings({"a": {}}) == []
    assert texts(["a", None, 5, "", "\x07"]) == ("a", "5")
    assert texts("ab") == ()
    assert numbers({"a\x07": 1, "b": "x", "c": math.inf, "d": True}) == {"a": 1.0}
    assert numbers([1]) == {}
