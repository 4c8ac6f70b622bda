"""Plain data in mappings: its values by dotted path, and one laid over another."""

from __future__ import annotations

import dataclasses
import datetime
import enum
import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

from coordinator.project.problem import join
from coordinator.project.scalar import Written, untyped

_SCALARS = frozenset({str, int, float, bool, list, type(None)})


def plain(value: Any) -> Any:
    """The instance as JSON-like data: dicts, lists, str, int, float, bool, None."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return untyped(value) if isinstance(value, Written) else value


def leaves(data: Mapping[str, Any], *, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Every value that is not a mapping, with its dotted path. An empty mapping has no leaves."""
    for key, value in data.items():
        path = join(prefix, str(key))
        # What JSON has is told without a search through the abstract classes: there are many leaves in many configs.
        if type(value) not in _SCALARS and isinstance(value, Mapping):
            yield from leaves(value, prefix=path)
        else:
            yield path, value


def merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """`base` changed by `over`: mappings are merged at every depth, everything else is replaced."""
    result = dict(base)
    for key, value in over.items():
        below = result.get(key)
        result[key] = merged(below, value) if isinstance(below, Mapping) and isinstance(value, Mapping) else value
    return result


def json_like(value: Any) -> Any:
    """What a YAML or TOML file has, as JSON holds it: names are text, and so are dates."""
    if isinstance(value, Mapping):
        return {str(key): json_like(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set):
        return [json_like(item) for item in value]
    return value.isoformat() if isinstance(value, datetime.date | datetime.time) else value


def digest_of_values(values: Mapping[str, Any]) -> str:
    """The same for the same values under the same names; `bundle/delivery.py` has it, too."""
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode("utf-8", "replace")).hexdigest()
