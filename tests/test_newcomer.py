"""The way of a new user, as they type it: from `pip install` to a compared sweep, with their own script.

What they read at each step is checked: the answer, the next command where there is one, and that nothing in it is meant
for somebody else. It counts what they have to type and to write.
"""

from __future__ import annotations

import csv
import difflib
import os
import random
import re
import shutil
import subprocess
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from click.testing import Result

from tests.coordinator.command import Coord
from tests.installed import (
    OFFLINE,
    built_wheel,
    environment as environment,
    folder_of_all,
    new_environment,
    run_program,
)
from tests.paths import SAMPLES

pytestmark = [pytest.mark.slow, pytest.mark.release]

COMMANDS = 12
LINES = 10
WIDTH = 80
STRANGE = re.compile(r"Traceback|site-packages|coordinator/|<[a-z_.]+ object|\bNone\b|\bnan\b|Errno|Exception\b|sqlite")
"""What no answer to a new user has in it."""


@dataclass
class Newcomer:
    """A folder with a training script, a shell in it, and what has been typed so far."""

    folder: Path
    programs: Path
    typed: list[str] = field(default_factory=list)
    lines: int = 0
    """Written by hand, besides the script."""

    def type(self, line: str, *, code: int = 0, folder: Path | None = None) -> subprocess.CompletedProcess[str]:
        """Runs a command; its answer is for people, fits the screen, and has the exit code."""
        self.typed.append(line)
        program, *words = line.split()
        done = run_program(
            self.programs / program,
            *words,
            cwd=folder or self.folder,
            **OFFLINE,
            COLUMNS=str(WIDTH),
            PATH=f"{self.programs}{os.pathsep}{os.environ['PATH']}",
        )
        shown = f"$ {line}\n{done.stdout}{done.stderr}"
        assert done.returncode == code, shown
        _is_for_people(line, done.stdout, done.stderr)
        return done

    def write(self, file: str, *changes: tuple[str, str]) -> None:
        """Changes lines of a file, and counts those that are new."""
        path = self.folder / file
        before = path.read_text(encoding="utf-8")
        after = before
        for old, new in changes:
            assert after.count(old) == 1, f"{old!r} is not in\n{before}"
            after = after.replace(old, new)
        path.write_text(after, encoding="utf-8")
        self.lines += sum(each.startswith("+ ") for each in difflib.ndiff(before.splitlines(), after.splitlines()))


@pytest.fixture
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built_wheel(folder_of_all(tmp_path_factory))


def _is_for_people(line: str, out: str, err: str) -> None:
    shown = f"$ {line}\n{out}{err}"
    assert not STRANGE.search(out + err), shown
    # What is copied from the screen is not cut: addresses and folders.
    lines = [each for each in out.splitlines() if "http" not in each and "results/" not in each]
    assert not [each for each in lines if len(each) > WIDTH], shown


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with train.py and a small table like that of Kaggle's first competition."""
    folder = tmp_path / "titanic"
    (folder / "data").mkdir(parents=True)
    shutil.copy(SAMPLES / "newcomer" / "train.py", folder)
    _write_tables(folder / "data")
    return folder


@pytest.fixture
def newcomer(folder: Path, tmp_path: Path) -> Newcomer:
    """The folder, and a new environment."""
    return Newcomer(folder, new_environment(tmp_path / "environment"))


