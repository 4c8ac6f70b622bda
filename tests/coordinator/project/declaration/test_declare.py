"""What is the same for all kinds of declaration; the base experiment as one, dicts of a dataclass, and deliveries."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from coordinator.errors import ProjectError
from coordinator.project.experiment import Change, resolve
from coordinator.project.project import Project
from coordinator.project.schema import declared_paths
from coordinator.sweeps.grid import Start, axes, combinations
from tests.coordinator.project.declaration.programs import given, problems, project, words

FLAGS = (
    "import argparse\np = argparse.ArgumentParser()\np.add_argument('--lr', type=float, default=0.1)\n"
    "p.add_argument('--seed', type=int, default=0)\np.add_argument('--opt', default='sgd')\np.parse_args()\n"
)
VALUES = "lr: 0.1\nseed: 0\nopt: sgd\n"
CONFIG_CLASS = (
    "import dataclasses\n@dataclasses.dataclass\nclass C:\n"
    "    lr: float = 0.1\n    seed: int = 0\n    opt: str = 'sgd'\n"
)
KINDS: dict[str, tuple[str, dict[str, Any]]] = {
    "dataclass": ('config = "settings:C"', {"settings.py": CONFIG_CLASS}),
    "argparse": ('config = "argparse"', {"train.py": FLAGS}),
    "files": ('config = "a.yaml"', {"a.yaml": VALUES}),
    "hydra": ('config = "hydra:conf/config"', {"conf/config.yaml": VALUES}),
    "base": ("", {"experiments/base.yaml": "config:\n  lr: 0.1\n  seed: 0\n  opt: sgd\n"}),
}


def _project(root: Path, kind: str, settings: str = "", **files: Any) -> Project:
    named, declaring = KINDS[kind]
    return project(
        root,
        f'entry = "train.py"\n{named}\n{settings}',
        {"train.py": "", "experiments/low.yaml": "base: base\nconfig: {lr: 0.01}", **declaring, **files},
    )


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_used_in_the_same_way(tmp_path: Path, kind: str) -> None:
    """An experiment, its changes, --set, --grid, --seeds, and a mistake in each of these."""
    program = _project(tmp_path, kind)
    base, low = resolve(program, "base"), resolve(program, "low", ["seed=3"])
    assert (base.config, base.changes) == ({"lr": 0.1, "seed": 0, "opt": "sgd"}, ())
    assert (low.config, low.bases) == ({"lr": 0.01, "seed": 3, "opt": "sgd"}, ("base",))
    assert low.changes == (Change("lr", 0.1, 0.01), Change("seed", 0, 3))
    assert list(declared_paths(low.declared)) == ["lr", "seed", "opt"]
    varied = axes(program, base, ["lr=0.1,1e-2"], seeds=2, split=False)
    found = combinations(program, Start("base", "base"), varied, {})
    assert [each.name for each in found] == ["base--lr0.1-s0", "base--lr0.1-s1", "base--lr0.01-s0", "base--lr0.01-s1"]
    assert [each.experiment.config["lr"] for each in found] == [0.1, 0.1, 0.01, 0.01]
    assert problems(program, "sede=1") == ['--set: "sede": unknown name "sede" (did you mean "seed"?)']
    assert problems(program, "lr=fast") == ["--set: lr: must be a number, is 'fast'"]
    program = _project(tmp_path, kind, **{"experiments/low.yaml": "base: base\nconfig: {sede: 1}"})
    found_problems = problems(program, name="low")
    assert found_problems == ['experiments/low.yaml:2: config.sede: unknown key "sede" (did you mean "seed"?)']


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("dataclass", ([], {}, {})),
        ("argparse", (["--lr", "0.01"], {}, {})),
        ("files", ([], {}, {"a.yaml": 'lr: 0.01\nseed: 0\nopt: "sgd"\n'})),
        ("hydra", (["lr=0.01"], {}, {})),
        ("base", ([], {}, {})),
    ],
)
def test_the_usual_delivery(tmp_path: Path, kind: str, expected: Any) -> None:
    """Each kind of declaration says how the program takes its config. (COORD_CONFIG is there in any case.)"""
    assert given(resolve(_project(tmp_path, kind), "low")) == expected


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("delivery", "found"),
    [
        ("file", ([], {}, {})),
        ("environment", ([], {"LR": "0.01", "SEED": "0", "OPT": "sgd"}, {})),
        ("out/c.json", ([], {}, {"out/c.json": '{\n  "lr": 0.01,\n  "seed": 0,\n  "opt": "sgd"\n}\n'})),
        ("c.toml", ([], {}, {"c.toml": 'lr = 0.01\nseed = 0\nopt = "sgd"\n'})),
        ("c.yml", ([], {}, {"c.yml": 'lr: 0.01\nseed: 0\nopt: "sgd"\n'})),
    ],
)
def test_another_delivery(tmp_path: Path, kind: str, delivery: str, found: Any) -> None:
    """Every kind can be delivered in every way."""
    assert given(resolve(_project(tmp_path, kind, f'delivery = "{delivery}"'), "low")) == found


@pytest.mark.parametrize("kind", ["dataclass", "files", "base"])
def test_arguments_of_a_program_that_declares_none(tmp_path: Path, kind: str) -> None:
    """All values, under their own names, because nothing is known about the program's defaults."""
    program = _project(tmp_path, kind, 'delivery = "arguments"')
    assert words(program, name="low") == ["--lr", "0.01", "--seed", "0", "--opt", "sgd"]
    assert [word.partition("=")[0] for word in words(_project(tmp_path, kind, 'delivery = "hydra"'), name="low")] != []


