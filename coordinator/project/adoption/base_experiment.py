"""The text of experiments/base.yaml: every value of the config, with its help, as a comment unless it is given."""

from __future__ import annotations

import dataclasses
import textwrap
from collections.abc import Iterator, Mapping
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

import yaml

from coordinator.project.scalar import Written, untyped
from coordinator.project.schema import Declared
from coordinator.project.section import REQUIRED, Field, Section

BASE_MARK = "# A comment has the value that counts without it."
_OWN_NAMES = "# The names below `config` are this project's own: other experiments may change their values only."
_WIDTH = 100
_VALUE_MAX = 200


@dataclasses.dataclass(frozen=True)
class Base:
    """What the file says."""

    declared: Declared | None
    values: Mapping[str, Any]
    """By dotted path: what the repository's own command gives."""
    about: str
    what: str
    """What declares the names, for people."""


def base_text(base: Base) -> tuple[str, list[str]]:
    """(the file, the values that are still to be filled in)."""
    head = [f"about: {_shown(base.about)}"] if base.about else []
    if not isinstance(base.declared, Section) or not base.declared.entries:
        head += [
            "# The names below `config` are this project's own: other experiments may change their values only.",
            BASE_MARK,
        ]
        lines = list(_given(dict(base.values)))
        return "\n".join([*head, "config:", *(lines or ["  # name: value"])]) + "\n", []
    missing: list[str] = []
    lines = list(_section(base.declared, base.values, "", "  ", missing))
    head += [f"# {base.what}.", BASE_MARK]
    return "\n".join([*head, "config:", *lines]) + "\n", missing


def _given(values: Mapping[str, Any]) -> Iterator[str]:
    for name, value in values.items():
        yield f"  {_shown(name)}: {_shown(value)}"


def _section(section: Section, values: Mapping[str, Any], path: str, indent: str, missing: list[str]) -> Iterator[str]:
    for name, entry in section.entries.items():
        here = f"{path}.{name}" if path else name
        if isinstance(entry, Field):
            yield from _field(here, name, entry, values, indent, missing)
            continue
        inner = list(_section(entry, values, here, indent + "  ", missing))
        is_used = any(not line.lstrip().startswith("#") for line in inner)
        if is_used:
            yield f"{indent}{_shown(name)}:"
            yield from inner
        else:
            yield f"{indent}# {_shown(name)}:"
            yield from (_behind_hash(line, indent) for line in inner)


def _behind_hash(line: str, indent: str) -> str:
    """`    # lr: 0.3` in a section that is a comment itself: `  #   lr: 0.3`, so that removing `# ` is enough."""
    at = line.index("#")
    hashes, _, text = line[at:].partition(" ")
    return f"{indent}{hashes} {' ' * (at - len(indent))}{text}"


def _field(
    path: str, name: str, entry: Field, values: Mapping[str, Any], indent: str, missing: list[str]
) -> Iterator[str]:
    about = "; ".join(filter(None, [" ".join(entry.help.split()), _choices(entry.type)]))
    if path in values:
        line = f"{indent}{_shown(name)}: {_shown(values[path])}"
    elif entry.default is REQUIRED:
        missing.append(path)
        about = "; ".join(filter(None, ["REQUIRED", about]))
        line = f"{indent}{_shown(name)}:"
    else:
        text = _shown(entry.default)
        line = f"{indent}# {_shown(name)}: {text if len(text) <= _VALUE_MAX else '(long)'}"
    if about and len(line) + len(about) + 4 <= _WIDTH:
        yield f"{line}   # {about}"
        return
    for each in textwrap.wrap(about, _WIDTH - len(indent) - 3, max_lines=3, placeholder=" ..."):
        yield f"{indent}## {each}"
    yield line


def _choices(kind: Any) -> str:
    for each in get_args(kind) if get_origin(kind) in (Union, UnionType, list) else (kind,):
        if get_origin(each) is Literal:
            words = [str(choice) for choice in get_args(each)]
            return " | ".join(words[:12]) + " | ..." * (len(words) > 12)
    return ""


def _shown(value: Any) -> str:
    """The value in one line of YAML."""
    text = yaml.safe_dump(_plain(value), default_flow_style=True, width=10_000, allow_unicode=True, sort_keys=False)
    return text.removesuffix("\n").removesuffix("\n...").replace("\n", " ")


def _plain(value: Any) -> Any:
    """The value without what only says how it was written."""
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    return untyped(value) if isinstance(value, Written) else value
