"""What the doctor checks of a Slurm cluster: the way there, the folder, Slurm itself, the Python, the requests."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from coordinator.errors import CoordError
from coordinator.finding import Finding, Level, problem
from coordinator.project import Project, SlurmSettings, TargetName
from coordinator.target.slurm.client import Slurm
from coordinator.target.slurm.open import slurm_of
from coordinator.target.slurm.script import job_script
from coordinator.text import clean

_GIB = 1 << 30
_LITTLE = 10 * _GIB
_OLDEST = (3, 8)
_LATER = "Try again in a while."


def findings(project: Project, name: TargetName, settings: SlurmSettings) -> Iterator[Finding]:
    """All findings about the target; a job is asked for, but none is submitted."""
    target = slurm_of(project, name, settings)
    try:
        place = target.far.ask("place")
        free = int(place["free"])
        what = f"{target.far.path(settings.root)} on {place['host']}, as {place['user']}: {free / _GIB:.0f} GiB free"
        if free < _LITTLE:
            yield Finding("folder", Level.WARNING, what, "Make room: a run ends where its disk is full.")
        else:
            yield Finding("folder", Level.OK, what)
        yield from _slurm(target)
        yield from _requests(target, settings)
        yield from _python(target, settings)
    except CoordError as error:
        yield problem(name, error, _LATER)
    finally:
        target.close()


def _slurm(target: Slurm) -> Iterator[Finding]:
    found = target.far.ask("slurm")
    if found["accounts"]:
        yield Finding("slurm", Level.OK, f"{found['version']}, with accounting")
    else:
        # Nothing is lost: runs keep their own record, and squeue knows jobs for some minutes after their end.
        yield Finding("slurm", Level.OK, f"{found['version']}, without accounting: runs keep their own record")


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


def _python(target: Slurm, settings: SlurmSettings) -> Iterator[Finding]:
    """Whether the Python is there on the login node, after the lines of `setup`; a container's is not looked at."""
    if settings.container:
        yield Finding("python", Level.OK, f"{settings.python} in {settings.container}: only a job shows what it has")
        return
    program = "import sys; print('coord', *sys.version_info[:2])"
    line = "\n".join([*settings.setup, f"exec {shlex.quote(settings.python)} -c {shlex.quote(program)}"])
    reply = target.far.shell.run(["bash", "-c", line])
    words = reply.out.decode("utf-8", "replace").split()
    said = next((clean(text) for text in reversed(reply.err.splitlines()) if text.strip()), f"code {reply.code}")
    if reply.code or len(words) < 3 or words[-3] != "coord":
        remedy = "Correct python or setup in its table."
        yield Finding(
            "python", Level.PROBLEM, f"{settings.python} does not start after the lines of setup: {said}", remedy
        )
        return
    version = (int(words[-2]), int(words[-1]))
    what = f"{settings.python} on the login node is {version[0]}.{version[1]}"
    if version < _OLDEST:
        yield Finding("python", Level.PROBLEM, what, "A kernel needs 3.8 or newer: name another one in `python`.")
    else:
        yield Finding("python", Level.OK, what)
