"""What to do about an attached source that a cluster does not have: one text, for a push and for the doctor."""

from __future__ import annotations

from collections.abc import Mapping

from coordinator.target.cluster.far import KERNELS, mount_of
from coordinator.text import command_line


def chosen_folder(folders: Mapping[str, str], name: str) -> str | None:
    """The folder that the settings name for a source; of a data set's version, also the one of the data set."""
    return folders.get(name) or (folders.get("/".join(name.split("/")[:2])) if name.count("/") == 2 else None)


def attached_remedy(kind: str, name: str, target: str, *, host: str, root: str, folders: Mapping[str, str]) -> str:
    """The line that copies it to where the target looks for it, or what else makes it known there."""
    if kind == KERNELS:
        return f"{name}: no version of it is complete there. Push that experiment first, with --target {target}"
    chosen = chosen_folder(folders, name)
    folder = chosen or f"{root}/input/{mount_of(kind, name)}"
    line = command_line("rsync", "-a", "--mkpath", "FOLDER/", f"{host}:{folder}/" if host else f"{folder}/")
    if chosen:
        return f"{name}: {line}"
    return (
        f'{name}: {line}, or name its folder there: sources = {{ "{name}" = "/..." }} in [tool.coord.targets.{target}]'
    )
