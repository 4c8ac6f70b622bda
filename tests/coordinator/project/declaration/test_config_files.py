"""A program's own config files as its declaration, and written for it with other values."""

from __future__ import annotations

import datetime
import json
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from coordinator.errors import ProjectError
from coordinator.project.experiment import resolve
from coordinator.project.project import Project
from tests.coordinator.project.declaration.programs import given, problems, project

YAML = """\
lr: 1e-3
lambda: 0.5
batch-size: 16
model: &m {name: resnet, depth: 18, weights: null, head: {}}
copy: {<<: *m, depth: 34}
classes: {0: cat, 1: dog}
on: true
start: 2020-01-05
patience: .inf
a.b: {c.d: 1}
tags: [a, b]
sizes: [224, 1]
quoted: ".inf"
text: "hällo: # \U0001f600 \\x07"
path: "${oc.env:X}"
needed: ???
"""
SETTINGS = 'entry = "train.py"\nconfig = "configs/a.yaml"'


def _project(root: Path, experiment: str = "config: {needed: 1}", settings: str = SETTINGS, **files: Any) -> Project:
    return project(
        root,
        settings,
        {"train.py": "", "configs/a.yaml": YAML, "experiments/base.yaml": experiment, **files},
    )


def _written(program: Project, *overrides: str) -> dict[Any, Any]:
    """The file that the program gets, read as it would read it."""
    _, _, files = given(resolve(program, "base", overrides))
    ((path, text),) = files.items()
    assert path == "configs/a.yaml"
    found: dict[Any, Any] = yaml.safe_load(text)
    return found


def test_only_what_is_set_differs(tmp_path: Path) -> None:
    """Everything else is what the program reads in the checkout: keys that are no text, dates, merged anchors."""
    before = yaml.safe_load(YAML)
    found = _written(_project(tmp_path), "lr=1e-5", "model.depth=50", "tags=[c]", "classes.1=bird", "model.head.a.b=1")
    expected = {**before, "needed": 1, "lr": 1e-05, "tags": ["c"], "classes": {0: "cat", 1: "bird"}}
    expected["model"] = {**before["model"], "depth": 50, "head": {"a": {"b": 1}}}
    assert found == expected
    assert found["start"] == datetime.date(2020, 1, 5)
    assert found[True] is True


def test_a_name_with_dots(tmp_path: Path) -> None:
    """It is one name."""
    program = _project(tmp_path)
    assert resolve(program, "base", ["a.b.c.d=2"]).config["a.b"] == {"c.d": 2}
    assert problems(program, "a.c=2") == ['--set: "a.c": unknown name "a" (did you mean "a.b"?)']


def test_unchanged_values_leave_the_file_alone(tmp_path: Path) -> None:
    """With its comments, and 1e-3 as the program reads it."""
    program = _project(tmp_path, "config: {lambda: 0.5}", **{"configs/a.yaml": YAML.replace("needed: ???\n", "")})
    assert given(resolve(program, "base")) == ([], {}, {})
    assert resolve(program, "base").config["lr"] == 0.001
    assert resolve(program, "base").changes == ()


