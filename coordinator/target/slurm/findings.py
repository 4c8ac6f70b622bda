"""What the doctor checks of a Slurm cluster: the way there, the folder, Slurm itself, the Python, the requests."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from coordinator.errors import CoordError
from coordinator.finding import Finding, Level, problem
from coordinator.project import Project, SlurmSettings, TargetName
from coordinator.target.cluster import Container, python_findings
from coordinator.target.slurm.client import Slurm
from coordinator.target.slurm.open import slurm_of
from coordinator.target.slurm.script import job_script, python_start

_GIB = 1 << 30
_LITTLE = 10 * _GIB
_OF_ONE_MACHINE = re.compile(r"tmpfs|ramfs|overlay|ext[234]|xfs|btrfs|zfs|f2fs")
"""Types of file systems that another machine sees only if this one exports them."""
_LATER = "Try again in a while."


def findings(
    project: Project, name: TargetName, settings: SlurmSettings, modules: Mapping[str, str]
) -> Iterator[Finding]:
    """All findings about the target; a job is asked for, but none is submitted. See `target.cluster_findings`."""
    target = slurm_of(project, name, settings)
    try:
        place = target.far.ask("place")
        free = int(place["free"])
        what = f"{target.far.path(settings.root)} on {place['host']}, as {place['user']}: {free / _GIB:.0f} GiB free"
        if free < _LITTLE:
            yield Finding("folder", Level.WARNING, what, "Make room: a run ends where its disk is full.")
        else:
            yield Finding("folder", Level.OK, what)
        yield from _slurm(target, str(place["host"]))
        yield from _requests(target, settings)
        yield from _python(target, settings, modules)
    except CoordError as error:
        yield problem(name, error, _LATER)
    finally:
        target.close()


def _slurm(target: Slurm, host: str) -> Iterator[Finding]:
    found = target.far.ask("slurm")
    if found["accounts"]:
        yield Finding("slurm", Level.OK, f"{found['version']}, with accounting")
    else:
        # Nothing is lost: runs keep their own record, and squeue knows jobs for some minutes after their end.
        yield Finding("slurm", Level.OK, f"{found['version']}, without accounting: runs keep their own record")
    yield shared(str(found["file_system"]), host, [str(each) for each in found["nodes"]])


def shared(file_system: str, host: str, nodes: Sequence[str]) -> Finding:
    """Whether the nodes see the root folder of `host`, as far as that is known without a job."""
    others = [node for node in nodes if node.partition(".")[0] != host.partition(".")[0]]
    what = f"root is on {file_system or 'a file system of unknown type'} of {host}"
    if not others:
        told = "which is the cluster's only machine" if nodes else "and sinfo names no machine that has to see it"
        return Finding("shared", Level.OK, f"{what}, {told}")
    named = ", ".join(others[:3]) + ", ..." * (len(others) > 3)
    told = f"{len(others)} other machine{'s' * (len(others) != 1)} ({named})"
    if _OF_ONE_MACHINE.fullmatch(file_system):
        remedy = f"Unless {host} exports it to them, name a folder that all see in `root` (df -hT shows the types)."
        return Finding("shared", Level.WARNING, f"{what}; only a job shows whether {told} can see it", remedy)
    return Finding("shared", Level.OK, f"{what}; only a job shows whether {told} can see it, at the same path")


def _requests(target: Slurm, settings: SlurmSettings) -> Iterator[Finding]:
    time = [f"--time={settings.time}"] if settings.time else []
    fit = []
    for shape, options in {"cpu": (), **settings.shapes}.items():
        try:
            target.far.ask("test", script=job_script(settings, "coord-doctor", [*time, *options]))
            fit.append(shape)
        except CoordError as error:
            yield Finding("requests", Level.PROBLEM, f"{shape}: {error.what}", error.hint or _LATER)
    if fit:
        yield Finding("requests", Level.OK, f"sbatch takes a job for {', '.join(fit)}")


def _python(target: Slurm, settings: SlurmSettings, modules: Mapping[str, str]) -> Iterator[Finding]:
    """The Python of the login node, which the nodes have at the same path, or of the container if that starts there."""
    container = None
    if settings.container:
        if not _starts_containers(target, settings):
            what = f"{settings.python} in {settings.container}: only a job shows what it has"
            yield Finding("python", Level.OK, what)
            return
        container = Container(settings.container, python_start(settings))
    yield from python_findings(target.far.shell, settings.python, settings.setup, modules, container)


def _starts_containers(target: Slurm, settings: SlurmSettings) -> bool:
    """Whether the login node itself can. With pyxis only a job has a container."""
    if settings.container_kind != "apptainer":
        return False
    line = "\n".join([*settings.setup, "command -v apptainer"])
    return target.far.shell.run(["bash", "-c", line]).code == 0
