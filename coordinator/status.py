"""The verb status: every run as it stands now."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import cast

from coordinator.errors import CoordError
from coordinator.ledger import Ledger, Run
from coordinator.project import Project, TargetName
from coordinator.refresh import refresh
from coordinator.targets import open_target


@dataclass(frozen=True)
class Status:
    """The runs, newest first, and what kept some of them from being brought up to date."""

    runs: tuple[Run, ...]
    errors: tuple[CoordError, ...]


def status(project: Project, ledger: Ledger, runs: Iterable[Run]) -> Status:
    """Asks the targets about every run that may be going on; if a target fails, its runs stay as last known."""
    runs = list(runs)
    errors: list[CoordError] = []
    for name in sorted({run.target for run in runs if run.state.is_active}):
        try:
            with open_target(project, cast(TargetName, name)) as target:
                for run in runs:
                    if run.target == name and run.state.is_active:
                        refresh(project, target, ledger, run)
        except CoordError as error:
            errors.append(error)
    return Status(runs=tuple(ledger.get(run.id) for run in runs), errors=tuple(errors))
