"""What the doctor finds."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from coordinator.errors import CoordError


class Level(StrEnum):
    """How serious a finding is."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"


@dataclass(frozen=True)
class Finding:
    """The result of one check: what was found, and what to do about it."""

    check: str
    level: Level
    what: str
    remedy: str = ""

    def to_json(self) -> dict[str, str]:
        return {"check": self.check, "state": str(self.level), "what": self.what, "remedy": self.remedy}


def problem(check: str, error: CoordError, remedy: str = "") -> Finding:
    """The error as a finding; `remedy` is for an error without a hint."""
    return Finding(check, Level.PROBLEM, error.what, error.hint or remedy)
