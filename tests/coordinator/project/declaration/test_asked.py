"""Flags that only the running program knows: the project's own Python is asked for them, once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from coordinator.errors import ProjectError
from coordinator.project.declaration import asked
from coordinator.project.declaration.asked import run_parser
from coordinator.project.experiment import resolve
from coordinator.project.project import Project
from tests.coordinator.project.declaration.programs import problems, project, words

PARSER = """import argparse, dataclasses, enum, os
print("the program says something")
class Mode(enum.Enum):
    A = "a"
def string_to_bool(text): return text == "true"
class HfArgumentParser(argparse.ArgumentParser):
    def parse_args_into_dataclasses(self):
        return self.parse_known_args()
parser = HfArgumentParser()
for name, kind, default in [("lr", float, 0.1), ("steps", int, None), ("mode", str, Mode.A), ("out", os.fspath, os)]:
    parser.add_argument(f"--{name}", f"--{name}-alias", type=kind, default=default, help="of %(default)s")
parser.add_argument("--amp", type=string_to_bool, nargs="?", const=True, default=False)
parser.add_argument("--ids", type=int, nargs="+")
parser.add_argument("--opt", choices=["sgd", "adam"], default="sgd")
parser.add_argument("--needed", required=True)
parser.add_argument("--fast", action="store_true")
parser.parse_args_into_dataclasses()
raise SystemExit("it went on")
"""
COMMANDS = """import click
@click.group()
def main(): pass
@main.command()
@click.argument("data")
@click.option("--lr", default=0.1)
@click.option("--opt", type=click.Choice(["sgd", "adam"]), default="sgd")
@click.option("--amp/--no-amp", default=True)
@click.option("--tag", multiple=True)
@click.option("--size", nargs=2, type=int, default=(1, 2))
@click.option("-n", "--epochs", type=click.IntRange(1), required=True)
def train(**values): raise SystemExit("it went on")
@main.command()
def test(): pass
main()
"""
TYPER = """import typer
def main(data: str, lr: float = 0.1, amp: bool = False, seed: int | None = None): raise SystemExit("it went on")
typer.run(main)
"""


def _project(root: Path, source: str, config: str = "", settings: str = "") -> Project:
    files = {"train.py": source, "experiments/base.yaml": f"config: {{{config}}}"}
    return project(root, f'entry = "train.py"\nconfig = "argparse"\n{settings}', files)


def test_the_program_is_asked_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its types, choices, defaults and what it requires; a second time nothing is run, unless a source has changed."""
    program = _project(tmp_path, PARSER, "needed: x")
    assert resolve(program, "base").config == {
        **{"lr": 0.1, "steps": None, "mode": "a", "out": None, "amp": False, "ids": None, "opt": "sgd"},
        **{"needed": "x", "fast": False},
    }
    with monkeypatch.context() as patched:
        patched.setattr(asked, "_run", None)
        arguments = words(program, "lr=1e-5", "amp=true", "ids=[1, 2]", "fast=true", "steps=3")
        assert " ".join(arguments) == "--ids 1 2 --lr 1e-05 --steps 3 --amp true --needed x --fast"
        assert problems(program, "opt=sdg", "lrr=1") == [
            '--set: "lrr": unknown name "lrr" (did you mean "lr"?)',
            "--set: opt: must be one of 'sgd', 'adam', is 'sdg' (did you mean \"sgd\"?)",
        ]
    (program.root / "train.py").write_text(PARSER.replace("0.1", "0.2"))
    assert resolve(program, "base").config["lr"] == 0.2


@pytest.mark.parametrize(
    ("source", "config", "arguments"),
    [
        (
            COMMANDS,
            "command: train, data: in, epochs: 2, amp: false, tag: [a, b], size: [3, 4]",
            ["train", "in", "--tag", "a", "--tag", "b", "--size", "3", "4", "--no-amp", "--epochs", "2"],
        ),
        (TYPER, "data: in, amp: true, seed: 4", ["in", "--amp", "--seed", "4"]),
    ],
    ids=["click", "typer"],
)
def test_click_and_typer(tmp_path: Path, source: str, config: str, arguments: list[str]) -> None:
    """Commands of click's are described by the running program, too."""
    assert words(_project(tmp_path, source, config)) == arguments


@pytest.mark.parametrize(
    ("source", "settings", "message"),
    [
        (
            "import click, no_such_library\n",
            "",
            "and that failed: ModuleNotFoundError: No module named 'no_such_library'",
        ),
        ("import click\n", "", "and that failed: it ended without parsing its arguments"),
        (
            "import click\n",
            'config_python = "no-such-python"',
            "no-such-python cannot be started: No such file or directory",
        ),
    ],
)
def test_a_program_that_cannot_be_asked(tmp_path: Path, source: str, settings: str, message: str) -> None:
    """Why it was asked, and what it said in the end."""
    program: Any = _project(tmp_path, source, settings=settings)
    with pytest.raises(ProjectError) as caught:
        resolve(program, "base")
    assert "train.py: its flags are made by click" in caught.value.what
    assert message in caught.value.what


def test_a_program_that_does_not_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is stopped."""
    monkeypatch.setattr(asked, "_SECONDS", 0.3)
    program = _project(tmp_path, "import time\ntime.sleep(60)\n")
    with pytest.raises(ProjectError, match=r"running the program took more than 0\.3 s"):
        run_parser(program, "train.py", (), "because")
