"""A program's argparse flags, read from its source: what is declared, what is refused, and what the program gets."""

from __future__ import annotations

import contextlib
import io
import runpy
import sys
from pathlib import Path
from typing import Any

import pytest

from coordinator.errors import ProjectError
from coordinator.project.declaration.argparse_source import read_flags
from coordinator.project.declaration.sources import Computed
from coordinator.project.experiment import resolve
from coordinator.project.project import Project
from tests.coordinator.project.declaration.programs import problems, project, words

SETTINGS = 'entry = "train.py"\nconfig = "argparse"'
HEAD = "import argparse, os\nparser = argparse.ArgumentParser()\n"


def _one(root: Path, *arguments: str, config: str = "", settings: str = SETTINGS) -> Project:
    """A program with one option for each of the texts, which are the arguments of add_argument."""
    calls = "".join(f"parser.add_argument({each})\n" for each in arguments)
    source = f"{HEAD}{calls}ARGS = parser.parse_args()\n"
    return project(root, settings, {"train.py": source, "experiments/base.yaml": config})


def _parsed(project: Project, arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the program makes of the arguments."""
    monkeypatch.setattr(sys, "argv", ["train.py", *arguments])
    error = io.StringIO()
    with contextlib.redirect_stderr(error):
        try:
            return dict(vars(runpy.run_path(str(project.root / "train.py"))["ARGS"]))
        except SystemExit:
            raise AssertionError(f"{arguments}: {error.getvalue()}") from None


@pytest.mark.parametrize(
    ("option", "default", "override", "found"),
    [
        ("'--lr', type=float, default=1e-3", 0.001, "lr=-1e-5", -1e-05),
        ("'--lr', type=float, default=1", 1.0, "lr=2", 2.0),
        ("'--lr', type=float, default='1e-4'", 0.0001, "lr=5e-4", 0.0005),
        ("'-b', '--batch-size', type=int, default=4 * 8", 32, "batch-size=16", 16),
        ("'--batch-size', '-b', type=int, default=32", 32, "b=16", 16),
        ("'-n', type=int, default=1", 1, "n=-3", -3),
        ("'--epochs', dest='n_epochs', type=int, default=3", 3, "n_epochs=4", 4),
        ("'--name', default='x'", "x", "name=123", "123"),
        ("'--name', default=''", "", "name=-leading", "-leading"),
        ("'--name'", None, "name=a b", "a b"),
        ("'--opt', choices=['sgd', 'adam'], default='sgd'", "sgd", "opt=adam", "adam"),
        ("'--opt', choices=(1, 2), type=int, default=1", 1, "opt=2", 2),
        ("'--opt', choices={'a': 1, 'b': 2}.keys(), default='a'", "a", "opt=b", "b"),
        ("'--amp', action='store_true'", False, "amp=true", True),
        ("'--no-aug', dest='aug', action='store_false'", True, "aug=false", False),
        ("'--ema', action=argparse.BooleanOptionalAction, default=True", True, "ema=false", False),
        ("'--ema', action=argparse.BooleanOptionalAction", None, "ema=true", True),
        ("'--pre', type=bool, default=True", True, "pre=false", False),
        ("'--pre', type=lambda s: s.lower() == 'true', default=False", False, "pre=true", True),
        ("'--pre', type=lambda s: s == 'True', default=False", False, "pre=true", True),
        ("'--pre', type=lambda s: bool(int(s)), default=True", True, "pre=false", False),
        ("'--folds', nargs='+', type=int, default=[0, 1]", [0, 1], "folds=[2]", [2]),
        ("'--folds', nargs='*', type=int", None, "folds=[]", []),
        ("'--betas', nargs=2, type=float, default=(0.9, 0.999)", [0.9, 0.999], "betas=[0.5, 1e-5]", [0.5, 1e-05]),
        ("'--shift', nargs='+', type=float, default=[0.0]", [0.0], "shift=[-1e-5, -2]", [-1e-05, -2.0]),
        ("'--tag', action='append'", None, "tag=[a, b]", ["a", "b"]),
        ("'--ids', action='extend', nargs='+', type=int", None, "ids=[1, 2]", [1, 2]),
        ("'-v', action='count', default=0", 0, "v=2", 2),
        ("'--limit', nargs='?', type=int, default=5", 5, "limit=6", 6),
        ("'--device', default='cuda' if os.environ else 'cpu'", None, "device=cpu", "cpu"),
        ("'--workers', type=int, default=os.cpu_count()", None, "workers=3", 3),
        ("'--seed', type=int, default=None", None, "seed=7", 7),
        ("'--optim.lr', type=float, default=0.1, dest='optim.lr'", 0.1, "optim.lr=0.2", 0.2),
        ("'folder', nargs='?', default='.'", ".", "folder=x", "x"),
        ("'files', nargs='*'", None, "files=[a, b]", ["a", "b"]),
        ("'--wd', default=0", 0, "wd=5", "5"),
        ("'--out', type=str.lower, default=os.path.join('a', 'b')", "a/b", "out=c", "c"),
        ("'--clip', type=float, default=float('inf')", None, "clip=2", 2.0),
        ("'--opt', choices=['a', 'b'], default=''", "", "opt=b", "b"),
    ],
)
def test_each_kind_of_option(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, option: str, default: Any, override: str, found: Any
) -> None:
    """Its default is known, nothing is passed for it, and a value that is set arrives in the program as it was set."""
    program = _one(tmp_path, option)
    (name,) = _parsed(program, [], monkeypatch)
    config = resolve(program, "base").config
    for key in name.split("."):
        config = config[key]
    assert config == default
    assert words(program) == []
    assert _parsed(program, words(program, override), monkeypatch)[name] == found


def test_several_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Positional arguments and lists beside each other are told apart by the program."""
    program = _one(
        tmp_path,
        *("'--size', nargs='+', type=int, default=[1]", "'data'", "'--lr', type=float, default=0.1"),
        *("'more', nargs='*'", "'--amp', action='store_true'", "'--no-amp', dest='amp', action='store_false'"),
        config="config: {data: in, more: [a, b], size: [3, 4], amp: true}",
    )
    found = _parsed(program, words(program), monkeypatch)
    assert found == {"size": [3, 4], "data": "in", "lr": 0.1, "more": ["a", "b"], "amp": True}


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("lrr=1", '--set: "lrr": unknown name "lrr" (did you mean "lr"?)'),
        ("batch_sise=1", '--set: "batch_sise": unknown name "batch_sise" (did you mean "batch_size"?)'),
        ("lr=fast", "--set: lr: must be a number, is 'fast'"),
        ("batch_size=1.5", "--set: batch_size: must be a whole number, is 1.5"),
        ("opt=sdg", "--set: opt: must be one of 'sgd', 'adam', is 'sdg' (did you mean \"sgd\"?)"),
        ("size=[1]", "--set: size: must be a list of 2, has 1"),
        ("amp=2", "--set: amp: must be true or false, is 2"),
    ],
)
def test_a_mistake_is_told(tmp_path: Path, override: str, message: str) -> None:
    """A name or value that the program would refuse in the kernel."""
    program = _one(
        tmp_path,
        *("'--lr', type=float, default=0.1", "'--batch-size', type=int, default=1", "'--amp', action='store_true'"),
        *("'--opt', choices=['sgd', 'adam'], default='sgd'", "'--size', nargs=2, type=int, default=[1, 2]"),
    )
    assert problems(program, override) == [message]


