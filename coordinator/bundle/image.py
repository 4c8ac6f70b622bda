"""The packages of the image that kernels run in: a dated table, shipped with coord or read from a kernel.

The project's own table (`kaggle-image.json`, made by `coord image refresh`) comes before the shipped one.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import re
from pathlib import Path
from typing import Any

from coordinator.bundle.stdlib import standard_library
from coordinator.errors import ProjectError
from coordinator.project import Project, check, plain

SHIPPED = Path(__file__).with_name("image_packages.json")


@dataclasses.dataclass(frozen=True)
class Image:
    """The packages of an image on a day."""

    date: str
    """The day on which it had these, as 2026-02-26."""
    python: str
    """Major and minor version, as 3.12."""
    source: str
    """Where the table comes from."""
    packages: dict[str, str | None]
    """Distribution (normalised as PEP 503 says) -> version; None where only the name is known."""
    modules: dict[str, str | None]
    """Import name -> distribution, for distributions whose modules have other names than they. None stands for
    a module that belongs to no distribution."""

    def __post_init__(self) -> None:
        if not re.fullmatch(r"3\.\d+", self.python):
            raise ValueError(f'python must be a version such as 3.12, is "{self.python}"')

    def has_module(self, name: str) -> bool:
        """Whether `import name` finds something, in the standard library or in a package."""
        if name in self.standard_library or name == "__main__":
            return True
        if name in self.modules:
            distribution = self.modules[name]
            return distribution is None or distribution in self.packages
        # A distribution that has entries in `modules` has those modules and no others.
        guess = normalised(name)
        return guess in self.packages and guess not in self._renamed

    def distribution_of(self, module: str) -> str | None:
        """The distribution that a module of the image's packages comes from."""
        guess = normalised(module)
        return self.modules.get(module, guess if guess in self.packages else None)

    def modules_of(self, distribution: str) -> list[str]:
        """Import names of a distribution (normalised name)."""
        named = sorted(name for name, of in self.modules.items() if of == distribution)
        return named or [distribution.replace("-", "_")]

    @functools.cached_property
    def standard_library(self) -> frozenset[str]:
        return standard_library(self.python)

    @functools.cached_property
    def _renamed(self) -> frozenset[str | None]:
        return frozenset(self.modules.values())

    def __str__(self) -> str:
        return f"the image of {self.date} (Python {self.python})"

    def to_json(self) -> str:
        return json.dumps(plain(self), indent=2, ensure_ascii=False) + "\n"


def normalised(name: str) -> str:
    """A distribution's name as PEP 503 compares them."""
    return re.sub(r"[-_.]+", "-", name).lower()


def read_image(file: Path) -> Image:
    """Raises ProjectError if the file is not such a table."""
    try:
        data: Any = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ProjectError(f"{file} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise ProjectError(f"{file} is not JSON: {error}", hint=_ANEW) from error
    return image_from(data, where=str(file))


def image_from(data: Any, *, where: str) -> Image:
    """The table in plain data. Raises ProjectError if it is not one."""
    image, problems = check(Image, data if isinstance(data, dict) else {})
    if image is None:
        shown = "; ".join(f"{problem.path} {problem.message}" for problem in problems[:3])
        raise ProjectError(f"{where} is not a table of an image's packages: {shown}", hint=_ANEW)
    return image


@functools.cache
def shipped_image() -> Image:
    """The table that coord ships with."""
    return read_image(SHIPPED)


def image_of(project: Project) -> Image:
    """The project's own table, or else the shipped one.

    Raises ProjectError if it cannot be read, or the settings name one that is missing.
    """
    if project.image_table.is_file():
        return read_image(project.image_table)
    if project.settings.image is not None:
        raise ProjectError(f'[tool.coord] image = "{project.settings.image}": there is no such file', hint=_ANEW)
    return shipped_image()


_ANEW = "Make it again: coord image refresh LOG"
