"""A dataclass that only the project's own Python can import, as a Section."""

from __future__ import annotations

from collections.abc import Mapping
from types import GenericAlias
from typing import Any, Literal, Union

from coordinator.errors import ProjectError
from coordinator.project.declaration import dataclass_probe
from coordinator.project.declaration.asked import ask
from coordinator.project.project import Project
from coordinator.project.section import REQUIRED, Field, Section, list_of

_SIMPLE: dict[str, Any] = {"bool": bool, "int": int, "float": float, "str": str, "null": type(None), "any": Any}


def foreign_dataclass(project: Project) -> Section:
    """What the dataclass of the setting `config` declares, asked of `config_python`. Raises ProjectError."""
    setting = str(project.settings.config)
    module, _, name = setting.partition(":")
    if not name.isidentifier():
        raise ProjectError(f"{project.said('config', setting)} is not of the form module:name")
    why = f"{project.said('config', setting)} is read with the project's own libraries (config_python)"
    found = ask(project, dataclass_probe.__file__, [module, name], module, why)
    return _section(found["fields"], {}, module)


def _section(fields: Mapping[str, Any], defaults: Mapping[str, Any], where: str) -> Section:
    """The fields; `defaults` are those of the value that the whole section has by default."""
    entries: dict[str, Field | Section] = {}
    for name, each in fields.items():
        default = defaults.get(name, None if each.get("own") else each.get("default", REQUIRED))
        kind = each["type"]
        if isinstance(kind, list) and kind[0] == "fields":
            entries[name] = _section(kind[1], default if isinstance(default, Mapping) else {}, where)
        else:
            found = _type(kind)
            entries[name] = Field(found | None if default is None and found is not Any else found, default, where=where)
    return Section(entries)


def _type(kind: Any) -> Any:
    if isinstance(kind, str):
        return _SIMPLE[kind]
    name, *args = kind
    if name == "literal":
        return Literal[tuple(args)]
    if name == "union":
        return Union[tuple(map(_type, args))]  # noqa: UP007  # of a tuple
    if name == "list":
        return list_of(_type(args[0]))
    return (
        GenericAlias(tuple, tuple(map(_type, args))) if name == "tuple" else GenericAlias(dict, (str, _type(args[0])))
    )
