import enum
from dataclasses import dataclass
from typing import NamedTuple


@dataclass(frozen=True)
class Point:
    x: int
    y: int


class Colour(enum.Enum):
    RED = 1


class Pair(NamedTuple):
    a: int
    b: int


def move(point):
    return point
