"""Checks plain data (from YAML, TOML or `--set`) against a declaration: a tree of dataclasses, or a Section.

Names, types and defaults are declared once; any other name is a problem. A dataclass gives an instance, a Section (the
declaration of a program that has no dataclass) a dict. All problems are reported
at once, each with the dotted path of its value, so that a file can be corrected in one go.

Why no library: cattrs 26.2 takes 65 ms to import, where this module takes 3, and every command reads settings. Of a
config with seven mistakes it reports four, without the value and without a suggestion, because it converts instead of
checking: 2.7 becomes the seed 2, and "no" becomes true. The hooks that would change this are what this module consists
of. pydantic would need classes of its own, and a project's config uses nothing but the standard library.

Understood types: `bool`, `int`, `float`, `str`, `Literal`, `StrEnum`, `X | None` and other unions, `list[T]`,
`tuple[T, ...]`, `tuple[A, B]`, `dict[str, T]`, `Any`, `Annotated[T, ...]` (the same as `T`), and nested dataclasses.
"""

from __future__ import annotations

import dataclasses
import datetime
import enum
import functools
import math
import re
import types
import typing
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal, TypeVar, Union

from coordinator.errors import did_you_mean, near_or_all
from coordinator.project.problem import ConfigProblem, join
from coordinator.project.scalar import Written, text_of, truth, untyped, whole
from coordinator.project.section import REQUIRED, Field, Section
from coordinator.project.tagged import by_kind
from coordinator.project.values import merged, plain

T = TypeVar("T")
Declared = type | Section
"""What declares a config: a dataclass, or a Section."""


class _Bad(Exception):
    """The problems of one value, on their way to its container."""

    def __init__(self, *problems: ConfigProblem) -> None:
        super().__init__(*problems)
        self.problems = problems


@typing.overload
def check(cls: type[T], data: Mapping[str, Any], *, path: str = "") -> tuple[T | None, list[ConfigProblem]]: ...
@typing.overload
def check(cls: Declared, data: Mapping[str, Any], *, path: str = "") -> tuple[Any, list[ConfigProblem]]: ...
def check(cls: Any, data: Mapping[str, Any], *, path: str = "") -> tuple[Any, list[ConfigProblem]]:
    """Builds a `cls` (a dataclass) from plain data; a dict if it is a Section.

    Returns the instance, or None if there were problems, and the list of all problems.
    """
    try:
        return _value(cls, data, path), []
    except _Bad as bad:
        return None, list(bad.problems)


def assignment(cls: Declared, text: str) -> dict[str, Any]:
    """`"optim.lr=0.0005"` as nested data, its value read as the type that `cls` declares at that path.

    Raises ValueError with a message if the text has no `=`, the path does not exist, or it names a whole section.
    """
    path, equals, value = text.partition("=")
    keys = path.strip().split(".")
    if not equals or not all(keys):
        raise ValueError(f'"{text}" is not of the form path.to.value=VALUE, for example optim.lr=0.0005')
    declared: Any = cls
    if isinstance(cls, Section):
        keys = cls.aliases.get(path.strip(), path.strip()).split(".")
    rest, keys = keys, []
    while rest:
        members = _members(declared)
        if members is None:
            raise ValueError(f'"{path}": "{".".join(keys)}" is a value, it has no "{rest[0]}"')
        starts = [".".join(rest[: count + 1]) for count in range(len(rest))]
        key = next((each for each in starts if each in members), rest[0])  # a name may have dots in it
        rest = rest[key.count(".") + 1 :]
        keys.append(key)
        if key not in members and ANY_NAME not in members:
            raise ValueError(f'"{path}": unknown name "{key}"{near_or_all(key, members)}')
        declared = members.get(key, members.get(ANY_NAME))
    if isinstance(declared, Section) or dataclasses.is_dataclass(declared):
        raise ValueError(f'"{path}" is a section; name one of its values: {", ".join(_members(declared) or ())}')
    data: Any = _read(declared, value.strip())
    for key in reversed(keys):
        data = {key: data}
    return typing.cast(dict[str, Any], data)