@pytest.mark.parametrize(
    ("override", "path", "value"),
    [
        ("batch-size=8", "batch-size", 8),
        ("batch-size=8.5", "batch-size", 8.5),
        ("lambda=1", "lambda", 1.0),
        ("model.name=null", "model.name", None),
        ("model.name=123", "model.name", "123"),
        ("model.weights=x.pth", "model.weights", "x.pth"),
        ("model.weights=[1, 2]", "model.weights", [1, 2]),
        ("start=2021-02-03", "start", "2021-02-03"),
        ("sizes=[0.5, 1e-5]", "sizes", [0.5, 1e-05]),
        ("tags=[1, no]", "tags", ["1", "no"]),
        ("path=${a.b}", "path", "${a.b}"),
        ("patience=5", "patience", 5),
    ],
)
def test_values_of_another_kind(tmp_path: Path, override: str, path: str, value: Any) -> None:
    """A whole number takes a fraction, each value null, null anything; text stays text."""
    config = resolve(_project(tmp_path), "base", [override]).config
    for key in path.split("."):
        config = config[key]
    assert config == value


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ("{lrr: 1}", '1: config.lrr: unknown key "lrr" (did you mean "lr"?)'),
        ("{batch_size: 1}", '1: config.batch_size: unknown key "batch_size" (did you mean "batch-size"?)'),
        ("{model: {nme: a}}", '1: config.model.nme: unknown key "nme" (did you mean "name"?)'),
        ("{model: 3}", "1: config.model: must be a mapping with the keys name, depth, weights, head, is 3"),
        ("{tags: a}", "1: config.tags: must be a list, is 'a'"),
        ("{on: 1}", "1: config.on: must be true or false, is 1"),
        ("{}", "1: config.needed: is missing: configs/a.yaml:16 requires it"),
    ],
)
def test_a_mistake_is_told(tmp_path: Path, config: str, message: str) -> None:
    """With its place, and the name that was probably meant."""
    needed = config if config == "{}" else config[:-1] + ", needed: 1}"
    assert problems(_project(tmp_path, f"config: {needed}")) == [f"experiments/base.yaml:{message}"]


def test_json_toml_and_several_files(tmp_path: Path) -> None:
    """Later files win, and the first is written, in its own format."""
    files = {
        "configs/b.json": '{"lr": 0.1, "net": {"depth": 18, "x": 1}}',
        "configs/c.toml": 'when = 2020-01-05\n[net]\ndepth = 34\nnames = ["a", "b"]\n',
    }
    listed = 'entry = "train.py"\nconfig = ["configs/{}", "configs/{}"]'
    program = _project(tmp_path, "", listed.format("b.json", "c.toml"), **files)
    ((path, text),) = given(resolve(program, "base", ["lr=1e-5"]))[2].items()
    net = {"depth": 34, "x": 1, "names": ["a", "b"]}
    assert (path, json.loads(text)) == ("configs/b.json", {"lr": 1e-05, "net": net, "when": "2020-01-05"})
    program = _project(tmp_path, "", listed.format("c.toml", "b.json"), **files)
    ((path, text),) = given(resolve(program, "base", ["net.x=2"]))[2].items()
    assert path == "configs/c.toml"
    assert tomllib.loads(text) == {
        "when": datetime.date(2020, 1, 5),
        "lr": 0.1,
        "net": {"depth": 18, "x": 2, "names": ["a", "b"]},
    }


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.yaml", "- 1\n", "configs/a.yaml is not valid YAML: it is a list, not a mapping"),
        ("a.yaml", "a: [\n", "configs/a.yaml is not valid YAML: line 2: "),
        ("a.yaml", "a: !include x\n", "configs/a.yaml is not valid YAML: line 1: could not determine a constructor"),
        ("a.yaml", "a: !!binary aGk=\n", "configs/a.yaml: a is binary data"),
        ("a.json", "{'a': 1}", "configs/a.json is not valid JSON: "),
        ("a.json", "[]", "configs/a.json is not valid JSON: it is a list, not an object"),
        ("a.toml", "a = ", "configs/a.toml is not valid TOML: "),
        ("a.ini", "", 'config = "configs/a.ini" is neither module:Class, argparse or hydra:FOLDER/NAME, nor a YAML'),
        ("b.yaml", "", 'config = "configs/a.yaml": there is no such file (did you mean "b.yaml"?)'),
    ],
)
def test_files_that_are_no_declaration(tmp_path: Path, name: str, text: str, message: str) -> None:
    """Each is told with its file."""
    named = name if name != "b.yaml" else "a.yaml"
    program = project(
        tmp_path, f'entry = "train.py"\nconfig = "configs/{named}"', {"train.py": "", f"configs/{name}": text}
    )
    with pytest.raises(ProjectError) as caught:
        resolve(program, "base")
    assert message in caught.value.what


def test_an_empty_file_declares_nothing(tmp_path: Path) -> None:
    """It is no mistake, but each value then is."""
    program = _project(tmp_path, "config: {lr: 1}", **{"configs/a.yaml": "# nothing\n"})
    assert problems(program) == ['experiments/base.yaml:1: config.lr: unknown key "lr"']
