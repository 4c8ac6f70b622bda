"""YAML text to plain data with the line of every value. Unquoted values stay as they are written (see scalar.py)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import yaml

from coordinator.project.problem import ConfigProblem, join
from coordinator.project.scalar import Written, untyped

# The loader of libyaml, where it is built in, is ten times as fast. It only parses: the values are read here.
_LOADER = getattr(yaml, "CBaseLoader", yaml.BaseLoader)

_REPEATED_AT_MOST = 100_000
"""Values that aliases may repeat: eleven lines of them can stand for more values than any memory holds."""

_TAG = "tag:yaml.org,2002:"
_SCALARS: dict[str, tuple[type, ...]] = {"int": (int,), "float": (int, float), "bool": (bool,), "null": (type(None),)}


@dataclass
class Parsed:
    """The data, the line (from 1) of each dotted path in it, and the keys that are written twice."""

    data: Any = None
    lines: dict[str, int] = field(default_factory=dict)
    problems: list[ConfigProblem] = field(default_factory=list)


def parse(text: str) -> Parsed:
    """Raises ValueError, whose text says what is wrong and in which line."""
    try:
        node = yaml.compose(text, Loader=_LOADER)
        reader = _Reader()
        if node is not None:
            reader.parsed.data = reader.value(node, "")
    except yaml.YAMLError as error:
        raise ValueError(_explained(error, text)) from error
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    return reader.parsed


class _Reader:
    def __init__(self) -> None:
        self.parsed = Parsed()
        self._seen: set[int] = set()
        self._around: set[int] = set()
        self._repeated = 0

    def value(self, node: yaml.Node, path: str) -> Any:
        """The node's value. Every alias of it is a copy, as merging changes them one by one."""
        if id(node) in self._seen:
            self._repeated += 1
            if self._repeated > _REPEATED_AT_MOST:
                raise ValueError(f"its aliases (*name) repeat more than {_REPEATED_AT_MOST:,} values")
        self._seen.add(id(node))
        if isinstance(node, yaml.ScalarNode):
            return _scalar(node)
        if id(node) in self._around:
            raise ValueError(f"{_line(node)}: an alias (*name) stands inside its own anchor (&name)")
        self._around.add(id(node))
        try:
            if isinstance(node, yaml.SequenceNode):
                _check_tag(node, "seq")
                return [self._item(item, join(path, str(number))) for number, item in enumerate(node.value)]
            return self._mapping(node, path)
        finally:
            self._around.remove(id(node))

    def _item(self, node: yaml.Node, path: str) -> Any:
        self.parsed.lines[path] = node.start_mark.line + 1
        return self.value(node, path)

    def _mapping(self, node: yaml.Node, path: str) -> dict[str, Any]:
        _check_tag(node, "map")
        result: dict[str, Any] = {}
        for key, value in node.value:
            if _is_merge(key):
                for each in _merged(value):
                    result |= self.value(each, path)
        own: dict[str, int] = {}
        for key, value in node.value:
            if _is_merge(key):
                continue
            if not isinstance(key, yaml.ScalarNode):
                raise ValueError(f"{_line(key)}: a key must be text, and this is a list or a mapping")
            name, line = str(key.value), key.start_mark.line + 1
            here = join(path, name)
            if name in own:
                self.parsed.problems.append(ConfigProblem(here, f"is written twice, in lines {own[name]} and {line}"))
            if name in result:  # what it replaces had lines of its own
                for below in [path for path in self.parsed.lines if path.startswith(f"{here}.")]:
                    del self.parsed.lines[below]
            own[name] = self.parsed.lines[here] = line
            result[name] = self.value(value, here)
        return result


def _is_merge(key: yaml.Node) -> bool:
    return isinstance(key, yaml.ScalarNode) and not key.style and key.value == "<<"


def _merged(value: yaml.Node) -> list[yaml.Node]:
    """The mappings that a `<<` adds, the strongest last: of a list, the first one."""
    found = value.value[::-1] if isinstance(value, yaml.SequenceNode) else [value]
    for each in found:
        if not isinstance(each, yaml.MappingNode):
            raise ValueError(f"{_line(each)}: << takes a mapping (<<: *name) or a list of mappings")
    return list(found)


def _scalar(node: yaml.ScalarNode) -> str:
    kind = node.tag.removeprefix(_TAG)
    if kind == "str":
        return str(node.value) if node.style else Written(node.value)
    if kind in _SCALARS and isinstance(untyped(node.value), _SCALARS[kind]):
        return Written(node.value)
    raise ValueError(f"{_line(node)}: the tag {_shown(node.tag)} cannot be read, or not with {node.value!r}")


def _check_tag(node: yaml.Node, kind: str) -> None:
    if node.tag not in (_TAG + kind, "!"):
        raise ValueError(f"{_line(node)}: the tag {_shown(node.tag)} cannot be read")


def _shown(tag: str) -> str:
    return f"!!{tag.removeprefix(_TAG)}" if tag.startswith(_TAG) else tag


def _line(node: yaml.Node) -> str:
    return f"line {node.start_mark.line + 1}"


def _explained(error: yaml.YAMLError, text: str) -> str:
    mark = getattr(error, "problem_mark", None)
    what = getattr(error, "problem", None) or str(error).splitlines()[0]
    if mark is None:
        return what
    line = [*text.splitlines(), ""][min(mark.line, len(text.splitlines()))]
    if "\t" in line[: mark.column + 1]:
        what = f"a tab, where YAML takes only spaces ({what})"
    return f"line {mark.line + 1}: {what}"