@pytest.mark.parametrize(
    ("delivery", "config", "message"),
    [
        (
            "moon",
            "a: 1",
            'delivery = "moon" is no delivery: file, arguments, hydra, environment, or the path of a YAML',
        ),
        ("../a.yaml", "a: 1", 'delivery = "../a.yaml" is not a path inside the project'),
        ("/a.yaml", "a: 1", 'delivery = "/a.yaml" is not a path inside the project'),
        ("environment", "path: 1", 'delivery = "environment": the value path would replace the variable PATH'),
        ("environment", "coord_config: 1", "the value coord_config would replace the variable COORD_CONFIG"),
        ("environment", "a-b: 1, a_b: 2", 'delivery = "environment": a-b and a_b would both be A_B'),
        ("a.toml", "a: {b: [1, null]}", "a.toml: TOML has no null, and a.b.1 is null"),
    ],
)
def test_a_delivery_that_cannot_be(tmp_path: Path, delivery: str, config: str, message: str) -> None:
    """It is told before anything is built."""
    program = project(
        tmp_path,
        f'entry = "train.py"\ndelivery = "{delivery}"',
        {"train.py": "", "experiments/base.yaml": f"config: {{{config}}}"},
    )
    with pytest.raises(ProjectError) as caught:
        resolve(program, "base")
    assert message in caught.value.what


def test_the_base_experiment_declares(tmp_path: Path) -> None:
    """Its keys, whatever they are, with their types; the furthest base of a chain does."""
    base = (
        "config:\n  lambda: 0.5\n  batch-size: 4\n  model: {name: r, head: {}}\n  start: 2020-01-05\n"
        "  1: one\n  drop: null\n"
    )
    files = {
        "train.py": "",
        "experiments/base.yaml": base,
        "experiments/a.yaml": "base: base",
        "experiments/other.yaml": "",
    }
    program = project(tmp_path, 'entry = "train.py"', {**files, "experiments/b.yaml": "base: a\nconfig: {1: two}"})
    config = resolve(program, "b", ["batch-size=8", "model.head.x.y=[1]", "drop=0.1"]).config
    assert config == {
        **{"lambda": 0.5, "batch-size": 8, "model": {"name": "r", "head": {"x": {"y": [1]}}}, "start": "2020-01-05"},
        **{"1": "two", "drop": 0.1},
    }
    assert json.dumps(config)
    assert problems(program, "lamda=1", name="b") == ['--set: "lamda": unknown name "lamda" (did you mean "lambda"?)']
    assert problems(program, "batch-size=x", name="b") == [
        "--set: batch-size: must be a whole number or a number or null, is 'x'"
    ]
    assert problems(program, "lr=1", name="other") == ['--set: "lr": unknown name "lr"']
    assert resolve(program, "other").config == {}


