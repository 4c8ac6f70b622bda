"""`kaggle-wheels.json`: which wheels the requirements need beside the image's packages, with their SHA-256.

It belongs into git: with it, every machine builds the same kernels and downloads the same wheels.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from coordinator.bundle import Image, Wheels, image_of
from coordinator.errors import ProjectError
from coordinator.project import Project, check, plain

if TYPE_CHECKING:  # reading requirements is only for those who have some
    from packaging.requirements import Requirement

MANIFEST = "wheels.json"
"""The lock's copy in the data set."""


@dataclasses.dataclass(frozen=True)
class Wheel:
    """One wheel."""

    file: str
    name: str
    """Of its distribution, normalised as PEP 503 says."""
    version: str
    bytes: int
    sha256: str
    modules: tuple[str, ...]
    """Top-level names that it makes importable."""


@dataclasses.dataclass(frozen=True)
class Lock:
    """What the requirements were resolved to."""

    requirements: tuple[str, ...]
    python: str
    """The image's, as 3.12."""
    image: dict[str, str | None]
    """The packages of the image that the result depends on, with their versions; None where only the name is known."""
    wheels: tuple[Wheel, ...]
    """Sorted by file; none if the image has all that is required."""

    @property
    def slug(self) -> str:
        """The name of the wheels' data set, made of their digests: another set never gets the same name."""
        listed = json.dumps([[wheel.file, wheel.sha256] for wheel in self.wheels])
        return f"coord-wheels-{hashlib.sha256(listed.encode('utf-8')).hexdigest()[:12]}"

    @property
    def packages(self) -> frozenset[str]:
        """Modules and distributions that the wheels bring."""
        return frozenset(name for wheel in self.wheels for name in (wheel.name, *wheel.modules))

    @property
    def shown(self) -> str:
        """How many wheels these are."""
        size = sum(wheel.bytes for wheel in self.wheels)
        return f"{len(self.wheels)} wheel{'s' * (len(self.wheels) != 1)}, {size:,} bytes"

    def for_kernel(self) -> Wheels | None:
        """What a kernel installs; None if that is nothing."""
        keys = ("file", "sha256", "name", "version")
        listed = tuple({key: str(getattr(wheel, key)) for key in keys} for wheel in self.wheels)
        return Wheels(self.slug, listed) if listed else None

    def to_json(self) -> str:
        return json.dumps(plain(self), indent=2, ensure_ascii=False) + "\n"


def parsed(texts: Sequence[str]) -> list[Requirement]:
    """The requirements. Raises ProjectError, with all that are none."""
    from packaging.requirements import InvalidRequirement, Requirement

    found, problems = [], []
    for text in texts:
        try:
            requirement = Requirement(text)
        except InvalidRequirement as error:
            problems.append(f'"{text}": {str(error).splitlines()[0]}')
            continue
        found.append(requirement)
        if requirement.url:
            problems.append(f'"{text}": only names and versions; pip finds wheels of your own in its find-links')
    if problems:
        raise ProjectError("\n".join(["[tool.coord] requirements:", *(f"  {problem}" for problem in problems)]))
    return found


def read_lock(file: Path) -> Lock | None:
    """The lock in the file; None if there is none. Raises ProjectError if it is something else."""
    try:
        data: Any = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ProjectError(f"{file} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise ProjectError(f"{file} is not JSON: {error}", hint=_ANEW) from error
    lock, problems = check(Lock, data if isinstance(data, dict) else {})
    if lock is None:
        shown = "; ".join(f"{problem.path} {problem.message}" for problem in problems[:3])
        raise ProjectError(f"{file} is no list of wheels: {shown}", hint=_ANEW)
    return lock


def why_outdated(lock: Lock, requirements: Sequence[str], image: Image) -> str | None:
    """What has changed since the requirements were resolved; None if nothing has."""
    if sorted(lock.requirements) != sorted(requirements):
        new = [text for text in requirements if text not in lock.requirements]
        gone = [text for text in lock.requirements if text not in requirements]
        return ", ".join([*(f"{text} is new" for text in new), *(f"{text} is gone" for text in gone)])
    if lock.python != image.python:
        return f"the image has Python {image.python} now, not {lock.python}"
    for name in (*lock.image, *(wheel.name for wheel in lock.wheels)):
        before, now = (_version(packages, name) for packages in (lock.image, image.packages))
        if before != now:
            return f"the image has {now} now, not {before}"
    return None


def _version(packages: dict[str, str | None], name: str) -> str:
    if name not in packages:
        return f"no {name}"
    return f"{name} {packages[name] or 'in a version that its table does not know'}"


def current_lock(project: Project) -> Lock | None:
    """The lock, if the settings require packages. Raises ProjectError if it is missing or outdated."""
    requirements = project.settings.requirements
    if not requirements:
        return None
    lock = read_lock(project.wheels_lock)
    name = project.relative(project.wheels_lock)
    if lock is None:
        raise ProjectError(f"[tool.coord] requirements: there is no {name} yet", hint="Make it: coord wheels")
    why = why_outdated(lock, requirements, image_of(project))
    if why is not None:
        raise ProjectError(f"{name} is outdated: {why}", hint="Make it again: coord wheels")
    return lock


_ANEW = "Delete it, then make it again: coord wheels"
