"""What a fetch has brought of one run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from coordinator.ledger import Run


@dataclass(frozen=True)
class Fetched:
    """A run's results on this machine."""

    run: Run
    directory: Path
    files: tuple[str, ...]
    size: int
    """Bytes that were transferred; 0 if everything was here already."""
    left_out: int = 0
    """Files of the output that are not here, because a pattern left them out, or the settings."""
    warnings: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        return {
            **self.run.to_json(),
            "directory": str(self.directory),
            "files": list(self.files),
            "transferred": self.size,
            "left_out": self.left_out,
        }
