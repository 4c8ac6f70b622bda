"""What a check finds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Problem:
    """Something that is not as it should be."""

    what: str
    remedy: str
    """What --repair does about it, or has done; else what a person can do."""
    repair: Callable[[], object] | None = None

    def to_json(self) -> dict[str, Any]:
        return {"what": self.what, "remedy": self.remedy, "repairable": self.repair is not None}


@dataclass(frozen=True)
class NotAsked:
    """A target, or a part of it, that gave no answer: no problem of the ledger, but what it knows was left out."""

    what: str
    hint: str

    def to_json(self) -> dict[str, Any]:
        return {"what": self.what, "hint": self.hint}