def test_what_is_required_and_missing_is_named(tmp_path: Path) -> None:
    """With the place that requires it; arguments of the settings count, too."""
    options = ("'--out', required=True", "'data'", "'--lr', type=float, default=0.1")
    program = _one(tmp_path, *options, config="config: {lr: 1}")
    assert problems(program) == [
        "experiments/base.yaml:1: config.out: is missing: train.py:3 (--out) requires it",
        "experiments/base.yaml:1: config.data: is missing: train.py:4 requires it",
    ]
    for args in ("'--out', 'x', 'in'", "'in', '--out=x'", "'--ou', 'x', 'in'"):
        assert words(_one(tmp_path, *options, settings=f"{SETTINGS}\nargs = [{args}]"), "lr=2") == ["--lr", "2.0"]


MODULES = {
    "opts/__init__.py": "",
    "opts/common.py": (
        "import argparse\nfrom .names import *\n"
        "def str2bool(v):\n    return {'yes': True, 'no': False}[v]\n"
        "def add(group):\n    group.add_argument('--arch', choices=MODELS + ['vit'], default=MODELS[0:1] and 'r18')\n"
        "    group.add_argument('--pre', type=str2bool, default=True)\n    return group\n"
        "def unused():\n    argparse.ArgumentParser().add_argument('--unused')\n"
        "if __name__ == '__main__':\n    p = argparse.ArgumentParser(); p.add_argument('--own')\n"
    ),
    "opts/names.py": "MODELS = ['r18', 'r34']\nLR = 1e-3\n",
    "base.py": (
        "import argparse\nimport opts.names\n"
        "class Base:\n"
        "    def __init__(self):\n        self.parser = argparse.ArgumentParser()\n        self.initialize()\n"
        "    def initialize(self):\n        self.parser.add_argument('--lr', type=float, default=opts.names.LR)\n"
        "    def parse(self):\n        return self.parser.parse_args()\n"
    ),
}


