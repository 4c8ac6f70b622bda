"""Reads JSON that a kernel wrote: untrusted, so that everything may be missing or of another kind."""

from __future__ import annotations

import json
import math
from typing import Any

from coordinator.text import clean as clean  # part of how a log is read


def parse_json(text: str) -> Any:
    """What a kernel wrote, as JSON that can be written again: NaN becomes null. Raises ValueError."""
    try:
        found = json.loads(text, parse_constant=lambda _: None)
        json.dumps(found, ensure_ascii=False, allow_nan=False).encode("utf-8")
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    return found


def dicts(value: Any) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:  # a whole number of hundreds of digits
        return None
    return number if math.isfinite(number) else None


def whole(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None
