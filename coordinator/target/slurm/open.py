"""Opens a Slurm cluster by its settings. Nothing is sent before the first question."""

from __future__ import annotations

import contextlib
import getpass
from collections.abc import Iterator
from pathlib import Path

from coordinator.kaggle_rules import normal_name
from coordinator.project import Project, SlurmSettings, TargetName
from coordinator.target.cluster import FarSide, open_shell
from coordinator.target.slurm.client import Slurm

_PART = Path(__file__).with_name("far_slurm.py")


@contextlib.contextmanager
def open_slurm(project: Project, name: TargetName, settings: SlurmSettings) -> Iterator[Slurm]:
    """The target, which is closed after the block."""
    with contextlib.closing(slurm_of(project, name, settings)) as target:
        yield target


def slurm_of(project: Project, name: TargetName, settings: SlurmSettings) -> Slurm:
    """The target. Raises nothing."""
    # A Python of a container is none of the login node's.
    python = settings.python if settings.python.startswith("/") and not settings.container else "python3"
    return Slurm(
        name,
        project.settings.owner or normal_name(getpass.getuser()),
        FarSide(open_shell(settings.host), settings.root, python, (_PART,)),
        folders=settings.sources,
        resume_setting=project.settings.continue_setting,
        requeues=settings.requeues,
        settings=settings,
    )
