"""Writes down what a dataclass declares: `dataclass_probe.py OUTPUT MODULE NAME`.

It runs in the project's own Python, where coord is not installed, and uses the standard library only.
"""

import dataclasses
import enum
import importlib
import json
import os
import sys
import types
import typing
from pathlib import Path

Described = typing.Dict[str, typing.Any]  # noqa: UP006  # as old a Python as the project has


def described(cls: type) -> Described:
    """The fields, in their order."""
    hints = typing.get_type_hints(cls)
    found: Described = {}
    for each in dataclasses.fields(cls):
        kind = type_of(hints[each.name])
        entry: Described = {"type": kind}
        if each.default is not dataclasses.MISSING:
            entry.update(value_of(each.default))
        elif each.default_factory is not dataclasses.MISSING:
            entry.update(value_of(each.default_factory()))
        found[each.name] = entry
    return found


def value_of(value: object) -> Described:
    """A default as JSON-like data."""

    def plain(each: object) -> object:
        if dataclasses.is_dataclass(each) and not isinstance(each, type):
            return {field.name: plain(getattr(each, field.name)) for field in dataclasses.fields(each)}
        if isinstance(each, enum.Enum):
            return plain(each.value)
        if isinstance(each, dict):
            return {str(key): plain(item) for key, item in each.items()}
        if isinstance(each, (list, tuple)):
            return [plain(item) for item in each]
        return str(each) if isinstance(each, os.PathLike) else each

    try:
        return {"default": json.loads(json.dumps(plain(value), allow_nan=False))}
    except (TypeError, ValueError):
        return {"own": True}


def type_of(hint: typing.Any) -> typing.Any:
    """A type in lists: ["list", "int"]; "any" for what coord cannot check."""
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if isinstance(hint, type) and dataclasses.is_dataclass(hint):
        return ["fields", described(hint)]
    if origin is typing.Union or origin is getattr(types, "UnionType", None):
        return ["union", *map(type_of, args)]
    if origin is typing.Literal:
        return ["literal", *args]
    if origin is typing.Annotated:
        return type_of(args[0])
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        return ["literal", *(member.value for member in hint)]
    if isinstance(hint, type) and issubclass(hint, os.PathLike):
        return "str"
    if hint in (list, tuple, dict):
        return [hint.__name__, "any"]
    if origin is list or (origin is tuple and len(args) == 2 and args[1] is ...):
        return ["list", type_of(args[0])]
    if origin is tuple:
        return ["tuple", *map(type_of, args)]
    if origin is dict:
        return ["dict", type_of(args[1])]
    names = {bool: "bool", int: "int", float: "float", str: "str", type(None): "null"}
    return names.get(hint, "any") if isinstance(hint, type) else "any"


if __name__ == "__main__":
    output, module, name = sys.argv[1:]
    sys.path[0] = str(Path.cwd())
    found = getattr(importlib.import_module(module), name)
    if not (isinstance(found, type) and dataclasses.is_dataclass(found)):
        sys.exit(f"{module}:{name} is not a dataclass")
    Path(output).write_text(json.dumps({"fields": described(found)}), encoding="utf-8", newline="\n")
