"""What is wrong with one value of a config or of the settings."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True)
class ConfigProblem:
    """One thing that is wrong: the dotted path of the value, and what is wrong with it."""

    path: str
    message: str


def join(path: str, key: str) -> str:
    """The dotted path of `key` in the section `path`."""
    return f"{path}.{key}" if path else key
