"""What the checks of the ledger find."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Problem:
    """Something that is wrong with the ledger or with results/."""

    what: str
    remedy: str
    """What --repair does, or has done; without a repair, what the user can do."""
    repair: Callable[[], object] | None = None

    def to_json(self) -> dict[str, Any]:
        return {"what": self.what, "remedy": self.remedy, "repairable": self.repair is not None}


@dataclass(frozen=True)
class NotAsked:
    """A target that gave no answer: no problem of the ledger, but the check is incomplete."""

    what: str
    hint: str

    def to_json(self) -> dict[str, Any]:
        return {"what": self.what, "hint": self.hint}
