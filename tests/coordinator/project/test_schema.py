"""Plain data against dataclasses: what is taken, what is refused and how, and how `--set` reads its values."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import given, settings, strategies as st

from coordinator.project.problem import ConfigProblem
from coordinator.project.schema import assignment, check
from coordinator.project.values import leaves, merged, plain


class Kind(StrEnum):
    MASK = "mask"
    BOX = "box"


@dataclass(frozen=True)
class Optim:
    lr: float = 0.1
    name: Literal["sgd", "adamw"] = "sgd"
    betas: tuple[float, float] = (0.9, 0.999)

    def __post_init__(self) -> None:
        problems = [f"lr must be > 0, is {self.lr}"] * (not self.lr > 0)
        problems += ["betas must rise, do not"] * (self.betas[0] > self.betas[1])
        if problems:
            raise ValueError("\n".join(problems))


@dataclass(frozen=True)
class Everything:
    flag: bool = False
    count: int = 1
    text: str = ""
    maybe: int | None = None
    note: str | None = None
    either: int | str = 0
    level: Literal[1, 2, "all"] = 1
    switch: Literal["on", "off"] = "off"
    kind: Kind = Kind.MASK
    tags: tuple[str, ...] = ()
    sizes: list[int] = field(default_factory=list)
    grid: tuple[tuple[int, ...], ...] = ()
    weights: dict[str, float] = field(default_factory=dict)
    optim: Optim = field(default_factory=Optim)


@dataclass(frozen=True)
class Required:
    source: str
    size: int = 1


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ({"flag": True}, True),
        ({"count": -3}, -3),
        ({"text": "1e-3"}, "1e-3"),
        ({"maybe": None}, None),
        ({"maybe": 4}, 4),
        ({"either": "a"}, "a"),
        ({"level": "all"}, "all"),
        ({"kind": "box"}, Kind.BOX),
        ({"tags": ["a", "b"]}, ("a", "b")),
        ({"sizes": [1, 2]}, [1, 2]),
        ({"grid": [[1, 2], [], [3]]}, ((1, 2), (), (3,))),
        ({"weights": {"a": 1}}, {"a": 1.0}),
    ],
)
def test_values_are_taken_as_declared(data: dict[str, Any], expected: Any) -> None:
    """A value comes out as the declared type, and the rest keeps its default."""
    value, problems = check(Everything, data)
    assert problems == []
    ((name, _),) = data.items()
    found = getattr(value, name)
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(("written", "read"), [(1, 1.0), ("1e-3", 0.001), ("1.5E+2", 150.0), (0.25, 0.25)])
def test_floats_come_from_whole_numbers_and_from_what_yaml_takes_for_text(written: object, read: float) -> None:
    """`1e-3` has no dot, so YAML 1.1 reads it as text; a person means the number."""
    value, problems = check(Optim, {"lr": written})
    assert problems == []
    assert value is not None
    assert type(value.lr) is float
    assert value.lr == read


@pytest.mark.parametrize(
    ("data", "path", "message"),
    [
        ({"flag": 1}, "flag", "must be true or false, is 1"),
        ({"flag": "yes"}, "flag", "must be true or false, is 'yes'"),
        ({"count": True}, "count", "must be a whole number, is true"),
        ({"count": 1.0}, "count", "must be a whole number, is 1.0"),
        ({"count": None}, "count", "must be a whole number, is null"),
        ({"text": 3}, "text", "must be text, is 3"),
        ({"text": "\udcff"}, "text", r"must be text in UTF-8, is '\udcff'"),
        ({"maybe": "x"}, "maybe", "must be a whole number, is 'x'"),
        ({"either": 1.5}, "either", "must be a whole number or text, is 1.5"),
        ({"level": True}, "level", "must be one of 1, 2, 'all', is true"),
        ({"switch": "onn"}, "switch", "must be one of 'on', 'off', is 'onn' (did you mean \"on\"?)"),
        ({"kind": "boxes"}, "kind", "must be one of mask, box, is 'boxes'"),
        ({"kind": ["box"]}, "kind", "must be one of mask, box, is ['box']"),
        ({"tags": "a"}, "tags", "must be a list, is 'a'"),
        ({"tags": ["a", 2]}, "tags.1", "must be text, is 2"),
        ({"grid": [[1], ["2"]]}, "grid.1.0", "must be a whole number, is '2'"),
        ({"weights": {"a": "b"}}, "weights.a", "must be a number, is 'b'"),
        ({"weights": [1]}, "weights", "must be a mapping, is [1]"),
        ({"optim": None}, "optim", "must be a mapping with the keys lr, name, betas, is null"),
        ({"optim": {"lr": float("nan")}}, "optim.lr", "must be a finite number, is nan"),
        ({"optim": {"lr": "inf"}}, "optim.lr", "must be a finite number, is 'inf'"),
        ({"optim": {"lr": True}}, "optim.lr", "must be a number, is true"),
        ({"optim": {"lr": 10**400}}, "optim.lr", f"must be a number, is 1{'0' * 56}..."),
        ({"optim": {"betas": [0.9]}}, "optim.betas", "must be a list of 2, has 1"),
        ({"optim": {"lr": 0}}, "optim.lr", "must be > 0, is 0.0"),
        ({"optim": {"lrr": 1}}, "optim.lrr", 'unknown key "lrr" (did you mean "lr"?)'),
        ({1: 2}, "1", 'unknown key "1"'),
    ],
)
def test_bad_values_are_named_with_their_path(data: dict[str, Any], path: str, message: str) -> None:
    """Each kind of wrong value gives one problem, at its own path, that says what is wanted and what is there."""
    value, problems = check(Everything, data)
    assert value is None
    assert problems == [ConfigProblem(path, message)]


def test_all_problems_come_at_once() -> None:
    """Unknown keys, wrong types at any depth and every range of a section are told together."""
    data = {"cuont": 1, "flag": 2, "optim": {"lr": -1, "betas": [0.9, 0.1]}, "tags": [1, 2]}
    _, problems = check(Everything, data, path="config")
    assert [problem.path for problem in problems] == [
        *("config.cuont", "config.flag", "config.tags.0", "config.tags.1", "config.optim.lr", "config.optim.betas"),
    ]


def test_what_has_no_default_must_be_there() -> None:
    """A missing value is told by its name; null is not the same as missing."""
    assert check(Required, {})[1] == [ConfigProblem("source", "is missing")]
    assert check(Required, {"source": None})[1] == [ConfigProblem("source", "must be text, is null")]


@dataclass(frozen=True)
class Strange:
    where: Path = Path()


def test_a_type_that_cannot_be_checked_is_refused() -> None:
    """A config that declares what plain data cannot be is told so, without a stack trace."""
    _, (problem,) = check(Strange, {"where": "x"})
    assert problem.path == "where"
    assert "which coord cannot check" in problem.message


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("flag=true", True),
        ("count=7", 7),
        ("optim.lr=1e-3", 0.001),
        ("optim.lr = 5", 5.0),
        ("text=123", "123"),
        ("text=no", "no"),
        ("text=", ""),
        ("text=a=b", "a=b"),
        ("text=[1, 2", "[1, 2"),
        ("note=2020", "2020"),
        ("note=null", None),
        ("maybe=null", None),
        ("switch=on", "on"),
        ("kind=box", Kind.BOX),
        ("tags=[1, no, 2026-01-01]", ("1", "no", "2026-01-01")),
        ("tags=[]", ()),
        ("sizes=[1, 2]", [1, 2]),
        ("grid=[[1, 2], [3]]", ((1, 2), (3,))),
        ("optim.betas=[0.5, 0.75]", (0.5, 0.75)),
        ("weights={a: 1}", {"a": 1.0}),
    ],
)
def test_set_reads_a_value_as_it_is_declared(text: str, value: object) -> None:
    """What is declared as text stays text although it looks like a number; all else is read as YAML."""
    data = assignment(Everything, text)
    ((path, _), *_) = leaves(data)
    built, problems = check(Everything, data)
    assert problems == []
    found: Any = built
    for name in text.partition("=")[0].strip().split("."):
        found = getattr(found, name)
    assert found == value
    assert path.startswith(text.partition("=")[0].strip())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("optim.lr", "is not of the form path.to.value=VALUE"),
        ("=1", "is not of the form"),
        ("optim..lr=1", "is not of the form"),
        ("optm.lr=1", 'unknown name "optm" (did you mean "optim"?)'),
        ("optim.lrr=1", 'unknown name "lrr" (did you mean "lr"?)'),
        ("optim=1", '"optim" is a section; name one of its values: lr, name, betas'),
        ("count.x=1", '"count.x": "count" is a value, it has no "x"'),
    ],
)
def test_set_refuses_what_is_not_a_value(text: str, message: str) -> None:
    """A path that the config does not have, or that names a whole section, is refused with what there is."""
    with pytest.raises(ValueError) as caught:  # noqa: PT011  # the message is checked below
        assignment(Everything, text)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    "text", ["count=2026-13-45", "count=1 2", "count={", "count=" + "9" * 5000, "count=" + "[" * 9000]
)
def test_set_with_nonsense_is_a_problem_not_a_crash(text: str) -> None:
    """Whatever stands behind the `=`, the check has the last word."""
    value, problems = check(Everything, assignment(Everything, text))
    assert value is None
    assert [problem.path for problem in problems] == ["count"]


def test_plain_data_is_a_fixed_point() -> None:
    """An instance written out as plain data and read again is the same instance."""
    full = Everything(kind=Kind.BOX, grid=((1,), ()), weights={"a": 0.5}, tags=("x",), note="n")
    assert check(Everything, plain(full)) == (full, [])


_nested = st.recursive(
    st.dictionaries(st.sampled_from("abc"), st.integers(), max_size=3),
    lambda inner: st.dictionaries(st.sampled_from("abc"), inner | st.integers(), max_size=3),
    max_leaves=8,
)


@settings(max_examples=40)
@given(_nested, _nested)
def test_merging_keeps_all_of_the_later_layer(below: Any, above: Any) -> None:
    """An empty layer changes nothing, a layer merged twice is merged once, and a layer's own values survive."""
    both = merged(below, above)
    assert merged(below, {}) == below == merged({}, below)
    assert merged(both, above) == both
    assert set(leaves(above)) <= set(leaves(both))
