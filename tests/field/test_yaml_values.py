"""YAML 1.1's surprises: an unquoted value is read as the type that is declared for it, or it is said why not.

Seen: yaml/pyyaml#173 (`1e10` is text) and #417 (a commit `695e0514` is infinite); found by trying it on coord
(`--set epochs=010` gave 8).
"""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any, Literal

import pytest

from coordinator.errors import ExperimentError, ProjectError
from coordinator.project.experiment import resolve
from coordinator.project.project import Project, find_project
from coordinator.project.schema import assignment, check
from coordinator.project.values import plain
from coordinator.project.yaml_text import parse
from coordinator.sweeps.grid import axis


@dataclasses.dataclass(frozen=True)
class _Types:
    whole: int = 0
    real: float = 0.0
    flag: bool = False
    text: str = ""
    optional: str | None = "set"
    either: str | int = 0
    word: Literal["off", "2026", "auto"] = "auto"
    texts: tuple[str, ...] = ()
    counts: tuple[int, ...] = ()
    free: Any = None


VALUES = [
    ("whole", "010", 10),
    ("whole", "0o10", 8),
    ("whole", "0x1F", 31),
    ("whole", "0b11", 3),
    ("whole", "1_000", 1000),
    ("whole", "1e3", 1000),
    ("whole", "+7", 7),
    ("real", "1e-3", 0.001),
    ("real", "1E5", 100000.0),
    ("real", "010", 10.0),
    ("real", ".5", 0.5),
    ("flag", "yes", True),
    ("flag", "Off", False),
    ("flag", "n", False),
    ("text", "no", "no"),
    ("text", "true", "true"),
    ("text", "010", "010"),
    ("text", "1.10", "1.10"),
    ("text", "1:30", "1:30"),
    ("text", "2026-01-02", "2026-01-02"),
    ("text", "2026-13-45", "2026-13-45"),
    ("text", "=", "="),
    ("optional", "~", None),
    ("optional", "null", None),
    ("optional", "no", "no"),
    ("either", "5", 5),
    ("either", "1:30", "1:30"),
    ("either", "no", "no"),
    ("word", "off", "off"),
    ("word", "2026", "2026"),
    ("texts", "[no, 1.10, 2026-01-02]", ["no", "1.10", "2026-01-02"]),
    ("counts", "[010, 08, 0o10]", [10, 8, 8]),
    ("free", "1e-3", 0.001),
    ("free", "010", 10),
    ("free", "no", False),
    ("free", "1:30", "1:30"),
    ("free", "2026-01-02", "2026-01-02"),
    ("free", "{a: [010, no, ~]}", {"a": [10, False, None]}),
    ("free", "{on: 1, 010: 2}", {"on": 1, "010": 2}),
    ("free", "1e999", "1e999"),
    ("free", "695e0514", "695e0514"),
]
REFUSED = [
    ("whole", "1:30", "must be a whole number, is '1:30'"),
    ("whole", "1.5", "must be a whole number, is 1.5"),
    ("whole", "2026-01-02", "must be a whole number, is '2026-01-02'"),
    ("whole", "08x", "must be a whole number, is '08x'"),
    ("whole", "no", "must be a whole number, is no"),
    ("whole", "9" * 5000, "must be a whole number, is '999"),
    ("real", "1:30.5", "must be a number, is '1:30.5'"),
    ("real", "-.inf", "must be a finite number, is -.inf"),
    ("flag", "1", "must be true or false, is 1"),
    ("flag", "maybe", "must be true or false, is 'maybe'"),
    ("counts", "[1, 1:30]", "must be a whole number, is '1:30'"),
]


def _read(key: str, text: str, way: str) -> tuple[Any, list[str]]:
    data = parse(f"{key}: {text}\n").data if way == "file" else assignment(_Types, f"{key}={text}")
    value, problems = check(_Types, data)
    return plain(value).get(key) if value is not None else None, [problem.message for problem in problems]


@pytest.mark.parametrize("way", ["file", "--set"])
@pytest.mark.parametrize(("key", "text", "value"), VALUES)
def test_a_value_is_what_a_person_means(key: str, text: str, value: Any, way: str) -> None:
    """In a file and in --set alike. The values that no type is declared for can all be written as JSON."""
    found, problems = _read(key, text, way)
    assert (problems, repr(found)) == ([], repr(value))
    json.dumps(found, allow_nan=False)


@pytest.mark.parametrize("way", ["file", "--set"])
@pytest.mark.parametrize(("key", "text", "message"), REFUSED)
def test_a_value_that_is_not_of_its_type_is_told_as_it_is_written(key: str, text: str, message: str, way: str) -> None:
    """Base 60 and dates are no numbers; the message shows what the person wrote."""
    found, problems = _read(key, text, way)
    assert found is None
    assert len(problems) == 1
    assert problems[0].startswith(message)


def test_values_in_quotes_are_text() -> None:
    """As before: a number in quotes is no whole number, and "no" is not false."""
    assert _read("whole", '"5"', "file") == (None, ["must be a whole number, is '5'"])
    assert _read("flag", "'no'", "file") == (None, ["must be true or false, is 'no'"])
    assert _read("text", "'~'", "file") == ("~", [])
    assert _read("free", "'010'", "file") == ("010", [])


def test_the_grid_reads_values_as_set_does(tiny: Project) -> None:
    """`--grid train.epochs=010,0o10` is 10 and 8."""
    values = [
        resolve(tiny, "base", [each]).config["train"]["epochs"] for each in axis("train.epochs=010,0o10").overrides
    ]
    assert values == [10, 8]


