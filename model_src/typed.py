"""Builds dataclasses from plain values, such as those of JSON, and checks that each value has the declared type.

Standard library only, like config.py, which uses it.
"""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints


def build(cls: type, values: object, where: str = "") -> object:
    """An instance of the dataclass `cls` from plain values; `where` is its path, empty at the root.

    Raises ValueError, which names the path of the key, for an unknown key, a wrong type, or what the class refuses.
    """
    if not isinstance(values, dict):
        raise ValueError(f"{where or 'config'} must be a mapping, is {values!r}")
    types = get_type_hints(cls)
    unknown = sorted(set(values) - {each.name for each in fields(cls)})
    if unknown:
        raise ValueError(f"unknown key {', '.join(f'{where}.{name}'.lstrip('.') for name in unknown)}")
    built = {name: _convert(types[name], value, f"{where}.{name}".lstrip(".")) for name, value in values.items()}
    try:
        instance: object = cls(**built)
    except ValueError as error:
        raise ValueError(f"{where or 'config'}: {error}") from None
    return instance


def _convert(kind: Any, value: object, where: str) -> object:
    """`value` as the declared type. Raises ValueError, which names `where`."""
    if is_dataclass(kind):
        assert isinstance(kind, type)
        return build(kind, value, where)
    origin, arguments = get_origin(kind), get_args(kind)
    if origin in (Union, UnionType):
        return None if value is None else _convert(arguments[0], value, where)
    if origin is Literal and value in arguments:
        return value
    if origin is tuple and isinstance(value, list | tuple):
        return tuple(_convert(arguments[0], item, f"{where}[{i}]") for i, item in enumerate(value))
    # JSON writes 1.0 as 1, so an int is a valid float; a bool is an int in Python, but not a valid one here.
    if kind is float and isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    if kind in (bool, int, str) and type(value) is kind:
        return value
    names = {bool: "true or false", int: "a whole number", float: "a number", str: "a text"}
    wanted = f"one of {', '.join(map(str, arguments))}" if origin is Literal else names.get(kind, "a list")
    raise ValueError(f"{where} must be {wanted}, is {value!r}")
