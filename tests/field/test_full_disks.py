"""A full disk is called that, whichever command meets it and whatever SQLite says: on a real file system without room.

Seen: found by trying it on coord ("the ledger cannot be opened: disk I/O error; look into it: coord ledger check").
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.coordinator.bundle.programs import write_files
from tests.coordinator.command import Coord
from tests.coordinator.wheels.made import index as index, write_wheel
from tests.paths import ROOT, SAMPLES
from tests.warm import run_warm

LOADED = ("benchmarks.loaded", "runner_test.server")
NAMESPACE = ("unshare", "--user", "--map-root-user", "--mount")
FULL = "dd if=/dev/zero of=filler bs=64k >/dev/null 2>&1 || true; dd if=/dev/zero of=rest bs=1 >/dev/null 2>&1 || true"
A_LITTLE_ROOM = f"{FULL}; truncate -s -65536 filler"
EMPTY = "rm -rf *; "
NO_INODES = "mkdir many; seq -f many/%g 1100 | xargs touch 2>/dev/null || true"


@pytest.fixture(scope="module")
def _namespaces(tmp_path_factory: pytest.TempPathFactory) -> None:
    mounts = [*NAMESPACE, "mount", "-t", "tmpfs", "none", str(tmp_path_factory.mktemp("mount"))]
    if shutil.which("unshare") is None or subprocess.run(mounts, capture_output=True, check=False).returncode:
        pytest.skip("this machine allows no file system of one's own (unshare --user --mount)")


@pytest.fixture(scope="module")
def used(_namespaces: None, tmp_path_factory: pytest.TempPathFactory) -> Coord:
    """The sample project with a built kernel, a run that was not fetched, one that was, and data of its own.

    Nothing changes it: each command runs in a namespace in which another file system, with a copy, covers it.
    """
    folder = tmp_path_factory.mktemp("full")
    shutil.copytree(SAMPLES / "tiny", folder / "tiny", ignore=shutil.ignore_patterns("__pycache__"))
    coord = Coord(folder / "tiny", {**os.environ, "COORD_TARGET": "local"})
    coord("push", "--exp", "base", "--wait")
    coord("fetch-results", "--exp", "base")
    coord("push", "--exp", "base", "--set", "seed=3", "--wait")
    write_files(folder / "data", {"x.csv": "x\n" * 100_000})
    coord("data", "push", str(folder / "data"), "ada/far-away")
    (folder / "mount").mkdir()
    return coord


def _on_disk(coord: Coord, prepared: str, *command: str, below: str = ".") -> tuple[int, str]:
    """Exit code and messages of a command; `below` is the folder of the project on a disk prepared like this."""
    folder = coord.root / below
    done = run_warm(
        *("tests.field.own_disk", str(coord.root.parent / "mount"), str(folder), prepared, *command),
        cwd=coord.root,
        env={**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "200"},
        loaded=LOADED,
        within=NAMESPACE,
    )
    return done.returncode, done.stderr


@pytest.mark.parametrize(
    ("prepared", "command", "told_once"),
    [
        (FULL, ("push", "base", "--set", "seed=9"), "the disk of the local Kaggle is full"),
        (FULL, ("data", "push", "../data", "ada/other-one"), "the disk of the local Kaggle is full"),
        (A_LITTLE_ROOM, ("data", "push", "../data", "ada/other-two"), "the disk of the local Kaggle is full"),
        (FULL, ("local", "add-dataset", "ada/other", "../data"), "The disk is full: 0.0 MB are free in {kaggle}."),
        (EMPTY + FULL, ("push", "base", "--set", "seed=9"), "The disk is full: 0.0 MB are free in {kaggle}."),
        (EMPTY + NO_INODES, ("quota",), "The disk of {kaggle} takes no more files"),
    ],
)
def test_a_full_disk_of_the_local_kaggle_alone(
    used: Coord, prepared: str, command: tuple[str, ...], told_once: str
) -> None:
    """Its state may lie on another disk than the project: one message, at once, and nothing is known to have been made.

    A target without room is not asked a second time.
    """
    words = [str(used.root.parent / "data") if word == "../data" else word for word in command]
    code, told = _on_disk(used, prepared, "-C", str(used.root), *words, below=".coord/local-kaggle")
    assert code == 1, told
    assert "Traceback" not in told
    assert told.count(told_once.format(kaggle=used.root / ".coord/local-kaggle")) == 1, told
    assert "Free some space there" in told
    assert "trying again" not in told
    assert "asking local whether" not in told


WRITING: Sequence[tuple[str, ...]] = [
    ("build", "--exp", "base", "--set", "seed=5"),
    ("bundle", "tiny_model/train.py", "-o", "out.py"),
    ("push", "--exp", "base", "--set", "seed=5"),
    ("dry-run", "--exp", "base"),
    ("tag", "--exp", "base", "good"),
    ("note", "--exp", "base", "good"),
    ("fetch-results", "--exp", "base"),
    ("report",),
    ("promote", "--exp", "base", "--version", "1", "-o", "kept"),
    ("ledger", "export", "-o", "runs.csv"),
    ("init", "new", "--nested"),
    ("sweep", "--exp", "base", "--seeds", "2"),
    ("data", "fetch", "ada/far-away", "far"),
]


@pytest.mark.parametrize("prepared", [FULL, NO_INODES], ids=["no space", "no inodes"])
@pytest.mark.parametrize("command", WRITING, ids=" ".join)
def test_a_full_disk_is_called_that(used: Coord, command: tuple[str, ...], prepared: str) -> None:
    """One message, with what to do; no traceback, and never exit code 0."""
    code, told = _on_disk(used, prepared, *command)
    assert code in (1, 2), told
    assert "Traceback" not in told
    lines = told.strip().splitlines()
    assert any(line.startswith("coord: ") for line in lines), told
    assert any(words in told.lower() for words in ("the disk is full", "takes no more files")), told
    assert "Free some space there" in told, told
    assert "disk I/O error" not in told


@pytest.mark.usefixtures("index")
def test_wheels_and_repairs_on_a_full_disk(used: Coord) -> None:
    """Those that need something to be wrong first: a requirement that is not here, a ledger that is lost."""
    write_wheel(Path(os.environ["PIP_FIND_LINKS"]), "fast", files={"fast.py": "\n" * 100_000})
    required = "sed -i 's/^owner/requirements = [\"fast\"]\\nowner/' pyproject.toml; "
    for prepared, command in (
        (required, ("wheels", "--no-push")),
        ("rm .coord/ledger*; ", ("ledger", "check", "--repair")),
    ):
        code, told = _on_disk(used, prepared + FULL, *command)
        assert code == 1, told
        assert "Traceback" not in told
        assert f"disk is full: 0.0 MB are free in {used.root}" in told, told


@pytest.mark.parametrize(
    "command",
    [
        *(("runs",), ("best",), ("show", "--exp", "base"), ("compare", "base@v1", "base@v2")),
        *(("ledger", "check"), ("ledger", "check", "--offline"), ("ledger", "check", "--offline", "--repair")),
    ],
    ids=" ".join,
)
def test_what_is_there_can_be_read(used: Coord, command: tuple[str, ...]) -> None:
    """On the same disk."""
    code, told = _on_disk(used, FULL, *command)
    assert "disk I/O error" not in told
    assert (code, "cannot be" in told) == (0, False) or command[0] == "compare", told
