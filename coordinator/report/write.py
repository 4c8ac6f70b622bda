"""The verb report: makes the page and writes it into a file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from coordinator.disk import hint as full_hint
from coordinator.errors import UsageError
from coordinator.files import write_atomically
from coordinator.report.make import Contents, make_report
from coordinator.workspace import Workspace


@dataclass(frozen=True)
class WrittenReport:
    """A page that was written."""

    file: Path
    size: int
    """Bytes."""
    configs: int
    """How many lines its leaderboards have."""
    runs: tuple[str, ...]
    """Ids of the runs that it shows, the best first."""

    def to_json(self) -> dict[str, Any]:
        return {"file": str(self.file), "bytes": self.size, "configs": self.configs, "runs": list(self.runs)}


def write_report(workspace: Workspace, file: Path, contents: Contents) -> WrittenReport:
    """Makes the page and writes it as a whole. Raises what `make_report` does, and UsageError if it cannot."""
    made = make_report(workspace, contents)
    for warning in made.warnings:
        workspace.say(f"warning: {warning}")
    try:
        write_atomically(file, made.text)
    except OSError as error:
        raise UsageError(f"--output {file}: {error.strerror}", hint=full_hint(error, file)) from error
    return WrittenReport(file, len(made.text.encode("utf-8")), made.configs, made.runs)
