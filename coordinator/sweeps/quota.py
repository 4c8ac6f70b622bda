"""How much of the target's quota a sweep may use."""

from __future__ import annotations

from coordinator.errors import CoordError
from coordinator.kaggle_rules import GPU_HOURS
from coordinator.sweeps.plan import Plan
from coordinator.target import AcceleratorQuota, abilities_of
from coordinator.workspace import Workspace


def quota_for(workspace: Workspace, plan: Plan) -> AcceleratorQuota | None:
    """What the target says of the plan's accelerator; None for a plan without one, and a target without a quota.

    If the target gives no figure, GPUs have the hours of a week that Kaggle documents.
    """
    if plan.kind == "cpu" or not abilities_of(workspace.project, plan.target).has_quota:
        return None
    try:
        with workspace.open_target(plan.target) as there:
            found = [each for each in there.target.quota().accelerators if each.kind == plan.kind]
    except CoordError as error:
        workspace.say(f"note: the quota is not known: {error.what}")
        found = []
    if found:
        return found[0]
    return AcceleratorQuota("gpu", 0.0, 0.0, GPU_HOURS * 3600) if plan.kind == "gpu" else None
