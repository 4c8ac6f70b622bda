"""The verb targets: the places where kernels can run, and whether each of them answers."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from coordinator.errors import CoordError
from coordinator.project import Project, TargetKind, TargetName
from coordinator.target import LOCAL, abilities_of, is_answering, place_of


@dataclass(frozen=True)
class AskedTarget:
    """A target, and what came of a question."""

    name: TargetName
    kind: TargetKind
    place: str
    """Where it is: an address, a host with its folder, a folder of this machine."""
    is_chosen: bool
    """Kernels go there without --target."""
    error: CoordError | None = None
    """Why it gave no answer; None if it gave one."""

    def to_json(self) -> dict[str, Any]:
        return {
            "target": self.name,
            "kind": self.kind,
            "place": self.place,
            "default": self.is_chosen,
            "answers": self.error is None,
            "error": self.error.what if self.error else None,
        }


def ask_targets(project: Project) -> list[AskedTarget]:
    """All targets of the project, each asked one small question, side by side."""
    names = project.settings.target_names
    with ThreadPoolExecutor(len(names)) as pool:
        return list(pool.map(lambda name: _asked(project, name), names))


def _asked(project: Project, name: TargetName) -> AskedTarget:
    kind, chosen = abilities_of(project, name).kind, project.settings.target
    place = project.relative(project.local_kaggle) if name == LOCAL else place_of(project, name)
    try:
        is_answering(project, name)
    except CoordError as error:
        return AskedTarget(name, kind, place, name == chosen, error)
    return AskedTarget(name, kind, place, name == chosen)