MERGES = [
    # base.yaml has lr, too: a wrong value of the merge must not be blamed on it.
    ("x: &fast {lr: fast}\nconfig:\n  optim: {<<: *fast}\n", "bad.yaml:1: config.optim.lr: must be a number"),
    (
        "config:\n  train: &t\n    epochs: 1\n    name: &n\n      lr: slow\n  optim:\n    <<: *n\n",
        "bad.yaml:5: config.optim.lr: must be a number",
    ),
    (
        "x:\n  - &a {lr: slow}\n  - &b\n    name: sgdd\nconfig:\n  optim:\n    <<: [*a, *b]\n",
        "bad.yaml:2: config.optim.lr: must be a number",
    ),
    (
        "x: [&a {lr: 1}, &b {nmae: sgd}]\nconfig:\n  optim:\n    <<: *a\n    <<: *b\n",
        'bad.yaml:1: config.optim.nmae: unknown key "nmae"',
    ),
    ("x: &a {lr: 1}\nconfig:\n  optim:\n    <<: *a\n    lr: slow\n", "bad.yaml:5: config.optim.lr: must be a number"),
    ("config:\n  optim: {<<: 5}\n", "line 2: << takes a mapping"),
    ("config:\n  optim:\n    lr: 1\n    lr: 1\n", "bad.yaml:4: config.optim.lr: is written twice, in lines 3 and 4"),
    ("config:\n  ? [a]\n  : 1\n", "line 2: a key must be text"),
    ("config:\n\ttrain: 1\n", "line 2: a tab, where YAML takes only spaces"),
    ("about: !!timestamp 2026-01-02\n", "line 1: the tag !!timestamp cannot be read"),
    ("about: !mine x\n", "line 1: the tag !mine cannot be read"),
    ("config: !!set {a, b}\n", "line 1: the tag !!set cannot be read"),
    ("config: &a {train: {tags: [*a]}}\n", "line 1: an alias (*name) stands inside its own anchor"),
]


@pytest.mark.parametrize(("text", "message"), MERGES)
def test_a_problem_is_told_with_the_file_and_line_where_it_is_written(tiny: Project, text: str, message: str) -> None:
    """A value that comes through an anchor and a merge key is blamed on the line that has it."""
    (tiny.experiments / "bad.yaml").write_text(text + "base: base\n", encoding="utf-8")
    with pytest.raises(ExperimentError) as caught:
        resolve(tiny, "bad")
    assert message in caught.value.what


def test_two_merge_keys_and_lists_of_them() -> None:
    """As PyYAML has it: of a list the first one wins, of two keys the second, and the mapping's own keys over all."""
    text = "a: &a {x: 1, y: 1, z: 1}\nb: &b {x: 2, y: 2}\nlist: {<<: [*a, *b]}\ntwo:\n  <<: *a\n  <<: *b\n  y: 3\n"
    parsed = parse(text)
    assert plain(parsed.data)["list"] == {"x": 1, "y": 1, "z": 1}
    assert plain(parsed.data)["two"] == {"x": 2, "y": 3, "z": 1}
    assert (parsed.lines["two.x"], parsed.lines["two.y"], parsed.lines["two.z"]) == (2, 7, 1)
    assert not parsed.problems


BOMBS = {
    "lists": "\n".join([f"a0: &a0 [{'x, ' * 9}x]", *(f"a{n}: &a{n} [{f'*a{n - 1}, ' * 10}]" for n in range(1, 11))]),
    "mappings": "\n".join(
        [
            "a0: &a0 {x: 1}",
            *(f"a{n}: &a{n} {{{', '.join(f'k{k}: *a{n - 1}' for k in range(10))}}}" for n in range(1, 11)),
        ]
    ),
    "merges": "\n".join(
        ["a0: &a0 {x: 1}", *(f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 10)}]}}" for n in range(1, 11))]
    ),
    "one long list": f"a: &a [{'x, ' * 2000}x]\nb: [{'*a, ' * 2000}*a]",
}


@pytest.mark.parametrize("name", BOMBS)
def test_aliases_that_stand_for_too_many_values_are_refused(tiny: Project, name: str) -> None:
    """A few lines of aliases are ten billion values: they are counted while they are read."""
    (tiny.experiments / "bomb.yaml").write_text(BOMBS[name], encoding="utf-8")
    with pytest.raises(ExperimentError, match=r"bomb\.yaml is not valid YAML: its aliases .* more than 100,000 values"):
        resolve(tiny, "bomb")


SETTINGS = [
    ("[tool.coord]\nowner = 2026-01-02\n", "tool.coord.owner: must be text, is 2026-01-02"),
    ("[tool.coord]\nowner = 010\n", "is not valid TOML"),
    (f"[tool.coord]\nowner = {'9' * 5000}\n", "is not valid TOML"),
    (f"[tool.coord]\nowner = {'[' * 5000}\n", "is not valid TOML"),
    ('[tool.coord.kernel]\nis_private = "no"\n', "tool.coord.kernel.is_private: must be true or false, is 'no'"),
    (
        '[tool.coord.dry_run.overrides]\n"train.epochs" = 07:32:00\n',
        "tool.coord.dry_run.overrides.train.epochs: must be text, a number, true, false or null, is 07:32:00",
    ),
]


@pytest.mark.parametrize(("text", "message"), SETTINGS)
def test_the_settings_say_what_they_do_not_take(tmp_path: Path, text: str, message: str) -> None:
    """TOML has dates and times of its own, and numbers that Python does not convert."""
    (tmp_path / "pyproject.toml").write_text(text, encoding="utf-8")
    with pytest.raises(ProjectError) as caught:
        find_project(tmp_path)
    assert message in caught.value.what