ANY_NAME = ""
"""Among the names in a mapping: any other, too."""


def _members(declared: Any) -> dict[str, Any] | None:
    """The names below it, each with its type; None if it is a value."""
    if isinstance(declared, Section):
        return declared.types
    if dataclasses.is_dataclass(declared):
        return _hints(typing.cast(type, declared))
    if declared is Any:
        return {ANY_NAME: Any}
    args = typing.get_args(declared)
    if typing.get_origin(declared) is dict:
        return {ANY_NAME: args[1]}
    if typing.get_origin(declared) in (Union, types.UnionType):
        return next(filter(None, map(_members, args)), None)
    return None


def declared_paths(declared: Any, *, prefix: str = "") -> Iterator[str]:
    """The dotted path of every declared value."""
    members = _members(declared) if isinstance(declared, Section) or dataclasses.is_dataclass(declared) else None
    for name, below in (members or {}).items():
        path = join(prefix, name)
        if isinstance(below, Section) or dataclasses.is_dataclass(below):
            yield from declared_paths(below, prefix=path)
        else:
            yield path


def _read(declared: Any, text: str) -> Any:
    """A value as YAML reads it, except that where only text is declared, `123` and `no` are text."""
    args = typing.get_args(declared)
    kinds = set(args) - {type(None)} if typing.get_origin(declared) in (Union, types.UnionType) else {declared}
    if all(_is_text(kind) for kind in kinds):
        return None if type(None) in args and text in ("null", "~") else text
    try:
        from coordinator.project.yaml_text import parse  # not above: yaml is not needed to check pyproject.toml

        parsed = parse(text)
    except ValueError:
        return text
    if parsed.problems:
        raise ValueError(f'"{text}": {parsed.problems[0].path} {parsed.problems[0].message}')
    return parsed.data


def _is_text(declared: Any) -> bool:
    if typing.get_origin(declared) is Literal:
        return all(isinstance(choice, str) for choice in typing.get_args(declared))
    return isinstance(declared, type) and issubclass(declared, str)


def _dataclass(cls: type, data: Any, path: str) -> Any:
    if not isinstance(data, Mapping):
        raise _Bad(ConfigProblem(path, f"must be a mapping with the keys {', '.join(_names(cls))}, is {_show(data)}"))
    hints = _hints(cls)
    known = _names(cls)
    problems = [
        ConfigProblem(join(path, str(key)), f'unknown key "{key}"{_instead(cls, str(key), known)}')
        for key in data
        if key not in known
    ]
    values: dict[str, Any] = {}
    for field in dataclasses.fields(cls):
        if field.name in data:
            try:
                default = field.default_factory() if callable(field.default_factory) else field.default
                given = _over(default, data[field.name])
                values[field.name] = _value(hints[field.name], given, join(path, field.name))
            except _Bad as bad:
                problems.extend(bad.problems)
        elif field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            problems.append(ConfigProblem(join(path, field.name), "is missing"))
    if problems:
        raise _Bad(*problems)
    try:
        return cls(**values)
    except ValueError as error:
        # A dataclass checks its own ranges in __post_init__, one message a line, each beginning with the field's name.
        raise _Bad(*(_range_problem(path, known, line) for line in str(error).splitlines())) from None


def _over(default: Any, value: Any) -> Any:
    """A mapping on top of the one that a value has by default: like a base's, its other values stay."""
    return merged(default, value) if isinstance(default, Mapping) and isinstance(value, Mapping) else value


