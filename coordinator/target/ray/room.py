"""What a kernel asks of a Ray cluster, and whether there is room for it.

A job that Ray cannot start fails after 900 seconds in its queue. So coord hands over what there is room for.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from coordinator.errors import NoSlot, TargetError
from coordinator.kaggle_rules import normal_shape
from coordinator.project import RayRequest, RaySettings
from coordinator.target.ray.jobs import Amounts, Node, RayJob

_GIB = 1 << 30
_STARTS = 20.0
"""Seconds that a job may be in the queue although there was room for it."""


def asked(settings: RaySettings, target: str, machine_shape: str | None) -> Amounts:
    """What a kernel for that machine asks for. Raises TargetError if the settings do not say it."""
    shape = normal_shape(machine_shape or "") or "cpu"
    request = settings.shapes.get(shape, RayRequest() if shape == "cpu" else None)
    if request is None:
        raise TargetError(
            f"the settings do not say what {shape} is on {target}",
            hint=f"In [tool.coord.targets.{target}]: shapes = {{ {shape} = {{ gpus = 1 }} }}",
        )
    amounts = {
        "CPU": settings.cpus if request.cpus is None else request.cpus,
        "GPU": request.gpus,
        "memory": _GIB * (settings.memory_gib if request.memory_gib is None else request.memory_gib),
        **request.resources,
    }
    return {name: amount for name, amount in amounts.items() if amount}


def shown(amounts: Amounts) -> str:
    """The amounts in a sentence: "4 CPU, 1 GPU, 16 GiB of memory"."""
    return ", ".join(
        f"{amount / _GIB:g} GiB of memory" if name == "memory" else f"{amount:g} {name}"
        for name, amount in amounts.items()
    )


def never_fits(asks: Amounts, nodes: Sequence[Node]) -> str:
    """What each machine has too little of, with the most that one has; empty if one is large enough."""
    if any(_is_within(asks, node.total, {}) for node in nodes):
        return ""
    largest = {name: max((node.total.get(name, 0.0) for node in nodes), default=0.0) for name in asks}
    short = {name: amount for name, amount in largest.items() if amount < asks[name]}
    if not short:
        return f"no machine has all of {shown(asks)}"
    most = shown(short)
    return f"it asks for {shown({name: asks[name] for name in short})}, and the largest machine has {most}"


def check_room(asks: Amounts, nodes: Sequence[Node], jobs: Iterable[RayJob], *, at_once: int, now: float) -> None:
    """Raises NoSlot while there is no room for a job, and TargetError if there never is.

    With `at_once`, that many of coord's jobs have room: the cluster may grow for them. `now` is seconds since 1970.
    """
    active = [job for job in jobs if job.asks is not None and not job.is_over]
    if at_once:
        if len(active) >= at_once:
            raise NoSlot(f"the cluster has {len(active)} jobs of coord's, and at_once is {at_once}")
        return
    if lack := never_fits(asks, nodes):
        hint = "Change `shapes`. If the cluster adds machines by itself, set at_once, and Ray's queue is used."
        raise TargetError(f"the cluster never has room for it: {lack}", hint=hint)
    waiting = [job for job in active if job.status == "PENDING" and now - job.begun > _STARTS]
    if waiting:
        raise NoSlot(f"the cluster has no room: {len(waiting)} of coord's jobs wait in its queue")
    # What the head says about use is some seconds old, and does not have the jobs that were just handed over.
    total = {name: sum(node.total.get(name, 0.0) for node in nodes) for name in asks}
    ours = {name: sum((job.asks or {}).get(name, 0.0) for job in active) for name in asks}
    if not _is_within(asks, total, ours) or not any(_is_within(asks, node.total, node.used) for node in nodes):
        used = {name: max(ours[name], sum(node.used.get(name, 0.0) for node in nodes)) for name in asks}
        raise NoSlot(f"the cluster has no room for {shown(asks)} now: of {shown(total)}, {shown(used)} are in use")


def _is_within(asks: Amounts, total: Amounts, used: Amounts) -> bool:
    return all(total.get(name, 0.0) - used.get(name, 0.0) >= amount for name, amount in asks.items())
