"""Hydra's config folder: composition, options of groups, values, and the overrides that the program then gets."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path
from typing import Any

import pytest

from coordinator.errors import ExperimentError, ProjectError
from coordinator.project.declaration import hydra
from coordinator.project.experiment import Change, resolve
from coordinator.project.project import Project
from coordinator.sweeps.grid import Start, axes, combinations
from tests.coordinator.project.declaration.programs import problems, project, words

CONF = {
    "conf/config.yaml": (
        "defaults:\n  - optimizer: adam\n  - model: resnet\n  - optional extra: none_there\n"
        "  - override hydra/job_logging: default\n  - _self_\n"
        "seed: 1\nname: run_${seed}\nlabel: x\ndata:\n  root: ???\n  size: 224\nempty: {}\nhydra: {run: {dir: out}}\n"
    ),
    "conf/optimizer/adam.yaml": "name: adam\nlr: 0.001\n",
    "conf/optimizer/sgd.yaml": "name: sgd\nlr: 0.1\nmomentum: 0.9\n",
    "conf/model/resnet.yaml": "defaults:\n  - backbone: r18\n  - /optimizer@aux: sgd\n"
    "width: 1\nbackbone: {freeze: true}\n",
    "conf/model/vit.yaml": "defaults:\n  - patch: p16\n",
    "conf/model/backbone/r18.yaml": "depth: 18\n",
    "conf/model/backbone/r50.yaml": "depth: 50\n",
    "conf/model/patch/p16.yaml": "size: 16\n",
    "conf/model/patch/p8.yaml": "size: 8\n",
    "conf/exp/big.yaml": (
        "# @package _global_\ndefaults:\n  - override /optimizer: sgd\n  - override /model/backbone: r50\nseed: 7\n"
    ),
}
AUX = {"name": "sgd", "lr": 0.1, "momentum": 0.9}
ADAM = {"name": "adam", "lr": 0.001}
RESNET = {"backbone": {"depth": 18, "freeze": True}, "aux": AUX, "width": 1}
BIG = {**RESNET, "backbone": {"depth": 50, "freeze": True}}
COMPOSED: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({}, {"optimizer": ADAM, "model": RESNET}),
    ({"optimizer": "sgd"}, {"optimizer": AUX, "model": RESNET}),
    ({"optimizer": None}, {"model": RESNET}),
    ({"model/backbone": "r50"}, {"optimizer": ADAM, "model": BIG}),
    ({"model": "vit"}, {"optimizer": ADAM, "model": {"patch": {"size": 16}}}),
    ({"model": "vit", "model/patch": "p8"}, {"optimizer": ADAM, "model": {"patch": {"size": 8}}}),
    ({"exp": "big"}, {"optimizer": AUX, "model": BIG, "seed": 7}),
    ({"exp": "big", "optimizer": "adam"}, {"optimizer": ADAM, "model": BIG, "seed": 7}),
]


@pytest.fixture(params=["without Hydra", "with Hydra"], autouse=True)
def _composer(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test composes in both ways, if Hydra is installed."""
    hydra._remembered.cache_clear()
    if request.param == "with Hydra":
        pytest.importorskip("hydra")
    else:
        monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)


def _project(root: Path, experiment: str = "config: {data: {root: in}}", **files: Any) -> Project:
    settings = 'entry = "train.py"\nconfig = "hydra:conf/config"'
    return project(root, settings, {"train.py": "", **CONF, "experiments/base.yaml": experiment, **files})


@pytest.mark.parametrize(("chosen", "found"), COMPOSED, ids=str)
def test_composition(tmp_path: Path, chosen: dict[str, Any], found: dict[str, Any]) -> None:
    """What Hydra composes: the table was written from its own answers."""
    program = _project(tmp_path)
    rest = {"seed": 1, "name": "run_${seed}", "label": "x", "data": {"root": "???", "size": 224}, "empty": {}}
    assert hydra._composed(program.root / "conf", "config", chosen).values == {**rest, **found}


@pytest.mark.parametrize(
    ("overrides", "arguments"),
    [
        ((), []),
        (("optimizer=sgd",), ["optimizer=sgd"]),
        (("optimizer=sgd", "optimizer.momentum=0.5"), ["optimizer=sgd", "optimizer.momentum=0.5"]),
        (("defaults.optimizer=sgd", "seed=2"), ["optimizer=sgd", "seed=2"]),
        (("optimizer=null",), ["~optimizer"]),
        (("model=vit", "model/patch=p8"), ["model=vit", "model/patch=p8"]),
        (("exp=big",), ["+exp=big", "model/backbone=r50", "optimizer=sgd"]),
        (("empty.a=[1, b]",), ["++empty.a=[1,b]"]),
        (("data.size=0.5", "seed=null"), ["seed=null", "data.size=0.5"]),
        (("name=it's a \\ test",), ["name='it\\'s a \\ test'"]),
        (("label=",), ["label=''"]),
        (("name=null",), ["name=null"]),
        (("name=a,b",), ["name='a,b'"]),
        (("name=${seed}/x",), ["name='${seed}/x'"]),
    ],
)
def test_overrides_that_the_program_gets(tmp_path: Path, overrides: tuple[str, ...], arguments: list[str]) -> None:
    """Options of groups and values that differ from what Hydra composes by itself; text is quoted where it must be."""
    found = words(_project(tmp_path), *overrides)
    assert [word for word in found if word != "++data.root=in"] == arguments


