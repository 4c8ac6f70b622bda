"""Options that a program requires and nothing gives, where another declaration than its flags checks the config."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from coordinator.errors import ProjectError
from coordinator.project.declaration.argparse_source import read_flags
from coordinator.project.declaration.options import names_given
from coordinator.project.declaration.sources import Computed
from coordinator.project.project import Project


def missing_options(project: Project, entry: str, args: Sequence[str], given: Collection[str] = ()) -> list[str]:
    """The flags (or names) that argparse requires and neither the arguments nor the values `given` have.

    None if only the running program knows its flags.
    """
    try:
        chosen, commands = read_flags(project, entry).chosen(dict.fromkeys(given), args)
    except (Computed, ProjectError):
        return []
    known = names_given(chosen, args) | commands | set(given)
    return [option.flag or option.name for option in chosen if option.required and option.name not in known]
