"""What an unquoted value of YAML means: only the type that is declared for it can tell.

YAML 1.1, as PyYAML reads it, takes `010` for 8, `1:30` for 90, `no` for false, `2026-01-02` for a date and `1e-3` for
text. YAML 1.2 takes `0o10` for 8 and `no` for text. So such a value is kept as it is written until its type is known.
"""

from __future__ import annotations

import math
import re
from typing import Any


class Written(str):
    """The text of an unquoted value."""

    __slots__ = ()


_NULL = {"", "~", "null", "Null", "NULL"}
_BOOL = {
    form: value
    for value, words in {True: ("true", "yes", "on"), False: ("false", "no", "off")}.items()
    for word in words
    for form in (word, word.title(), word.upper())
}
_DIGITS = "[0-9]+(?:_[0-9]+)*"
_DECIMAL = re.compile(rf"[-+]?{_DIGITS}")
_BASED = re.compile(r"[-+]?0(?:o[0-7_]*[0-7]|x[0-9a-fA-F_]*[0-9a-fA-F]|b[01_]*[01])")
_FLOAT = re.compile(rf"[-+]?(?:\.[0-9]+|{_DIGITS}(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"([-+]?)\.(inf|Inf|INF|nan|NaN|NAN)")


def untyped(text: str) -> Any:
    """The value where no type is declared: null, a bool (`yes` and `no`, too), a decimal number, or else text.

    Numbers as in YAML 1.2: `010` is 10, `0o10` is 8, `1e-3` is a float, and `1:30` and dates are text.
    """
    if text in _NULL:
        return None
    if text in _BOOL:
        return _BOOL[text]
    try:
        if _DECIMAL.fullmatch(text):
            return int(text)
        if _BASED.fullmatch(text):
            return int(text, 0)
    except ValueError:  # more digits than Python converts
        return str(text)
    if _FLOAT.fullmatch(text):
        number = float(text)
        return number if math.isfinite(number) else str(text)
    if found := _NOT_FINITE.fullmatch(text):
        return float(found[1] + found[2])
    return str(text)


def whole(text: str) -> int | None:
    """The whole number that is written, with or without an exponent: `010` and `1e1` are 10."""
    value = untyped(text)
    if isinstance(value, float) and "." not in text and value.is_integer():
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def truth(text: str) -> bool | None:
    """The bool that is written; `y` and `n`, which YAML 1.1 has and PyYAML does not know, are bools, too."""
    value = {"y": True, "n": False}.get(text.lower(), untyped(text))
    return value if isinstance(value, bool) else None


def text_of(value: Any) -> str | None:
    """The text where text or null is declared; None if the value is null, or no text."""
    if isinstance(value, Written):
        return None if value in _NULL else str(value)
    return value if isinstance(value, str) else None
