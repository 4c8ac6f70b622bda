"""The verb quota: what is left of the accelerator hours of an account."""

from __future__ import annotations

from coordinator.project import Project, target_name
from coordinator.target.abilities import KAGGLE, abilities_of, lacking
from coordinator.target.open import open_target
from coordinator.target.protocol import Quota


def current_quota(project: Project, name: str | None) -> Quota:
    """Asks the target of that name; None is the one that the project uses.

    Raises TargetError, CredentialsError, and UsageError if the target has no quota.
    """
    chosen = name or target_name(project, None)
    abilities = abilities_of(project, chosen)
    if not abilities.has_quota:
        remedy = f"Its own commands show what is used. Kaggle's quota: coord quota --target {KAGGLE}"
        raise lacking(chosen, abilities, "no quota that coord could ask for", remedy)
    with open_target(project, chosen) as target:
        return target.quota()
