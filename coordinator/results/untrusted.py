"""Reads JSON that a program wrote on another machine. It is untrusted: any part may be missing or of another type.

This is the only place that decides what counts as a number, a whole number, a text, a list or an object.
"""

from __future__ import annotations

import json
import math
from typing import Any

from coordinator.text import clean


def parse_json(text: str) -> Any:
    """The value of a JSON text, which can be written as strict JSON again: NaN and infinity become null.

    Raises ValueError.
    """
    try:
        found = json.loads(text, parse_constant=lambda _: None)
        json.dumps(found, ensure_ascii=False, allow_nan=False).encode("utf-8")
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    return found


def number(value: object) -> float | None:
    """A finite number; None for anything else, such as a whole number of hundreds of digits."""
    found = float_of(value)
    return found if math.isfinite(found) else None


def float_of(value: object) -> float:
    """A number, finite or not; NaN for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return math.nan
    try:
        return float(value)
    except OverflowError:
        return math.nan


def whole(value: object) -> int | None:
    """A whole number; None for anything else."""
    return value if isinstance(value, int) and not isinstance(value, bool) else None


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
