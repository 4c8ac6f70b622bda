"""A declaration that is no dataclass: names, each with its type, default and place, in sections.

A program's flags, its config files and a base experiment declare values under any name (`lambda`, `batch-size`); a
dataclass cannot. `schema.check` takes both, and gives a dict for a Section.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import GenericAlias
from typing import Any


class _Required:
    """Stands for the default that a value does not have."""

    def __repr__(self) -> str:
        return "REQUIRED"


REQUIRED = _Required()


@dataclass(frozen=True)
class Field:
    """One value."""

    type: Any
    """What `schema` understands; Any accepts everything."""
    default: Any = REQUIRED
    help: str = ""
    where: str = ""
    """The place that declares it, as file:line."""


@dataclass(frozen=True)
class Section:
    """Names and what they stand for, in the order in which they are declared."""

    entries: Mapping[str, Field | Section]
    aliases: Mapping[str, str] = field(default_factory=dict)
    """Short names of values, and the dotted paths that they stand for: `optimizer` for `defaults.optimizer`."""

    @property
    def types(self) -> dict[str, Any]:
        """The type of each value; a section is its own."""
        return {name: entry.type if isinstance(entry, Field) else entry for name, entry in self.entries.items()}

    def with_aliases_resolved(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """The values, with those that stand under a short name where they belong. Sections are no short names."""
        found = dict(values)
        for name, path in self.aliases.items():
            if name not in found or isinstance(found[name], Mapping):
                continue
            value: Any = found.pop(name)
            first, *rest = path.split(".")
            for key in reversed(rest):
                value = {key: value}
            before = found.get(first)
            found[first] = {**before, **value} if isinstance(before, Mapping) and isinstance(value, Mapping) else value
        return found


class ChoiceError(ValueError):
    """An option is chosen that a group does not have. `path` is where it is chosen."""

    def __init__(self, path: str, message: str) -> None:
        super().__init__(message)
        self.path = path


def list_of(kind: Any) -> Any:
    """The type of a list of values of a type that is known only now."""
    return GenericAlias(list, (kind,))


def nested(values: Mapping[str, Field]) -> dict[str, Field | Section]:
    """Values under dotted names as sections of sections. Raises ValueError if a name is a value and a section, too."""
    tree: dict[str, Any] = {}
    for path, value in values.items():
        *sections, name = path.split(".")
        inner = tree
        for key in sections:
            inner = inner.setdefault(key, {})
            if not isinstance(inner, dict):
                raise ValueError(f'"{path}": "{key}" is a value, too')
        if name in inner:
            raise ValueError(f'"{path}" is declared as a value and as a section')
        inner[name] = value
    return _sections(tree)


def _sections(tree: Mapping[str, Any]) -> dict[str, Field | Section]:
    return {name: Section(_sections(each)) if isinstance(each, dict) else each for name, each in tree.items()}
