"""Tells the user, once in a project, where this machine cannot isolate the sessions of the local Kaggle."""

from __future__ import annotations

from collections.abc import Callable

from coordinator.project import Project
from coordinator.target import local
from coordinator.workspace import Workspace


def warn_if_here(workspace: Workspace) -> None:
    """The same, where the workspace's target runs sessions on this machine."""
    if workspace.target.abilities.is_on_this_machine:
        warn_of_isolation(workspace.project, workspace.say)


def warn_of_isolation(project: Project, say: Callable[[str], None]) -> None:
    """Calls `say` with the warning, unless sessions are isolated or the user was warned before."""
    if warning := local.isolation_warning(project):
        say(f"note: {warning}")
