"""What `coord doctor` finds out about a Ray cluster: the head, its machines, the shared folder, the Python there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import cast

from coordinator.errors import CoordError
from coordinator.finding import Finding, Level, problem
from coordinator.project import Project, RaySettings, TargetName
from coordinator.target.cluster import python_findings
from coordinator.target.ray.room import asked, never_fits, shown
from coordinator.target.ray.target import Ray, open_ray

_GIB = 1 << 30
_LITTLE = 5.0  # GiB


def findings(
    project: Project, name: TargetName, settings: RaySettings, modules: Mapping[str, str]
) -> Iterator[Finding]:
    """Asks the head and the host that sees the folder; starts no job. See `target.cluster_findings`."""
    with open_ray(project, name, settings) as target:
        ray = cast(Ray, target)
        yield from _head(ray)
        yield from _far_side(ray, modules)


def _head(ray: Ray) -> Iterator[Finding]:
    try:
        version, nodes = ray.jobs.version(), ray.jobs.nodes()
    except CoordError as error:
        yield problem("head", error)
        return
    yield Finding("head", Level.OK, f"Ray {version} at {ray.settings.address}, machines: {len(nodes)}")
    for shape in ray.settings.shapes:
        asks = asked(ray.settings, ray.name, shape)
        if lack := never_fits(asks, nodes):
            # A cluster that grows has no such machine yet.
            level = Level.WARNING if ray.settings.at_once else Level.PROBLEM
            yield Finding("machines", level, f"{shape} has no machine: {lack}", "Change `shapes` in its table.")
        else:
            yield Finding("machines", Level.OK, f"{shape}: {shown(asks)}")


def _far_side(ray: Ray, modules: Mapping[str, str]) -> Iterator[Finding]:
    where = ray.far.path(ray.settings.root)
    try:
        room = float(ray.far.ask("place")["free"]) / _GIB
    except CoordError as error:
        yield problem("folder", error, f"Is {where} there, and may you write in it?")
        return
    level = Level.OK if room > _LITTLE else Level.WARNING
    remedy = "" if level is Level.OK else "Delete old kernels there: a full disk ends runs."
    yield Finding("folder", level, f"{where} can be written, {room:.0f} GiB free", remedy)
    try:
        yield from python_findings(ray.far.shell, ray.settings.python, ray.settings.setup, modules)
    except CoordError as error:
        yield problem("python", error)
