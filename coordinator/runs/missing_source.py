"""What to do about an attached source that is not there: each kind has its own command, on each target another."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

from coordinator.errors import CoordError, TargetError
from coordinator.kaggle_rules import SOURCE_KINDS, normal_name
from coordinator.kernel import kernel_slug
from coordinator.project import Project, TargetName, kernel_titles
from coordinator.target import LOCAL, attached_remedy
from coordinator.text import command_line
from coordinator.workspace import Workspace

_PAGES = {
    "dataset_sources": "https://www.kaggle.com/datasets/",
    "competition_sources": "https://www.kaggle.com/competitions/",
    "kernel_sources": "https://www.kaggle.com/code/",
    "model_sources": "https://www.kaggle.com/models/",
}


def source_remedy(project: Project, kind: str, name: str, target: TargetName) -> str:
    """The command that makes the source known, or where to look for it; `kind` is a key such as dataset_sources."""
    if kind == "kernel_sources" and (own := _own_kernel(project, name)):
        push = command_line("coord", "push", "--exp", own, "--wait", "--target", target)
        return f"Its kernel is made of {own}: {push} (needs: [{own}] in the experiment attaches it by itself)"
    if (cluster := project.settings.targets.get(target)) is not None:
        return attached_remedy(kind, name, target, host=cluster.host, root=cluster.root, folders=cluster.sources)
    if told := _own_source(project, name):
        return told
    if target == LOCAL:
        return _local(kind, name)
    page = f"{_PAGES[kind]}{name}"
    if kind == "competition_sources":
        return f"Check the name, and accept the competition's rules: {page}/rules"
    ways = {
        "dataset_sources": f"One of your own is made by: {command_line('coord', 'data', 'push', 'DIR', name)}",
        "kernel_sources": "Its newest version must be complete.",
        "model_sources": "A new version of your own is made on its page.",
    }
    return f"Check the name: {page}. If it is private, ask its owner to share it. {ways[kind]}"


def check_own_sources(workspace: Workspace, metadata: Mapping[str, Any]) -> None:
    """Raises TargetError if an attached source is not there that `[tool.coord] own_sources` says how to make.

    A session would start without it. Other sources are not asked for.
    """
    for kind in SOURCE_KINDS:
        for name in metadata.get(kind) or ():
            told = _own_source(workspace.project, name)
            if told and not workspace.target.has_source(kind, name):
                raise TargetError(
                    f"{name} is attached, but not on {workspace.target.name}, or not for you; nothing was pushed",
                    hint=told,
                )


def _own_source(project: Project, name: str) -> str:
    """What [tool.coord] own_sources says about a source; empty if it does not name it."""
    told = project.settings.own_sources
    found = next((each for each in told if fnmatchcase(name, each)), None)
    return told[found].replace("{name}", name) if found else ""


def _local(kind: str, name: str) -> str:
    words = {
        "dataset_sources": ("add-dataset", name, "DIR"),
        "competition_sources": ("add-competition", name, "DIR"),
        "model_sources": ("add-model", name, "DIR"),
    }
    if kind == "kernel_sources":
        return f"Push the kernel {name} to the local Kaggle, and let it complete; or attach its output as a data set."
    add = f"Make it known to the local Kaggle: {command_line('coord', LOCAL, *words[kind])}"
    if kind == "dataset_sources":
        return f"{add}, or {command_line('coord', 'data', 'push', 'DIR', name, '--target', LOCAL)}"
    return add


def _own_kernel(project: Project, name: str) -> str | None:
    """The experiment of this project whose kernel has that address."""
    owner, _, slug = name.partition("/")
    try:
        titles = kernel_titles(project)
    except CoordError:
        return None
    slugs = {kernel_slug(title, experiment): experiment for experiment, title in titles.items()}
    ours = {project.settings.owner or owner, "me"}
    return slugs.get(slug.partition("/")[0]) if owner in ours else None


def kinds_of(metadata: Mapping[str, Any], names: Iterable[str]) -> Sequence[tuple[str, str]]:
    """(kind, name) of attached sources, by the kernel's metadata."""
    listed = {normal_name(str(each)): kind for kind in SOURCE_KINDS for each in metadata.get(kind) or ()}
    return [(listed.get(normal_name(name), _guessed(name)), name) for name in names]


def _guessed(name: str) -> str:
    """The kind of a source that the metadata does not have: by the number of its parts."""
    return {0: "competition_sources", 1: "dataset_sources"}.get(name.count("/"), "model_sources")
