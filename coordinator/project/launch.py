"""How an experiment's program is started: what runs, with which arguments, where, and how it gets the config."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

AS_FILE: dict[str, Any] = {"kind": "file"}
"""The delivery of a project's own model source: it reads the file that COORD_CONFIG names."""


@dataclass(frozen=True)
class Launch:
    """The program's start."""

    entry: str
    """A module's name, or a script's path below the project."""
    args: tuple[str, ...] = ()
    """Its arguments, before those that deliver the config."""
    cwd: Literal["checkout", "working"] = "working"
    """In its checkout, where relative names find the program's files, or in the kernel's working directory."""
    delivery: Mapping[str, Any] = field(default_factory=lambda: AS_FILE)
    """How the config reaches it: JSON-like data for `bundle/delivery.py`."""

    def to_json(self) -> dict[str, Any]:
        return {"entry": self.entry, "args": list(self.args), "cwd": self.cwd, "delivery": dict(self.delivery)}

    def work(self, usual: str) -> dict[str, Any]:
        """What of it changes the work; empty for the `usual` entry when it is started as a model source is.

        (Runs that were recorded before there was a Launch are equal to those, and are known again.)
        """
        return {} if self == Launch(usual) else self.to_json()


def is_script(root: Path, entry: str) -> bool:
    """Whether an entry is a script's path rather than a module's name."""
    return entry.endswith(".py") or "/" in entry or (root / entry).is_file()