DICTS = (
    "from dataclasses import dataclass, field\nfrom typing import Any\n"
    "@dataclass\nclass Net:\n    depth: int = 3\n"
    "@dataclass\nclass C:\n    data: str\n    net: Net | None = None\n"
    "    params: dict[str, Any] = field(default_factory=lambda: {'depth': 6, 'eta': {'a': 1}})\n"
    "    weights: dict[str, float] = field(default_factory=dict)\n    names: tuple[str, ...] | None = None\n"
)


def test_dicts_of_a_dataclass(tmp_path: Path) -> None:
    """`dict[str, Any]` is reached by --set and --grid, keeps its other values, and its typed siblings are checked."""
    files = {"train.py": "", "settings.py": DICTS, "experiments/base.yaml": "config: {data: x, params: {b: 1}}"}
    program = project(tmp_path, 'entry = "train.py"\nconfig = "settings:C"', files)
    start = {"depth": 6, "eta": {"a": 1}, "b": 1}
    assert resolve(program, "base").config["params"] == start
    found = resolve(program, "base", ["params.depth=7", "params.eta.c.d=[1]", "weights.cat=2", "net.depth=4"]).config
    assert found["params"] == {**start, "depth": 7, "eta": {"a": 1, "c": {"d": [1]}}}
    assert (found["weights"], found["net"]) == ({"cat": 2.0}, {"depth": 4})
    assert resolve(program, "base", ["names=[1, no]"]).config["names"] == ["1", "no"]
    varied = axes(program, resolve(program, "base"), ["params.depth=7,8"], seeds=None, split=False)
    assert [each.name for each in combinations(program, Start("base", "base"), varied, {})] == [
        *("base--depth7", "base--depth8"),
    ]
    assert problems(program, "weights.cat=x") == ["--set: weights.cat: must be a number, is 'x'"]
    assert problems(program, "net.deep=1") == ['--set: "net.deep": unknown name "deep" (did you mean "depth"?)']


def test_a_dataclass_with_libraries_of_its_own(tmp_path: Path) -> None:
    """With config_python it is imported in a process of its own; what it declares is checked as usual."""
    source = (
        "import sys\nsys.modules['json'].loads\nimport own_library\n"
        + DICTS
        + (
            "import enum\nclass K(enum.Enum):\n    x = 'a'\n    y = 'b'\n"
            "@dataclass\nclass D(C):\n    k: K = K.x\n    pair: tuple[int, int] = (1, 2)\n"
            "    net: Net = field(default_factory=lambda: Net(9))\n"
        )
    )
    files = {"train.py": "", "settings.py": source, "own_library.py": "", "experiments/base.yaml": "config: {data: x}"}
    program = project(tmp_path, 'entry = "train.py"\nconfig = "settings:D"\nconfig_python = "python3"', files)
    found = resolve(program, "base", ["k=b", "params.depth=1"]).config
    assert found == {
        **{"data": "x", "net": {"depth": 9}, "params": {"depth": 1, "eta": {"a": 1}}, "weights": {}, "names": None},
        **{"k": "b", "pair": [1, 2]},
    }
    assert problems(program, "k=c", "pair=[1]", "net.depth=x", "nets=1") == [
        '--set: "nets": unknown name "nets" (did you mean "net"?)',
        "--set: net.depth: must be a whole number, is 'x'",
        "--set: k: must be one of 'a', 'b', is 'c'",
        "--set: pair: must be a list of 2, has 1",
    ]
    assert len(list((program.state / "declared").iterdir())) == 1
    (program.root / "settings.py").write_text(source.replace("import own_library", "import no_such_library"))
    with pytest.raises(ProjectError, match="No module named 'no_such_library'"):
        resolve(program, "base")
