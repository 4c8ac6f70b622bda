"""What an older coord recorded in a run's message only, read as the fields that hold it now.

Used for the rows of an older ledger and for an older run.json.
"""

from __future__ import annotations

import re
from typing import Any

_LACKS = (
    re.compile(r"without (.+), which \S+ did not accept"),
    re.compile(r"its answer was lost: whether it has (.+) is not known"),
)
PATTERNS = ("it never arrived", "it was asked to stop", "without %", "its answer was lost: %")
"""SQL's LIKE finds by these every message that `fields_of` reads."""


def fields_of(message: str) -> dict[str, Any]:
    """The fields of a run (or of a submission) that this message stood for; empty for any other message."""
    if message == "it never arrived":
        return {"never_arrived": True}
    if message == "it was asked to stop":
        return {"stop_requested": True}
    found = next(filter(None, (pattern.fullmatch(message) for pattern in _LACKS)), None)
    return {"lacks": tuple(found[1].split(", "))} if found else {}
