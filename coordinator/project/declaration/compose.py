"""Composes a folder of Hydra's as Hydra would, for a Python without it: defaults lists, groups, packages, overrides.

What goes beyond that (interpolated names of groups, searchpaths, structured configs) is refused, with the way out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from coordinator.errors import ProjectError
from coordinator.project.declaration.from_values import MISSING
from coordinator.project.values import merged

_PACKAGE = re.compile(r"^\s*#\s*@package\s+(\S+)", re.MULTILINE)
_DEPTH = 20


@dataclass
class Composed:
    """What a config is with the chosen options of its groups."""

    values: dict[str, Any] = field(default_factory=dict)
    choices: dict[str, Any] = field(default_factory=dict)
    """Group -> its option."""


class _Again(Exception):
    """An override was found for a group that may have been composed already."""


def compose(folder: Path, name: str, chosen: Mapping[str, Any], read: Callable[[Path], dict[str, Any]]) -> Composed:
    """`chosen` has options of groups; those that the defaults lists do not have are added. Raises ProjectError."""
    overrides: dict[str, Any] = {}
    for _ in range(_DEPTH):
        try:
            composer = _Composer(folder, chosen, overrides, read)
            composer.config(name, "", "", 0)
            for group in chosen:
                if group not in composer.found.choices and chosen[group] is not None:
                    composer.group(group, chosen[group], "", _named_package(group), 0)
            return composer.found
        except _Again:
            continue
    raise ProjectError(f"{folder / name}.yaml: its overrides contradict each other")


class _Composer:
    def __init__(
        self, folder: Path, chosen: Mapping[str, Any], overrides: dict[str, Any], read: Callable[[Path], dict[str, Any]]
    ) -> None:
        self.found = Composed()
        self._folder, self._chosen, self._overrides, self._read = folder, chosen, overrides, read

    def config(self, path: str, group: str, package: str | None, depth: int, *, optional: bool = False) -> None:
        """Adds the config at a path below the folder, and what its defaults list names, in the list's order."""
        file = self._folder / f"{path}.yaml"
        if not file.is_file():
            if optional:
                return
            raise ProjectError(f"{file} is missing: a defaults list names it")
        if depth > _DEPTH:
            raise ProjectError(f"{file}: its defaults lists form a circle")
        header = _PACKAGE.search(file.read_text(encoding="utf-8").partition("\n\n")[0])
        if package is None:
            package = _absolute(header[1], group) if header else group.replace("/", ".")
        values = dict(self._read(file))
        items = values.pop("defaults", None) or []
        if not isinstance(items, list):
            raise ProjectError(f"{file}: defaults must be a list")
        values.pop("hydra", None)
        if "_self_" not in items:
            items = [*items, "_self_"]
        for item in items:
            if item == "_self_":
                self._add(values, package)
            elif isinstance(item, str):
                inner, here = _place(item, group)
                self.config(inner, here, _below(package, group, here), depth + 1)
            elif isinstance(item, dict) and len(item) == 1:
                ((key, option),) = item.items()
                self._item(str(key), option, (group, package, depth), file)
            else:
                raise ProjectError(f"{file}: {item!r} in defaults is not understood", hint=_HINT)

    def _item(self, key: str, option: Any, at: tuple[str, str, int], file: Path) -> None:
        group, package, depth = at
        words = key.split()
        key = words[-1]
        if key.lstrip("/").startswith("hydra/") or key == "hydra":
            return
        name, _, to = key.partition("@")
        inner, _ = _place(f"{name}/_", group)
        inner = inner.removesuffix("/_")
        there = _absolute(to, group, package) if to else None
        label = inner if there is None else f"{inner}@{there}"
        if "override" in words[:-1]:
            if label not in self._overrides:
                self._overrides[label] = option
                raise _Again
            return
        option = self._chosen.get(label, self._overrides.get(label, option))
        if isinstance(option, str) and "${" in option:
            raise ProjectError(f"{file}: {key}: {option} is computed by Hydra", hint=_HINT)
        self.group(label, option, there, _below(package, group, inner), depth, optional="optional" in words[:-1])

    def group(
        self, label: str, option: Any, package: str | None, usual: str, depth: int, *, optional: bool = False
    ) -> None:
        self.found.choices[label] = option
        inner = label.partition("@")[0]
        for each in option if isinstance(option, list) else [option]:
            if each in (None, MISSING):
                continue
            file = self._folder / inner / f"{each}.yaml"
            header = file.is_file() and _PACKAGE.search(file.read_text(encoding="utf-8").partition("\n\n")[0])
            to = package if package else None if header else usual
            self.config(f"{inner}/{each}", inner, to, depth + 1, optional=optional)

    def _add(self, values: dict[str, Any], package: str) -> None:
        for key in reversed([each for each in package.split(".") if each]):
            values = {key: values}
        self.found.values = merged(self.found.values, values)


_HINT = "Install hydra-core beside coord: it composes the config then."


def _place(name: str, group: str) -> tuple[str, str]:
    """(path below the folder, its group) of a name in a defaults list, which is relative to the list's own group."""
    path = name[1:] if name.startswith("/") else f"{group}/{name}".lstrip("/")
    return path, path.rpartition("/")[0]


def _named_package(group: str) -> str:
    name, _, to = group.partition("@")
    return to or name.replace("/", ".")


def _below(package: str, group: str, inner: str) -> str:
    """The package of a group that a config of another group and package names."""
    if inner.startswith(f"{group}/") or not group or inner == group:
        rest = inner.removeprefix(group).strip("/").replace("/", ".")
        return ".".join(filter(None, [package, rest]))
    return inner.replace("/", ".")


def _absolute(package: str, group: str, above: str = "") -> str:
    for word, stands_for in (("_global_", ""), ("_group_", group.replace("/", ".")), ("_here_", above)):
        if package == word or package.startswith(f"{word}."):
            return ".".join(filter(None, [stands_for, package.removeprefix(word).lstrip(".")]))
    return ".".join(filter(None, [above, package]))