def _write_tables(folder: Path) -> None:
    chance = random.Random(1)
    for name, count in (("train", 400), ("test", 50)):
        with (folder / f"{name}.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(["id", "age", "fare", "sex", *["survived"] * (name == "train")])
            for number in range(count):
                sex, age, fare = chance.choice(["male", "female"]), chance.randint(1, 80), chance.randint(5, 100)
                survived = chance.random() < 0.15 + 0.5 * (sex == "female") + 0.2 * (fare > 50)
                writer.writerow([number, age, fare, sex, *[int(survived)] * (name == "train")])


def _has(text: str, *wanted: str) -> None:
    for each in wanted:
        assert each in text, f"{each!r} is not in\n{text}"


def test_from_the_wheel_to_a_compared_sweep(newcomer: Newcomer, wheel: Path) -> None:
    """At most 12 commands and 10 lines; each answer names the command that comes next."""
    type_, folder = newcomer.type, newcomer.folder
    before = {file: file.read_bytes() for file in folder.rglob("*") if file.is_file()}
    script = next(iter((newcomer.programs / "python", newcomer.programs / "python.exe")))
    assert script.exists()
    type_(f"python -m pip install --quiet {wheel}")

    done = type_("coord init .")
    _has(done.stderr, "entry    train.py", "6 flags of train.py (argparse)", "which metric counts")
    _has(done.stderr, "wrote experiments/base.yaml, .coordignore, pyproject.toml", "data: data/")
    _has(done.stdout, "coord dry-run --exp base", "coord push --exp base")
    assert {file: file.read_bytes() for file in before} == before  # the newcomer's own files
    # It asks which metric counts, and has the lines for it.
    newcomer.write(
        "pyproject.toml",
        ("# primary = {", "primary = {"),
        (r"# line = 'fold (?P<fold>", r"line = 'fold (?P<fold>"),
    )

    done = type_("coord dry-run base")
    _has(done.stderr, "fold 3: accuracy 0.", "next: coord push base")
    _has(done.stdout, "base dry run, cross-validation", "mean", "0.79", "dry run of base: complete")

    done = type_("coord push base --target local --wait")
    _has(done.stderr, "base local-v1 is running", "fold 3: accuracy 0.", "base local-v1 is complete")
    _has(done.stderr, "next: coord fetch-results base")
    _has(done.stdout, "base")

    done = type_("coord status")
    _has(done.stdout, "base local-v1", "COMPLETE", "accuracy 0.")

    done = type_("coord logs base")
    _has(done.stdout, "cv accuracy: 0.79")

    done = type_("coord fetch-results base")
    _has(done.stdout, "base local-v1, cross-validation", "accuracy", "(max)", "mean", "sd", "results/base/local-v1/")
    assert (folder / "results" / "base" / "local-v1" / "submission.csv").is_file()

    done = type_("coord sweep base --grid threshold=0.5,0.9 --seeds 2 --target local")
    _has(done.stderr, ": 4 experiments", "all of it is pushed: coord sweep status base--threshold-s2")

    done = type_("coord status --watch")
    assert "RUNNING" not in done.stdout.splitlines()[-1]

    done = type_("coord fetch-results --all")
    _has(done.stdout, "base--threshold0.9-s1 local-v1: complete")
    _has(done.stderr, "next: coord best")

    done = type_("coord best")
    _has(done.stdout, "means over seeds; higher is better", " 1 ", " 2 ", "behind")
    assert "not fetched" not in done.stderr

    done = type_("coord compare base--threshold0.9 base--threshold0.5")
    _has(done.stdout, "base--threshold0.5 is better by 0.", "2 seeds each")

    assert len(newcomer.typed) <= COMMANDS, newcomer.typed
    assert 0 < newcomer.lines <= LINES


def test_mistakes_are_answered(folder: Path) -> None:
    """Each in a few lines, which have the word that was meant or what to do.

    The answers are those of the same code in this process: the test above has the wheel and its program.
    """
    coord = Coord(folder, {**os.environ, "COLUMNS": str(WIDTH)})
    outside = replace(coord, root=folder.parent)

    def type_(line: str, *, code: int = 0, at: Coord = coord) -> Result:
        program, *words = line.split()
        assert program == "coord"
        done = at.here(*words, code=code)
        _is_for_people(line, done.stdout, done.stderr)
        return done

    for line in ("coord status", "coord push base", "coord dry-run base"):
        _has(type_(line, code=1, at=outside).stderr, "no project here", "coord init")
    type_("coord init .")
    for line, code, wanted in (
        ("coord psuh", 2, ["push"]),
        ("coord fetch", 2, ["fetch-results"]),
        ("coord list", 2, ["coord runs", "coord experiments"]),
        ("coord push bsae", 1, ['no experiment "bsae"', 'did you mean "base"?']),
        ("coord push bsae --target local", 1, ['no experiment "bsae"', 'did you mean "base"?']),
        ("coord push base", 1, ["no Kaggle credentials found", "https://www.kaggle.com/settings", "--target local"]),
        ("coord sweep base --grid lr=0.1,0.2", 1, ["no Kaggle credentials found", "--target local"]),
        ("coord push base --target locl", 2, ["locl", "local"]),
        ("coord dry-run base --set lrr=1", 1, ['unknown name "lrr" (did you mean "lr"?)']),
        ("coord dry-run base --set lr=fast", 1, ["lr: must be a number, is 'fast'"]),
        ("coord dry-run base --set lr", 1, ["lr", "=VALUE"]),
        ("coord sweep base --grid lr", 2, ["path.to.value=VALUE,VALUE"]),
        ("coord logs base", 1, ["base", "coord push"]),
        ("coord fetch-results base", 1, ["base", "coord push"]),
        ("coord compare base bsae", 1, ["base"]),
    ):
        done = type_(line, code=code)
        _has(done.stderr, *wanted)
        assert not done.stdout, f"$ {line}\n{done.stdout}"
        assert len(done.stderr.splitlines()) <= 8, f"$ {line}\n{done.stderr}"
    _has(type_("coord sweep status").stderr, "no sweeps yet")  # none was recorded without credentials
    _has(type_("coord best", code=1).stderr, "no run is complete")


def test_a_script_that_fails_says_where(folder: Path, environment: Path) -> None:
    """The newcomer's own error is shown with their own line, here and in a run; and the metric that is not known."""
    newcomer = Newcomer(folder, environment)
    newcomer.type("coord init .")
    _has(newcomer.type("coord dry-run base").stderr, "no metric was found in its output", "[tool.coord.metrics]")
    script = newcomer.folder / "train.py"
    broken = script.read_text(encoding="utf-8").replace("    scores = []\n", "    scores = [][0]\n")
    script.write_text(broken, encoding="utf-8")
    number = broken[: broken.index("[][0]")].count("\n") + 1
    done = run_program(newcomer.programs / "coord", "dry-run", "base", cwd=newcomer.folder)
    assert done.returncode == 1
    _has(done.stderr, f'File "train.py", line {number}', "IndexError", "the dry run of base ended with exit code 1")
    assert "coordinator" not in done.stderr
