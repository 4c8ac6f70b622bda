"""Reads JSON that a program wrote on another machine. It is untrusted: any part may be missing or of another type.

This is the only place that decides what counts as a number, a whole number, a text, a list or an object, and how
much of it is read: what one run left is read again with every command, and must not make them heavy.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from typing import Any

from coordinator.text import clean

JSON_MAX = 4 << 20  # characters of one JSON text
_VALUES_MAX = 200_000  # in one JSON text
_DEPTH_MAX = 64
_TOO_DEEP = "it is nested too deeply"
_NUMBER_MAX = 1e100  # sums of squares of such numbers are still finite
_SECONDS_MAX = 1e9
_WHOLE_MAX = 2**53


def parse_json(text: str) -> Any:
    """The value of a JSON text, which can be written as strict JSON again: NaN and infinity become null.

    Raises ValueError, also if it is too large or nested too deeply to be read again and again.
    """
    _check_amount(text)
    try:
        found = lenient_json(text)
    except RecursionError as error:
        raise ValueError(_TOO_DEEP) from error
    if not text.isascii() or "\\ud" in text or "\\uD" in text:  # there may be halves of characters
        _written(found)
    _check_depth(found, text)
    return found


def lenient_json(text: str) -> Any:
    """The value of a JSON text, NaN and infinity as null. Its size, depth and characters are not checked.

    Raises ValueError, also for a number that is too large for a float, and RecursionError.
    """
    return _DECODER.decode(text)


def _finite(text: str) -> float:
    if math.isinf(found := float(text)):
        raise ValueError(f"the number {text[:20]} is too large")
    return found


# Made once: with these options, `json.loads` and `json.dumps` would make new ones for every text.
_DECODER = json.JSONDecoder(parse_constant=lambda _: None, parse_float=_finite)
_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False)


def check_json(value: Any) -> None:
    """Raises ValueError if `parse_json` would not take the text of this value."""
    text = _written(value)
    _check_amount(text)
    _check_depth(value, text)


def _check_amount(text: str) -> None:
    check_size(len(text))
    # No value is without one of these before or after it. A list takes sixty times as many bytes as its text "[]".
    if sum(map(text.count, ",[{")) > _VALUES_MAX:
        raise ValueError(f"it has more than {_VALUES_MAX:,} values")


def _check_depth(value: Any, text: str) -> None:
    if text.count("[") + text.count("{") < _DEPTH_MAX:  # as nearly always: it cannot be nested more deeply than that
        return
    inner = [value]
    for _ in range(_DEPTH_MAX):
        inner = [each for value in inner if isinstance(value, dict | list) for each in _items(value)]
        if not inner:
            return
    raise ValueError(_TOO_DEEP)


def _written(value: Any) -> str:
    """As strict JSON. Raises ValueError if that cannot be."""
    try:
        text = _ENCODER.encode(value)
        text.encode("utf-8")
    except RecursionError as error:
        raise ValueError(_TOO_DEEP) from error
    return text


def check_size(size: int) -> None:
    """Raises ValueError if a JSON text is too large to be read."""
    if size > JSON_MAX:
        raise ValueError(f"it has {size:,} bytes: at most {JSON_MAX:,} are read")


def _items(value: dict[str, Any] | list[Any]) -> Iterable[Any]:
    return value.values() if isinstance(value, dict) else value


def number(value: object) -> float | None:
    """A number to compute with; None for anything else, also for one that is infinite or beyond 1e100."""
    if type(value) is float:  # nearly all are, and there are many of them
        return value if abs(value) <= _NUMBER_MAX else None
    found = float_of(value)
    return found if math.isfinite(found) else None


def seconds(value: object) -> float | None:
    """A number of seconds; None for anything else, also for more than thirty years."""
    found = number(value)
    return found if found is not None and abs(found) <= _SECONDS_MAX else None


def float_of(value: object) -> float:
    """A number, finite or not; NaN for anything else, also for a finite one beyond 1e100."""
    if type(value) is float and abs(value) <= _NUMBER_MAX:  # as nearly all are
        return value
    if isinstance(value, bool) or not isinstance(value, int | float):
        return math.nan
    if isinstance(value, float) and math.isinf(value):
        return value
    return float(value) if abs(value) <= _NUMBER_MAX else math.nan


def whole(value: object) -> int | None:
    """A whole number; None for anything else, also for one that JSON's numbers do not have exactly."""
    if value is None:  # as nearly always, where it is none
        return None
    return value if isinstance(value, int) and not isinstance(value, bool) and abs(value) <= _WHOLE_MAX else None


def text(value: object) -> str:
    """A text, or a number as one, without control characters; empty for anything else."""
    if isinstance(value, str):
        return clean(value)
    return "" if isinstance(value, bool) or not isinstance(value, int | float) else str(value)


def mapping(value: object) -> dict[str, Any]:
    """An object; an empty one for anything else."""
    return value if isinstance(value, dict) else {}


def mappings(value: object) -> list[dict[str, Any]]:
    """The objects of a list; none if it is no list."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def texts(value: object) -> tuple[str, ...]:
    """The texts of a list, without the empty ones; none if it is no list."""
    return tuple(filter(None, map(text, value))) if isinstance(value, list) else ()


def numbers(value: object) -> dict[str, float]:
    """The finite numbers of an object, by their names."""
    found = {clean(name): number(each) for name, each in mapping(value).items()}
    return {name: each for name, each in found.items() if each is not None}
