"""A day's work on Windows, as far as it can be had here (see windows.py), against a server on another system."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from coordinator.project.project import find_project
from runner_test.server import running_server
from tests import forked
from tests.coordinator.command import COORD, delete_kernels
from tests.machines import windows
from tests.paths import ROOT
from tests.warm import run_warm

WINDOWS = [sys.executable, str(ROOT / "tests" / "machines" / "windows.py")]
LIBRARIES = (*windows.LOADED.split(), *windows.FOR_SUBMIT, "tests.machines.loaded_on_windows")
"""What the stand-in loads before it begins, and then coord's own modules: it takes longer than a command."""
ODD = {
    "a:b.txt": b"colon",
    "aux.csv": b"device",
    "end.": b"dot",
    "what?.txt": b"mark",
    "sub/nul": b"null",
    "plain": b"x",
}


@dataclass(frozen=True)
class OnWindows:
    """`coord` on Windows, with a console that knows one of its old code pages only."""

    root: Path
    environment: dict[str, str]

    def __call__(self, *arguments: str, code: int = 0, encoding: str = "cp1252", cwd: Path | None = None) -> str:
        """What is printed, first on stdout; checks the exit code, and that no traceback was printed."""
        done = run_warm(
            *("tests.machines.windows", "coordinator", *arguments),
            cwd=cwd or self.root,
            env={**self.environment, "PYTHONIOENCODING": f"{encoding}:strict"},
            loaded=LIBRARIES,
            encoding=encoding,
        )
        assert done.returncode == code, f"{arguments}: exit code {done.returncode}\n{done.stdout}\n{done.stderr}"
        assert "Traceback" not in done.stderr, done.stderr
        return done.stdout + done.stderr


@pytest.fixture
def here(tmp_path: Path) -> Iterator[OnWindows]:
    """An empty folder on Windows; the server has a competition that scores."""
    away = tmp_path / "away"
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{os.environ['PYTHONPATH']}", "COLUMNS": "100"}
    for words in (
        ("init", str(away), "--owner", "ada"),
        ("-C", str(away), "local", "add-competition", "sample-competition", "data", "--solution", "data-solution.csv"),
    ):
        if words[0] == "-C":
            subprocess.run([sys.executable, "sample_data.py", "data"], cwd=away, check=True, env=environment)
        forked.run([*COORD, *words], cwd=away if away.is_dir() else tmp_path, env=environment, check=True)
    local = find_project(away).local_kaggle
    with running_server(local, token_user="ada") as server:
        variables = {"COORD_KAGGLE_ENDPOINT": server.url, "KAGGLE_USERNAME": "ada", "KAGGLE_KEY": server.token}
        yield OnWindows(tmp_path, {**environment, **variables})
    delete_kernels(local)


@pytest.mark.slow
def test_a_day_on_windows(here: OnWindows) -> None:
    """From an empty folder to a submission and a report; then every file that was written is looked at."""
    here("init", "game", "--owner", "ada")
    game = OnWindows(here.root / "game", here.environment)
    game("doctor", encoding="cp437")
    game("show", "--exp", "base")
    game("experiments", encoding="cp437")
    game("bundle", "model\\train.py", "-o", "one.py")
    game("build", "--exp", "base")
    by_us = (game.root / "build" / "base" / "kernel.py").read_bytes()

    train = game.root / "model" / "train.py"
    train.write_text(
        train.read_text().replace('if __name__ == "__main__":\n', f'if __name__ == "__main__":\n    {_leave()}\n', 1)
    )
    assert "base kaggle-v1 is complete" in game("push", "--exp", "base", "--wait", encoding="cp437")
    assert "COMPLETE" in game("status")
    assert "epoch 20/20" in game("logs", "--exp", "base", encoding="cp437")
    told = game("fetch-results", "--exp", "base")
    assert "names that Windows does not take: a:b.txt is a_b-" in told
    assert "not fetched" not in told
    assert "already" not in game("push", "--exp", "base", "--set", "seed=3", "--wait")
    game("fetch-results", "--all", encoding="cp437")
    assert "base@v2" in game("compare", "base@v1", "base@v2", encoding="cp437")
    game("best")
    game("runs", encoding="cp437")
    game("quota")
    (game.root / "pages").mkdir()
    game("report", "--all", "-o", "pages\\report.html", encoding="cp437")
    assert (game.root / "pages" / "report.html").is_file()
    assert "public 0." in game("submit", "--exp", "base", "--wait")
    game("scores", encoding="cp437")
    game("note", "--exp", "base", "wörth it")
    game("promote", "--exp", "base", "--version", "1", "-o", "best")
    assert "byte for byte" in game("promote", "--verify", "best")
    assert "0 problems" in game("ledger", "check")
    assert [run["state"] for run in json.loads(game("status", "--json"))] == ["complete"] * 2

    _names_are_of_windows(game.root / "results" / "base" / "kaggle-v1")
    _texts_are_the_same_everywhere(game.root)
    shutil.copytree(game.root, here.root / "there", ignore=shutil.ignore_patterns(".coord", "build"))
    (here.root / "there" / "model" / "train.py").write_bytes(_original(here.root / "away"))
    forked.run([*COORD, "build", "--exp", "base"], cwd=here.root / "there", check=True, capture_output=True)
    assert (here.root / "there" / "build" / "base" / "kernel.py").read_bytes() == by_us


