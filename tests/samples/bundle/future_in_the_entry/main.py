from __future__ import annotations

from dataclasses import dataclass, fields
from typing import get_type_hints


def f(x: Later) -> None:
    pass


@dataclass
class Later:
    x: int = 1


print(f.__annotations__, get_type_hints(f)['x'] is Later, [each.type for each in fields(Later)], Later())
