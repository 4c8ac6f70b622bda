"""The ranges of a dataclass's fields, declared beside them: `size: Annotated[int, at_least(64)] = 1024`.

Standard library only, like the config that is declared with it.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from pathlib import PurePosixPath
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin


@dataclass(frozen=True)
class Constraint:
    """A condition on one value."""

    verb: str
    text: str
    """Together they complete the sentence "NAME must ...": "be", ">= 64"."""
    holds: Callable[[Any], bool]


def at_least(low: float, *, at_most: float | None = None, below: float | None = None) -> Constraint:
    """A finite number from `low` on, up to `at_most` or below `below`; NaN is out of every range."""
    if at_most is not None:
        return Constraint("be", f"from {low} to {at_most}", lambda value: low <= value <= at_most)
    if below is not None:
        return Constraint("be", f"at least {low} and below {below}", lambda value: low <= value < below)
    return Constraint("be", f">= {low}", lambda value: low <= value < math.inf)


def above(low: float, *, at_most: float | None = None) -> Constraint:
    """A finite number larger than `low`, up to `at_most`; NaN is out of every range."""
    if at_most is not None:
        return Constraint("be", f"above {low} and at most {at_most}", lambda value: low < value <= at_most)
    return Constraint("be", f"> {low}", lambda value: low < value < math.inf)


def multiple_of(number: int) -> Constraint:
    """A whole number that `number` divides."""
    return Constraint("be", f"a multiple of {number}", lambda value: value % number == 0)


def naming(what: str) -> Constraint:
    """A text that is not empty; `what` says what it names, such as "a file"."""
    return Constraint("name", what, lambda value: bool(value.strip("/")))


def absolute_path() -> Constraint:
    """A path that begins at the root of the file system."""
    return Constraint("be", "an absolute path", lambda value: PurePosixPath(value).is_absolute())


def of_length(number: int) -> Constraint:
    """A tuple of so many values."""
    return Constraint("hold", f"{number} values", lambda values: len(values) == number)


Count = Annotated[int, at_least(1)]
Share = Annotated[float, at_least(0, at_most=1)]
Threshold = Annotated[float, above(0, at_most=1)]
Seed = Annotated[int, at_least(0, at_most=2**31 - 1)]


class Checked:
    """Base of a dataclass whose instances are checked; one with conditions between fields calls `check` with them."""

    def __post_init__(self) -> None:
        check(self)


def check(instance: Any, *conditions: tuple[bool, str]) -> None:
    """Raise ValueError with every problem of a dataclass instance, one a line, each beginning with a field's name.

    Checks the constraints in `Annotated`: of a field, of what is not None in `X | None`, and of the values of a tuple.
    `conditions` are (whether it is violated, message) between several fields. Raises TypeError for an annotation that
    is a text, as all are after `from __future__ import annotations`: its range could not be checked.
    """
    problems: list[str] = []
    for field in fields(instance):
        if isinstance(field.type, str):
            raise TypeError(f"the annotation of {type(instance).__name__}.{field.name} is a text: {field.type!r}")
        problems += _problems(field.name, field.type, getattr(instance, field.name))
    problems += [message for is_violated, message in conditions if is_violated]
    if problems:
        raise ValueError("\n".join(problems))


def _problems(name: str, declared: Any, value: Any, *, is_optional: bool = False) -> Iterator[str]:
    """One text for each constraint that the value of a field violates."""
    origin, arguments = get_origin(declared), get_args(declared)
    if origin in (Union, UnionType):
        if value is not None:
            yield from _problems(name, arguments[0], value, is_optional=True)
    elif origin is Annotated:
        kind, *constraints = arguments
        for each in constraints:
            if not each.holds(value):
                null = "" if not is_optional else " or null" if each.verb == "be" else " or be null"
                yield f"{name} must {each.verb} {each.text}{null}, is {_shown(value)}"
        yield from _problems(name, kind, value)
    elif origin is tuple:
        for each in arguments[0].__metadata__ if get_origin(arguments[0]) is Annotated else ():
            if wrong := [item for item in value if not each.holds(item)]:
                yield f"{name} must hold values {each.text}, holds {wrong}"


def _shown(value: Any) -> str:
    return "empty" if value == "" else str(list(value)) if isinstance(value, tuple) else repr(value)