def _section(section: Section, data: Any, path: str) -> dict[str, Any]:
    """The values in the order in which they are declared."""
    known = list(section.entries)
    if not isinstance(data, Mapping):
        raise _Bad(ConfigProblem(path, f"must be a mapping with the keys {', '.join(known)}, is {_show(data)}"))
    problems = [
        ConfigProblem(join(path, str(key)), f'unknown key "{key}"{did_you_mean(str(key), known)}')
        for key in data
        if key not in section.entries
    ]
    values: dict[str, Any] = {}
    for name, entry in section.entries.items():
        here = join(path, name)
        try:
            if isinstance(entry, Section):
                values[name] = _section(entry, data.get(name, {}), here)
            elif name in data:
                values[name] = _value(entry.type, _over(entry.default, data[name]), here)
            elif entry.default is REQUIRED:
                problems.append(ConfigProblem(here, f"is missing{_required_by(entry)}"))
            else:
                values[name] = entry.default
        except _Bad as bad:
            problems.extend(bad.problems)
    if problems:
        raise _Bad(*problems)
    return values


def _required_by(entry: Field) -> str:
    return f": {entry.where} requires it" if entry.where else ""


def _instead(cls: type, key: str, known: list[str]) -> str:
    """What the key should perhaps be: what the class says of it, the same name in a section below, or a similar one."""
    said: Mapping[str, str] = getattr(cls, "INSTEAD", {})
    word = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", key).replace("-", "_").lower()
    if word in said:
        return f" (say {said[word]})"
    sections = {name: kind for name, kind in _hints(cls).items() if dataclasses.is_dataclass(kind)}
    below = [f'"{name}.{word}"' for name, kind in sections.items() if word in _hints(typing.cast(type, kind))]
    return f" (did you mean {' or '.join(below)}?)" if below and word not in known else did_you_mean(word, known)


def _range_problem(path: str, known: list[str], line: str) -> ConfigProblem:
    first, _, rest = line.partition(" ")
    return ConfigProblem(join(path, first), rest) if first in known else ConfigProblem(path, line)


@functools.lru_cache(maxsize=256)  # a sweep checks many configs of the same classes
def _hints(cls: type) -> dict[str, Any]:
    # A project's config module is not left in sys.modules, where get_type_hints would look for its names.
    # Each class's own __init__ knows the names of the module that declares it; a base may live in another module.
    names: dict[str, Any] = {}
    for base in reversed(cls.__mro__):
        names.update(getattr(vars(base).get("__init__"), "__globals__", {}))
    return typing.get_type_hints(cls, names)


def _names(cls: type) -> list[str]:
    return [field.name for field in dataclasses.fields(cls)]


def _value(declared: Any, value: Any, path: str) -> Any:
    origin, args = typing.get_origin(declared), typing.get_args(declared)
    if declared is Any:
        return _untyped(value, path)
    if isinstance(declared, Section):
        return _section(declared, value, path)
    if dataclasses.is_dataclass(declared):
        return _dataclass(typing.cast(type, declared), value, path)
    if origin in (Union, types.UnionType):
        return _union(args, declared, value, path)
    if origin is Literal:
        for read in _readings(value):
            if any(read == arg and type(read) is type(arg) for arg in args):
                return read
        near = did_you_mean(value, [arg for arg in args if isinstance(arg, str)]) if isinstance(value, str) else ""
        raise _Bad(ConfigProblem(path, f"must be one of {', '.join(map(_show, args))}, is {_show(value)}{near}"))
    if origin in (list, tuple):
        if not isinstance(value, list | tuple):
            raise _Bad(ConfigProblem(path, f"must be a list, is {_show(value)}"))
        if origin is list or args[-1] is Ellipsis:
            args = args[:1] * len(value)
        if len(args) != len(value):
            raise _Bad(ConfigProblem(path, f"must be a list of {len(args)}, has {len(value)}"))
        return origin(_items(args, enumerate(value), path))
    if origin is dict:
        if not isinstance(value, Mapping):
            raise _Bad(ConfigProblem(path, f"must be a mapping, is {_show(value)}"))
        return dict(zip(map(str, value), _items(args[1:] * len(value), value.items(), path), strict=True))
    if isinstance(declared, type) and issubclass(declared, enum.StrEnum):
        try:
            return declared(value)
        except ValueError:
            choices = [member.value for member in declared]
            raise _Bad(ConfigProblem(path, f"must be one of {', '.join(choices)}, is {_show(value)}")) from None
    return _simple(declared, value, path)


