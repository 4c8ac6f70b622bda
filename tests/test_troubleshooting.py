"""docs/troubleshooting.md: each mistake is made, and the message is the one that the page shows."""

from __future__ import annotations

import os
import random
import re
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.coordinator.command import run_coord
from tests.documented import shown_commands, unlike
from tests.paths import ROOT

PAGE = ROOT / "docs" / "troubleshooting.md"
BASE, SETTINGS, TRAIN = "experiments/base.yaml", "pyproject.toml", "model/train.py"
DATA = ".coord/sample-data"
DONE_BEFORE = 0
"""The exit code of what the page explains although it is no failure."""


def _changed(file: str, before: str, after: str) -> Callable[[Path], None]:
    def change(project: Path) -> None:
        text = (project / file).read_text(encoding="utf-8")
        assert before in text
        (project / file).write_text(text.replace(before, after, 1), encoding="utf-8")

    return change


def _nothing(project: Path) -> None:
    pass


def _no_project(project: Path) -> None:
    (project / SETTINGS).unlink()


def _key(project: Path) -> None:
    (project / "model/key.py").write_text('KAGGLE_KEY = "0123456789abcdef0123456789abcdef"\n', encoding="utf-8")


def _large(project: Path) -> None:
    text = "".join(random.Random(1).choices("abcdefghijklmnopqrstuvwxyz0123456789", k=3_000_030))
    (project / "model/big.py").write_text(f'X="{text}"\n', encoding="utf-8")


def _has_run(project: Path) -> None:
    _coord(project, "dry-run", "base")  # makes the sample data
    _coord(project, "local", "add-competition", "sample-competition", DATA)
    _coord(project, "push", "base", "--target", "local", "--wait")


def _has_results(project: Path) -> None:
    _has_run(project)
    _coord(project, "fetch-results")


MISTAKES: dict[str, tuple[Callable[[Path], None], int]] = {
    "No project": (_no_project, 1),
    "A command that does not exist": (_nothing, 2),
    "A misspelled setting": (_changed(SETTINGS, 'target = "kaggle"', 'taget = "kaggle"'), 1),
    "A target that does not exist": (_nothing, 2),
    "A value that the config does not have": (_nothing, 1),
    "A value of another type": (_nothing, 1),
    "A tab in a YAML file": (_changed(BASE, "  source: sample-competition", "\tsource: sample-competition"), 1),
    "A key of kernel-metadata.json": (_changed(BASE, "kernel:\n", "kernel:\n  enable_gpu: true\n"), 1),
    "A grid over a value that is not there": (_nothing, 2),
    "A config that imports a library": (_changed(TRAIN, "import csv\n", "import csv\nimport lightgbmm\n"), 1),
    "A source that is not attached": (_nothing, 1),
    "A title that Kaggle does not take": (_changed(SETTINGS, 'title = "game {experiment}"', 'title = "g"'), 1),
    "A secret in the sources": (_key, 1),
    "Sources that are too large": (_large, 1),
    "No credentials": (_nothing, 1),
    "Data that the local Kaggle does not have": (_nothing, 1),
    "Nothing was pushed, because it was done before": (_has_run, DONE_BEFORE),
    "A run that continues with another config": (_has_results, 2),
    "A run that does not exist": (_has_run, 1),
    "One run is no answer": (_has_results, DONE_BEFORE),
    "Results that were not fetched": (_nothing, 1),
}


def _environment(project: Path) -> dict[str, str]:
    """Without credentials and settings of the one who runs the tests, who is at home above the project."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("KAGGLE", "COORD"))}
    return {**kept, "HOME": str(project.parent), "COLUMNS": "160"}


def _coord(project: Path, *words: str, code: int = 0) -> str:
    done = run_coord(*words, cwd=project, env=_environment(project))
    assert done.returncode == code, f"exit code {done.returncode}\n{done.stdout}{done.stderr}"
    return (done.stdout + done.stderr).replace("python -m coordinator", "coord")


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new project as `coord init` makes it."""
    folder = tmp_path_factory.mktemp("fresh")
    _coord(folder, "init", "game", "--owner", "ada")
    return folder / "game"


def _sections() -> dict[str, str]:
    text = PAGE.read_text(encoding="utf-8")
    return dict(re.findall(r"^### (.+)\n((?:(?!^##).*\n)*)", text, flags=re.M))


def test_the_page_and_the_table_have_the_same_mistakes() -> None:
    assert list(_sections()) == list(MISTAKES)
    assert len(MISTAKES) >= 20


@pytest.mark.parametrize("mistake", MISTAKES)
def test_the_message_is_the_one_of_the_page(mistake: str, fresh: Path, tmp_path: Path) -> None:
    project = tmp_path / "game"
    shutil.copytree(fresh, project)
    make, code = MISTAKES[mistake]
    make(project)
    section = tmp_path / "section.md"
    section.write_text(_sections()[mistake], encoding="utf-8")
    (shown,) = shown_commands(section, kind="console")
    printed = _coord(project, *shlex.split(shown.command)[1:], code=code)
    printed = printed.replace(str(project), "~").replace(str(tmp_path), "~")
    assert unlike(shown.output, printed) is None, f"{unlike(shown.output, printed)!r} is not in:\n{printed}"
