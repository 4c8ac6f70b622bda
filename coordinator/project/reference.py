"""The settings as a list: what `docs/settings.md` and `coord help settings` show.

Names, types and defaults are those of the dataclasses; the description and the example are in the docstring below a
field, whose last line may be `Example: VALUE` in TOML. Without it, the default is the example.
"""

from __future__ import annotations

import ast
import dataclasses
import inspect
import json
import textwrap
import types
import typing
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, Union

from coordinator.project.problem import join
from coordinator.project.settings import Settings

_EXAMPLE = "Example: "
_WORDS = {bool: "true or false", int: "whole number", float: "number", str: "text", Any: "anything"}


@dataclass(frozen=True)
class Setting:
    """One key of `[tool.coord]`."""

    key: str
    """Its name, with its table before it: "kernel.title"."""
    type: str
    """In words, such as "list of text"."""
    default: str
    """In TOML; empty if there is none."""
    example: str
    """In TOML."""
    about: str
    """One paragraph, without line breaks."""

    @property
    def name(self) -> str:
        """Its name in its table."""
        return self.key.rpartition(".")[2]


@dataclass(frozen=True)
class SettingGroup:
    """One table: `[tool.coord]` itself, or one below it."""

    name: str
    """As in "kernel" or "metrics.oof"; empty for `[tool.coord]` itself."""
    about: str
    settings: tuple[Setting, ...]
    kind: str = ""
    """The kind of target that the table is for, the value of its key `kind`; empty for all other tables."""


def setting_groups() -> tuple[SettingGroup, ...]:
    """Every key of every table, in the order of their declaration."""
    return tuple(_groups(Settings, ""))


def _groups(declared: type, name: str) -> Iterator[SettingGroup]:
    types_of = typing.get_type_hints(declared)
    texts = _docstrings(declared)
    found: list[Setting] = []
    below: list[tuple[type, str]] = []
    for field in dataclasses.fields(declared):
        kind, key = types_of[field.name], join(name, field.name)
        named = f"{key}.NAME" if typing.get_origin(kind) is dict else key
        if tables := [each for each in _within(kind) if dataclasses.is_dataclass(each)]:
            below += [(typing.cast(type, table), named) for table in tables]
            continue
        about, _, example = texts.get(field.name, "").partition(_EXAMPLE)
        default = _default(field)
        found.append(Setting(key, _type(kind), default, example or default, " ".join(about.split())))
    about = " ".join((declared.__doc__ or "").split())
    yield SettingGroup(name, about, tuple(found), getattr(declared, "KIND", ""))
    for each, key in below:
        yield from _groups(each, key)


def _within(kind: Any) -> Iterator[Any]:
    """The type, and those of its values where it is a union or a mapping."""
    yield kind
    for each in typing.get_args(kind):
        yield from _within(each)


def _default(field: dataclasses.Field[Any]) -> str:
    value = field.default if field.default_factory is dataclasses.MISSING else field.default_factory()
    return "" if value in (None, dataclasses.MISSING, "") else _toml(value)


def _docstrings(declared: type) -> dict[str, str]:
    """The text below each field, which Python itself does not keep."""
    (tree,) = ast.parse(textwrap.dedent(inspect.getsource(declared))).body
    assert isinstance(tree, ast.ClassDef)
    found = {}
    for field, text in zip(tree.body, tree.body[1:], strict=False):
        if (
            isinstance(field, ast.AnnAssign)
            and isinstance(field.target, ast.Name)
            and isinstance(text, ast.Expr)
            and isinstance(text.value, ast.Constant)
        ):
            found[field.target.id] = inspect.cleandoc(str(text.value.value))
    return found


def _type(kind: Any) -> str:
    args = typing.get_args(kind)
    origin = typing.get_origin(kind)
    if origin in (Union, types.UnionType):
        return " or ".join(_type(arg) for arg in args if arg is not types.NoneType)
    if origin is Literal:
        return " or ".join(_toml(arg) for arg in args)
    if origin is tuple:
        return f"list of {_type(args[0])}"
    if origin is dict:
        return f"table of {_type(args[1])}"
    return _WORDS[kind]


def _toml(value: Any) -> str:
    """A default in TOML: JSON has the same texts, numbers and lists, and no setting has a table with keys."""
    return json.dumps(list(value) if isinstance(value, tuple) else value, ensure_ascii=False)
