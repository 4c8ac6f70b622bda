"""Unions of dataclasses that say which one is meant: each has KIND, the value of its field `kind`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from coordinator.errors import did_you_mean
from coordinator.project.problem import ConfigProblem, join


def by_kind(classes: Sequence[Any], value: Any, path: str) -> tuple[list[Any], list[ConfigProblem]]:
    """The class that the value's `kind` names, alone; all of them where they have no kinds.

    The problem, if the value names none of them.
    """
    kinds: dict[str, Any] = {getattr(each, "KIND", ""): each for each in classes}
    if "" in kinds or len(classes) < 2 or not isinstance(value, Mapping):
        return list(classes), []
    kind = value.get("kind")
    if isinstance(kind, str) and str(kind) in kinds:
        return [kinds[str(kind)]], []
    said = f"is {kind!r}{did_you_mean(kind, kinds)}" if isinstance(kind, str) else "is missing"
    return [], [ConfigProblem(join(path, "kind"), f"{said}: it must be one of {', '.join(kinds)}")]
