"""The value that every verb takes first: project, ledger, target, clock, and functions for messages and progress."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from coordinator.clock import SYSTEM_CLOCK, Clock
from coordinator.ledger import Ledger
from coordinator.progress import Progress, show_nothing
from coordinator.project import Project, target_name
from coordinator.target import lacking

if TYPE_CHECKING:  # what talks to a target takes as long to load as the ledger: many verbs need none
    from coordinator.target import Datasets, Target


def _say_nothing(text: str) -> None:
    """The default of `Workspace.say`."""


@dataclasses.dataclass(frozen=True)
class Workspace:
    """A project with its open ledger and, for verbs that need one, an open target."""

    project: Project
    ledger: Ledger
    opened: Target | None = None
    clock: Clock = SYSTEM_CLOCK
    say: Callable[[str], None] = _say_nothing
    """Receives each message about progress: one line of text for the user."""
    progress: Progress = show_nothing
    """Shows how far a long job is: `with workspace.progress(Count(...))`."""

    @property
    def target(self) -> Target:
        """The open target. Raises RuntimeError if there is none, which is a programming error."""
        if self.opened is None:
            raise RuntimeError("this workspace has no open target")
        return self.opened

    @property
    def datasets(self) -> Datasets:
        """The data sets of the target. Raises UsageError if it has none, with what to do instead."""
        target = self.target
        if not target.abilities.has_datasets:
            remedy = (
                f'Copy the folder there (rsync), and say where it lies: sources = {{"OWNER/SLUG" = "/its/folder"}} '
                f"in [tool.coord.targets.{target.name}]."
            )
            raise lacking(target.name, target.abilities, "no data sets of its own", remedy)
        return target.datasets

    def at(self, target: Target) -> Workspace:
        """The same workspace with that target."""
        return dataclasses.replace(self, opened=target)

    @contextlib.contextmanager
    def open_target(self, name: str | None) -> Iterator[Workspace]:
        """The same workspace with the target of that name, which is closed after the block.

        With None it is the target that `project.target_name` finds without an option. Raises the errors of
        `target.open_target`, which are also about a target that a run was pushed to and the settings do not have now.
        """
        from coordinator.target import open_target

        with open_target(self.project, name or target_name(self.project, None)) as target:
            yield self.at(target)