def test_other_modules_are_followed(tmp_path: Path) -> None:
    """Functions, classes with bases, constants and groups of local modules; not what the program does not reach."""
    entry = (
        "from base import Base\nfrom opts import common\n"
        "class Options(Base):\n"
        "    def initialize(self):\n        Base.initialize(self)\n"
        "        common.add(self.parser.add_argument_group('model'))\n"
        "        self.parser.set_defaults(lr=0.5)\n"
        "def main():\n    ARGS = Options().parse()\n"
        "if __name__ == '__main__':\n    main()\n"
    )
    program = project(tmp_path, SETTINGS, {"train.py": entry, **MODULES})
    assert resolve(program, "base").config == {"lr": 0.5, "arch": None, "pre": True}
    assert words(program, "arch=r34", "pre=false") == ["--arch", "r34", "--pre", "no"]


def test_folders_that_are_added_to_the_path(tmp_path: Path) -> None:
    """Modules below `src` and beside the script's folder, as the program finds them."""
    flags = "import argparse\np = argparse.ArgumentParser()\np.add_argument('--{}', default='1')\n"
    entry = (
        "import os, sys\nsys.path.append('lib')\n"
        "sys.path.insert(0, os.path.join(os.path.dirname(__file__), '..', 'more'))\nimport one, two\n"
    )
    files = {"scripts/train.py": entry, "lib/one.py": flags.format("a"), "more/two.py": flags.format("b")}
    program = project(tmp_path, 'entry = "scripts/train.py"\nconfig = "argparse"', files)
    assert resolve(program, "base").config == {"a": "1", "b": "1"}


def test_add_argument_under_a_shorter_name(tmp_path: Path) -> None:
    """`arg = parser.add_argument`, of a parser or of a group, at the top or in a function."""
    source = (
        "import argparse\nparser = argparse.ArgumentParser()\narg = parser.add_argument\narg('--lr', type=float)\n"
        "def more(p):\n    add = p.add_argument_group('x').add_argument\n    add('--fold', type=int, default=0)\n"
        "more(parser)\nparser.parse_args()\n"
    )
    program = project(tmp_path, SETTINGS, {"train.py": source})
    assert resolve(program, "base").config == {"lr": None, "fold": 0}


def test_as_a_module_and_from_a_function(tmp_path: Path) -> None:
    """`python -m src.train`, with `parser = get_parser()` of a module beside it."""
    files = {
        "src/train.py": "from .flags import get_parser\nparser = get_parser()\n"
        "parser.add_argument('--b', default='2')\n",
        "src/flags.py": "from argparse import ArgumentParser\ndef get_parser():\n    p = ArgumentParser()\n"
        "    p.add_argument('--a', default='1')\n    return p\n",
    }
    program = project(tmp_path, 'entry = "src.train"\nconfig = "argparse"', files)
    assert resolve(program, "base").config == {"a": "1", "b": "2"}


COMMANDS = """import argparse
def common(p): p.add_argument("--seed", type=int, default=0)
parent = argparse.ArgumentParser(add_help=False)
parent.add_argument("--out", default="o")
parser = argparse.ArgumentParser()
parser.add_argument("--verbose", action="store_true")
sub = parser.add_subparsers(dest="cmd")
train = sub.add_parser("train", parents=[parent])
common(train)
train.add_argument("--lr", type=float, required=True)
train.set_defaults(func=common)
test = sub.add_parser("test")
common(test)
test.add_argument("ckpt")
ARGS = parser.parse_args()
"""


