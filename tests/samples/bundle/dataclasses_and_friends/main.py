import enum
from dataclasses import asdict, dataclass, field, replace
from functools import singledispatch
from typing import ClassVar, NamedTuple, Protocol, get_type_hints


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    lr: float = 0.1
    names: 'list[str]' = field(default_factory=list)
    count: 'ClassVar[int]' = 3


class Mode(enum.StrEnum):
    MIN = enum.auto()


class Row(NamedTuple):
    mode: Mode = Mode.MIN


@singledispatch
def show(value):
    return repr(value)


@show.register
def _(value: Config):
    return asdict(value)


print(show(replace(Config(), lr=1.0)), show(Row()), get_type_hints(Config), Config.__module__, hash(Config) is not None)
