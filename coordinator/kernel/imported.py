"""What a kernel imports from the Python that it runs in."""

from __future__ import annotations

from coordinator.bundle import gather, image_of, modules_imported
from coordinator.kaggle_rules import COMPETITION_MODULES
from coordinator.kernel.build import selection_of
from coordinator.progress import Count
from coordinator.project import Experiment, Project


def modules_needed(project: Project, experiment: Experiment) -> dict[str, str]:
    """Module -> distribution, of what import statements lead to from the entry on, sorted.

    Without what goes into the kernel, what its attached sources bring, and what the program can do without. Raises
    BundleError or ProjectError.
    """
    settings, image = project.settings, image_of(project)
    found = gather(project.root, experiment.launch.entry, selection_of(project, experiment, Count("")))
    brought = (*settings.image_extra, *(COMPETITION_MODULES if experiment.kernel.competition_sources else ()))
    names = modules_imported(found, settings.vendor, brought, entry=experiment.launch.entry, python=image.python)
    return {name: image.distribution_of(name) or name for name in names}