def test_sub_commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The config has the options of the chosen one, which come after its name; others are unknown."""
    base = "config: {cmd: train, lr: 0.1, verbose: true}"
    files = {"train.py": COMMANDS, "experiments/base.yaml": base, "experiments/test.yaml": "args: [test, x.pt]"}
    program = project(tmp_path, SETTINGS, files)
    assert resolve(program, "base").config == {"verbose": True, "cmd": "train", "out": "o", "seed": 0, "lr": 0.1}
    found = _parsed(program, words(program, "out=p"), monkeypatch)
    assert {name: found[name] for name in ("cmd", "out", "seed", "lr", "verbose")} == {
        **{"cmd": "train", "out": "p", "seed": 0},
        **{"lr": 0.1, "verbose": True},
    }
    assert problems(program, "ckpt=x") == ['--set: "ckpt": unknown name "ckpt" (there are verbose, cmd, out, seed, lr)']
    assert resolve(program, "test", ["seed=4"]).launch.args == ("test", "x.pt")
    assert words(program, "seed=4", name="test") == ["--seed", "4"]
    program = project(tmp_path, SETTINGS, {"train.py": COMMANDS, "experiments/base.yaml": "config: {lr: 1}"})
    assert problems(program) == ["experiments/base.yaml:1: config.cmd: is missing: train.py:7 requires it"]


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ("for name in ('a', 'b'):\n    parser.add_argument('--' + name)\n", "train.py:4: name is computed"),
        ("parser.add_argument('--a', **{})\n", "train.py:3: an option's settings are computed"),
        ("parser.add_argument(*['--a'])\n", "train.py:3: an option's settings are computed"),
        ("parser.add_argument('--a', nargs=os.cpu_count())\n", "train.py:3: nargs is computed"),
        ("from transformers import HfArgumentParser\n", "train.py: its flags are made by HfArgumentParser"),
        ("import click\n", "train.py: its flags are made by click"),
    ],
)
def test_what_only_the_running_program_knows(tmp_path: Path, source: str, why: str) -> None:
    """It is said, with the place, and coord asks the program (see test_asked.py)."""
    program = project(tmp_path, SETTINGS, {"train.py": HEAD + source})
    with pytest.raises(Computed) as caught:
        read_flags(program, "train.py")
    assert str(caught.value) == why


@pytest.mark.parametrize("source", ["print(1)\n", "import fire\nfire.Fire(print)\n", "import tyro\n"])
def test_a_program_without_flags_is_not_run(tmp_path: Path, source: str) -> None:
    """It would not stop at its arguments."""
    with pytest.raises(ProjectError, match=r"train\.py has no flags of argparse, click or Typer"):
        resolve(project(tmp_path, SETTINGS, {"train.py": source}), "base")


def test_an_experiments_own_program_may_have_no_flags(tmp_path: Path) -> None:
    """Such as one that predicts, beside a training that is started with flags."""
    flags = HEAD + 'parser.add_argument("--lr", type=float, default=0.1)\nargs = parser.parse_args()\n'
    files = {"train.py": flags, "predict.py": "print(1)\n", "experiments/predict.yaml": "entry: predict.py\n"}
    program = project(tmp_path, SETTINGS, files)
    assert resolve(program, "base").config == {"lr": 0.1}
    found = resolve(program, "predict")
    assert (found.config, found.launch.entry) == ({}, "predict.py")


def test_a_source_that_cannot_be_read(tmp_path: Path) -> None:
    """A syntax error in the entry is told with its place; one in another module is the bundle's to tell."""
    program = project(tmp_path, SETTINGS, {"train.py": "def f(:\n"})
    with pytest.raises(ProjectError, match=r"train\.py:1: invalid syntax"):
        resolve(program, "base")
    program = project(
        tmp_path, SETTINGS, {"train.py": f"import other\n{HEAD}parser.add_argument('--a')\n", "other.py": "("}
    )
    assert resolve(program, "base").config == {"a": None}


def test_nothing_of_the_program_runs(tmp_path: Path) -> None:
    """Neither the entry nor its modules."""
    files = {
        "train.py": f"raise SystemExit('ran')\nimport other\n{HEAD}parser.add_argument('--a')\n",
        "other.py": "1 / 0",
    }
    assert resolve(project(tmp_path, SETTINGS, files), "base").config == {"a": None}
