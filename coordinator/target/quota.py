"""The verb quota: what is left of the accelerator hours of an account."""

from __future__ import annotations

from coordinator.project import Project, target_name
from coordinator.target.open import open_target
from coordinator.target.protocol import Quota


def current_quota(project: Project, name: str | None) -> Quota:
    """Asks the target of that name; None is the one that the project uses. Raises TargetError, CredentialsError."""
    with open_target(project, target_name(project, name)) as target:
        return target.quota()
