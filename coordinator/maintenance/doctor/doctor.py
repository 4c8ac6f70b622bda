"""The verb doctor: checks all that a push needs, from the credentials to the clock, and says what to do."""

from __future__ import annotations

import os
from pathlib import Path

from coordinator.clock import SYSTEM_CLOCK, Clock
from coordinator.errors import ProjectError
from coordinator.finding import Finding, Level, problem
from coordinator.maintenance.doctor.of_machine import check_disk, check_versions
from coordinator.maintenance.doctor.of_project import (
    attached_sources,
    check_dry_run,
    check_experiments,
    check_git,
    check_ledger,
    check_needs,
    check_wheels,
)
from coordinator.maintenance.doctor.of_target import Sources, check_cluster, check_kaggle, check_local
from coordinator.project import Experiment, Project, Settings, find_project, target_name
from coordinator.target import KAGGLE, LOCAL, abilities_of


def diagnose(option: str | None = None, *, clock: Clock = SYSTEM_CLOCK) -> list[Finding]:
    """All findings, for the target that `option` names or that the project uses. None contains a secret.

    The target `local` needs no network.
    """
    found = list(check_versions())
    project: Project | None = None
    try:
        project = find_project()
        name = target_name(project, option)
        found.append(Finding("project", Level.OK, f"{project.root}, target {name}"))
    except ProjectError as error:
        found.append(problem("project", error))
        name = LOCAL if (option or os.environ.get("COORD_TARGET")) == LOCAL else KAGGLE
    found += check_disk(project.root if project else Path.cwd())
    sources: Sources = {}
    experiments: list[Experiment] = []
    if project is not None:
        experiments = list(
            check_experiments(project, found, for_kaggle=abilities_of(project, name).checks_kaggle_rules)
        )
        sources = attached_sources(experiments)
        found += check_needs(project, experiments, name)
        found += check_dry_run(project, experiments)
        found += check_wheels(project)
        found += check_ledger(project)
        found += check_git(project)
    if name == KAGGLE:
        # Without a project there are no settings either, but there may be an account.
        found += check_kaggle(project or Project(root=Path.cwd(), settings=Settings()), sources, clock)
    elif project is not None:
        found += check_local(project, sources) if name == LOCAL else check_cluster(project, name, sources, experiments)
    return found