@pytest.mark.parametrize("name", ["optimizer", " defaults.optimizer "])
def test_a_mistake_of_the_command_line_is_told_as_its_own(tmp_path: Path, name: str) -> None:
    """Whatever the files say of that group; what is wrong in a file stays the file's."""
    program = _project(tmp_path, "config: {optimizer: sgd, data: {root: in}}")
    with pytest.raises(ExperimentError) as caught:
        resolve(program, "base", [f"{name}=sdg"])
    told = '--set: optimizer: there is no "sdg" in conf/optimizer (did you mean "sgd"?)'
    assert caught.value.what.splitlines()[1:] == [f"  {told}"]
    program = _project(tmp_path, "config: {optimizer: sdg, data: {root: in}}")
    with pytest.raises(ExperimentError, match=r"experiments/base.yaml:1: config.optimizer: there is no"):
        resolve(program, "base", ["seed=2"])


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ("{optimizer: sdg}", 'optimizer: there is no "sdg" in conf/optimizer (did you mean "sgd"?)'),
        ("{optimzer: sgd}", 'optimzer: unknown key "optimzer" (did you mean "optimizer"?)'),
        ("{optimizer: {lrr: 1}}", 'optimizer.lrr: unknown key "lrr" (did you mean "lr"?)'),
        ("{optimizer: {momentum: 1}}", 'optimizer.momentum: unknown key "momentum"'),
        ("{optimizer: {lr: fast}}", "optimizer.lr: must be a number, is 'fast'"),
        ("{defaults: {optimzer: sgd}}", 'defaults.optimzer: unknown key "optimzer" (did you mean "optimizer"?)'),
    ],
)
def test_a_mistake_is_told(tmp_path: Path, config: str, message: str) -> None:
    """An unknown option, group or value, also one of another option."""
    program = _project(tmp_path, f"config: {config[:-1]}, data: {{root: in}}}}")
    assert problems(program)[0].startswith(f"experiments/base.yaml:1: config.{message}")


def test_a_value_that_has_to_be_given(tmp_path: Path) -> None:
    """`???` of a value and of an option."""
    program = _project(tmp_path, "")
    assert problems(program) == ["experiments/base.yaml: config.data.root: is missing: conf/config.yaml requires it"]
    program = _project(
        tmp_path,
        "config: {data: {root: in}}",
        **{"conf/config.yaml": "defaults:\n  - optimizer: ???\n  - _self_\ndata:\n  root: ???\n"},
    )
    place = "experiments/base.yaml:1: config.defaults.optimizer: is missing: conf/config.yaml requires it"
    assert problems(program) == [place]
    assert words(program, "optimizer=sgd") == ["optimizer=sgd", "++data.root=in"]


def test_an_experiment_and_a_grid_over_options(tmp_path: Path) -> None:
    """The option is one value of the config, which changes others: in the table of changes, in names, in the grid."""
    program = _project(tmp_path, **{"experiments/sgd.yaml": "base: base\nconfig: {optimizer: sgd}"})
    found = resolve(program, "sgd")
    assert found.config["defaults"]["optimizer"] == "sgd"
    assert {change.path for change in found.changes} == {
        *("defaults.optimizer", "optimizer.name", "optimizer.lr", "optimizer.momentum"),
    }
    assert Change("defaults.optimizer", "adam", "sgd") in found.changes
    varied = axes(program, resolve(program, "base"), ["optimizer=adam,sgd", "seed=1,2"], seeds=None, split=False)
    made = combinations(program, Start("base", "base"), varied, {})
    assert [each.name for each in made] == [
        *("base--optimizer=adam-seed1", "base--optimizer=adam-seed2"),
        *("base--optimizer=sgd-seed1", "base--optimizer=sgd-seed2"),
    ]
    assert made[2].experiment.config["optimizer"] == AUX
    varied = axes(
        program, resolve(program, "base"), ["optimizer=sgd", "optimizer.momentum=0,0.5"], seeds=None, split=False
    )
    made = combinations(program, Start("base", "base"), varied, {})
    assert [each.experiment.config["optimizer"]["momentum"] for each in made] == [0.0, 0.5]


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"conf/config.yaml": None}, 'config = "hydra:conf/config": there is no conf/config.yaml'),
        ({"conf/config.yaml": "defaults:\n  - optimizer: lion\n"}, "lion"),
        ({"conf/config.yaml": "a: [\n"}, "config.yaml"),
    ],
)
def test_a_folder_that_cannot_be_composed(tmp_path: Path, files: dict[str, Any], message: str) -> None:
    """The file is named."""
    program = _project(tmp_path)
    for name, text in files.items():
        (program.root / name).unlink()
        if text is not None:
            (program.root / name).write_text(text)
    with pytest.raises(ProjectError) as caught:
        resolve(program, "base")
    assert message in caught.value.what


def test_an_edited_file_is_read_again(tmp_path: Path) -> None:
    """What was composed is remembered for as long as no file changes."""
    program = _project(tmp_path)
    assert resolve(program, "base").config["optimizer"]["lr"] == 0.001
    file = program.root / "conf/optimizer/adam.yaml"
    file.write_text("name: adam\nlr: 0.5\n")
    os.utime(file, (1, 1))
    assert resolve(program, "base").config["optimizer"]["lr"] == 0.5