def _leave() -> str:
    """A statement that leaves output files with names that Windows doesn't take."""
    folder = "__import__('pathlib').Path('sub').mkdir(exist_ok=True)"
    return f"[({folder}, open(name, 'wb').write(data)) for name, data in {ODD!r}.items()]"


def _original(project: Path) -> bytes:
    return (project / "model" / "train.py").read_bytes()


def _names_are_of_windows(results: Path) -> None:
    here = [path for path in results.rglob("*") if path.is_file()]
    assert not [path for path in here if windows.is_refused(path.name)]
    assert {path.read_bytes() for path in here} >= set(ODD.values())
    recorded = json.loads((results / "run.json").read_text(encoding="utf-8"))["output"]
    assert set(recorded) <= {path.relative_to(results).as_posix() for path in here}


def _texts_are_the_same_everywhere(root: Path) -> None:
    """No CR LF, no backslash between folders, in anything that another machine may read."""
    for path in root.rglob("*"):
        if path.is_file() and path.suffix in (".py", ".json", ".jsonl", ".yaml", ".toml", ".md", ".html", ".log"):
            data = path.read_bytes()
            assert b"\r" not in data, path
            if path.name in ("manifest.json", "kernel-metadata.json", "run.json", "promoted.json"):
                assert b"\\\\" not in data, path
    with contextlib.closing(sqlite3.connect(root / ".coord" / "ledger.sqlite")) as ledger:
        assert not [line for line in ledger.iterdump() if "model\\" in line or "results\\" in line]


@pytest.mark.parametrize(
    "command",
    [
        ("dry-run", "--exp", "base"),
        ("push", "--exp", "base", "--target", "local"),
        ("local", "serve"),
        ("local", "add-dataset", "ada/x", "."),
        ("rehearse", "--exp", "base"),
    ],
    ids=" ".join,
)
def test_the_local_kaggle_names_wsl(tmp_path: Path, command: tuple[str, ...]) -> None:
    """A plain message, and exit code 2; the ledger has no trace of it."""
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{os.environ['PYTHONPATH']}"}
    shutil.copytree(ROOT / "tests/samples/tiny", tmp_path / "tiny", ignore=shutil.ignore_patterns("__pycache__"))
    game = OnWindows(tmp_path / "tiny", environment)
    told = game(*command, code=2)
    assert "runs on Linux and macOS, not on Windows" in told
    assert "wsl --install" in told
    assert "[]" in game("runs", "--json")


@pytest.mark.parametrize("name", ["aux", "NUL", "com1", "con"])
def test_a_device_is_no_experiment(tmp_path: Path, name: str) -> None:
    """Windows can have no folder of that name."""
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{os.environ['PYTHONPATH']}"}
    shutil.copytree(ROOT / "tests/samples/tiny", tmp_path / "tiny", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "tiny" / "experiments" / f"{name}.yaml").write_text("base: base\n")
    told = OnWindows(tmp_path / "tiny", environment)("build", "--exp", name, code=1)
    assert "it is a device there" in told


def test_the_stand_in_is_like_windows(tmp_path: Path) -> None:
    """It fails where Windows does: else the tests above would prove nothing."""
    program = tmp_path / "probe.py"
    program.write_text(
        "import os, signal, sys, pathlib\n"
        "from pathlib import Path\n"
        "def fails(kind, act):\n"
        "    try:\n        act()\n"
        "    except kind:\n        return\n"
        "    raise SystemExit(f'{act} does not fail')\n"
        "assert sys.platform == 'win32'\n"
        "for each in (lambda: os.fork, lambda: os.getuid, lambda: signal.SIGKILL, lambda: os.O_NOFOLLOW):\n"
        "    fails(AttributeError, each)\n"
        "for name in ('fcntl', 'pwd', 'resource', 'termios'):\n"
        "    fails(ImportError, lambda: __import__(name))\n"
        "assert str(Path('a/b')) == 'a\\\\b' and Path('a\\\\b') == Path('a') / 'b'\n"
        "Path('text').write_text('ü\\n')\n"
        "assert Path('text').read_bytes() == b'\\xfc\\r\\n'\n"
        "with open('text') as opened:\n"
        "    fails(PermissionError, lambda: Path('text').unlink())\n"
        "    fails(PermissionError, lambda: Path('new').replace('text') if Path('new').touch() is None else 0)\n"
        "fails(FileExistsError, lambda: Path('new').rename('text'))\n"
        "fails(OSError, lambda: Path('nul.txt').write_text(''))\n"
        "fails(OSError, lambda: Path('a:b').mkdir())\n"
        "print('like Windows')\n"
    )
    done = subprocess.run(
        [*WINDOWS, "probe"], cwd=tmp_path, env=dict(os.environ), capture_output=True, text=True, check=False
    )
    assert done.stdout == "like Windows\n", done.stderr