def _items(types_of: tuple[Any, ...], pairs: Iterable[tuple[Any, Any]], path: str) -> list[Any]:
    result: list[Any] = []
    problems: list[ConfigProblem] = []
    for declared, (key, item) in zip(types_of, pairs, strict=True):
        try:
            result.append(_value(declared, item, join(path, str(key))))
        except _Bad as bad:
            problems.extend(bad.problems)
    if problems:
        raise _Bad(*problems)
    return result


def _union(args: tuple[Any, ...], declared: Any, value: Any, path: str) -> Any:
    if plain(value) is None and type(None) in args:
        return None
    others, problems = by_kind([arg for arg in args if arg is not type(None)], value, path)
    if problems:
        raise _Bad(*problems)
    if len(others) == 1:
        return _value(others[0], value, path)
    # An unquoted 5 is a number before it is text, whatever the order of the declared types.
    for read in dict.fromkeys([plain(value), value] if isinstance(value, Written) else []) or [value]:
        for arg in others:
            try:
                return _value(arg, read, path)
            except _Bad:
                continue
    raise _Bad(ConfigProblem(path, f"must be {_type_name(declared)}, is {_show(value)}"))


def _simple(declared: Any, value: Any, path: str) -> Any:
    if declared is float:
        number = _number(value)
        if number is not None and not math.isfinite(number):
            raise _Bad(ConfigProblem(path, f"must be a finite number, is {_show(value)}"))
        if number is not None:
            return number
    elif declared is bool:
        read = truth(value) if isinstance(value, Written) else value
        if isinstance(read, bool):
            return read
    elif declared is str:
        text = text_of(value)
        if text is not None:
            return _text(text, path)
    elif declared is int:
        read = whole(value) if isinstance(value, Written) else value
        if isinstance(read, int) and not isinstance(read, bool):
            return read
    else:
        raise _Bad(ConfigProblem(path, f"is declared as {declared!r}, which coord cannot check"))
    raise _Bad(ConfigProblem(path, f"must be {_type_name(declared)}, is {_show(value)}"))


def _readings(value: Any) -> list[Any]:
    """What an unquoted value may be: text as it is written, or what it is where no type is declared."""
    return [str(value), untyped(value)] if isinstance(value, Written) else [value]


def _untyped(value: Any, path: str) -> Any:
    """A value for which no type is declared. JSON must be able to hold it: TOML has dates and times, too."""
    if isinstance(value, Mapping):
        return dict(zip(value, _items((Any,) * len(value), value.items(), path), strict=True))
    if isinstance(value, list | tuple):
        return _items((Any,) * len(value), enumerate(value), path)
    if value is None or isinstance(value, str | int | float):
        return value
    raise _Bad(
        ConfigProblem(path, f"must be text, a number, true, false or null, is {_show(value)}: write it in quotes")
    )


def _text(value: str, path: str) -> str:
    # Bytes of the command line that are not UTF-8 come as lone surrogates, which no file can hold.
    if not value.isascii() and any("\ud800" <= character <= "\udfff" for character in value):
        raise _Bad(ConfigProblem(path, f"must be text in UTF-8, is {_show(value)}"))
    return value


def _number(value: Any) -> float | None:
    """A float; also from text in quotes."""
    value = plain(value)
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        return float(value)
    except (ValueError, OverflowError):
        return None


_TYPE_NAMES = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "text",
    type(None): "null",
}


def _type_name(declared: Any) -> str:
    args = typing.get_args(declared)
    if typing.get_origin(declared) in (Union, types.UnionType):
        return " or ".join(map(_type_name, args))
    return _TYPE_NAMES.get(declared, str(declared))


def _show(value: Any) -> str:
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    if isinstance(value, Written) and not isinstance(untyped(value), str):
        return str(value) or "null"
    value = plain(value)
    text = {True: "true", False: "false", None: "null"}.get(value) if value is None or isinstance(value, bool) else None
    shown = text if text is not None else repr(value)
    return shown if len(shown) <= 60 else shown[:57] + "..."
