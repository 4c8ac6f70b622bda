"""A declaration from values: what a config file or the base experiment has is what there is, and its types say more.

A whole number may become a fraction, every value null, null anything; below an empty mapping anything may stand.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from coordinator.project.problem import join
from coordinator.project.section import REQUIRED, Field, Section

_SMALL = re.compile(r"[-+]?(\d+(\.\d*)?|\.\d+)[eE][-+]?\d+")
"""A number such as 1e-3, which YAML 1.1 reads as text."""
NOT_FINITE = re.compile(r"[-+]?\.(inf|Inf|INF|nan|NaN|NAN)")
"""What YAML calls the numbers that JSON does not have."""
MISSING = "???"
"""What OmegaConf takes for a value that has to be given."""


def section_of(values: Mapping[str, Any], where: Callable[[str], str], *, path: str = "") -> Section:
    """The values as a declaration. `where` gives the place of a dotted path."""
    entries: dict[str, Field | Section] = {}
    for name, value in values.items():
        here = join(path, name)
        if isinstance(value, Mapping) and value:
            entries[name] = section_of(value, where, path=here)
        else:
            kind, default = _typed(value)
            entries[name] = Field(kind, default, where=where(here))
    return Section(entries)


def defaults_of(section: Section) -> dict[str, Any]:
    """The values that a declaration has without any being given."""
    found: dict[str, Any] = {}
    for name, entry in section.entries.items():
        if isinstance(entry, Section):
            found[name] = defaults_of(entry)
        elif entry.default is not REQUIRED:
            found[name] = entry.default
    return found


def _typed(value: Any) -> tuple[Any, Any]:
    """The type of a value that may stand in its place, and the value."""
    if value is None:
        return Any, None
    if isinstance(value, Mapping):
        return dict[str, Any], {}
    if isinstance(value, list):
        return _list_type(value) | None, value
    if isinstance(value, bool):
        return bool | None, value
    if isinstance(value, int):
        return int | float | None, value
    if isinstance(value, float) or _SMALL.fullmatch(value):
        return float | None, float(value)
    if value == MISSING:
        return Any, REQUIRED
    if NOT_FINITE.fullmatch(value):
        return Any, value
    if "${" in value:  # an interpolation may stand for anything
        return Any, value
    return str | None, value


def _list_type(items: list[Any]) -> Any:
    if items and all(isinstance(item, str) for item in items):
        return list[str]
    if items and all(isinstance(item, int | float) and not isinstance(item, bool) for item in items):
        return list[int | float]
    return list[Any]
