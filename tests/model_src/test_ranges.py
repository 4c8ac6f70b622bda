"""Ranges that are declared beside the fields of a dataclass."""

import math
from dataclasses import dataclass
from typing import Annotated, Any

import pytest

from model_src.ranges import Checked, above, absolute_path, at_least, check, multiple_of, naming, of_length


@dataclass(frozen=True)
class Example(Checked):
    """One field of each kind."""

    size: Annotated[int, at_least(64), multiple_of(32)] = 64
    share: Annotated[float, at_least(0, below=1)] = 0.0
    rate: Annotated[float, above(0)] | None = None
    threshold: Annotated[float, above(0, at_most=1)] = 1.0
    file: Annotated[str, naming("a file")] | None = None
    folder: Annotated[str, absolute_path()] = "/"
    pair: Annotated[tuple[Annotated[int, at_least(1, at_most=9)], ...], of_length(2)] = (1, 9)
    free: int = -1

    def __post_init__(self) -> None:
        check(self, (self.size == self.free, "free must not be size"))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"size": 33}, "size must be >= 64, is 33\nsize must be a multiple of 32, is 33"),
        ({"share": 1.0}, "share must be at least 0 and below 1, is 1.0"),
        ({"share": math.nan}, "share must be at least 0 and below 1, is nan"),
        ({"rate": 0.0}, "rate must be > 0 or null, is 0.0"),
        ({"rate": math.inf}, "rate must be > 0 or null, is inf"),
        ({"threshold": 0.0}, "threshold must be above 0 and at most 1, is 0.0"),
        ({"file": ""}, "file must name a file or be null, is empty"),
        ({"folder": "here"}, "folder must be an absolute path, is 'here'"),
        (
            {"pair": (0, 1, 10)},
            "pair must hold 2 values, is [0, 1, 10]\npair must hold values from 1 to 9, holds [0, 10]",
        ),
        ({"size": 0, "free": 0}, "size must be >= 64, is 0\nfree must not be size"),
    ],
)
def test_every_problem_is_one_line(values: dict[str, Any], message: str) -> None:
    """Each begins with the name of the field and has the allowed values; all problems are reported at once."""
    with pytest.raises(ValueError, match=r"^\w") as error:
        Example(**values)
    assert str(error.value) == message


def test_values_at_the_ends_are_allowed() -> None:
    """And None, if the type includes it."""
    assert Example(size=96, share=0.0, rate=1e-9, threshold=1.0, file="a", pair=(9, 1)).rate == 1e-9
    assert Example().file is None


@dataclass(frozen=True)
class Text(Checked):
    """An annotation as a text."""

    size: "Annotated[int, at_least(64)]" = 1


def test_an_annotation_that_is_a_text_is_an_error() -> None:
    """Otherwise its range would not be checked."""
    with pytest.raises(TypeError, match=r"the annotation of Text\.size is a text"):
        Text()
