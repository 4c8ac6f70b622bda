"""Disks that refuse: read-only, full, without locks. Reading commands work, the others end with a line that says where.

Seen: tox-dev/filelock#67 (a file system without flock), spack/spack#53021 (locks on a read-only one), and found by
trying it on coord (tracebacks of `coord build`; a read-only project hid `coord runs`).
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import json
import os
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from coordinator.ledger.ledger import Ledger
from coordinator.project.project import Project, find_project
from tests.coordinator.command import Coord
from tests.coordinator.finished_runs import finished

REFUSALS = ["ENOSPC", "EDQUOT", "EROFS", "EACCES", "EPERM", "EIO", "ENOLCK", "ENOSYS", "EOPNOTSUPP"]
READING = [
    ("runs",),
    ("best",),
    ("status",),
    ("experiments",),
    ("show", "--exp", "base"),
    ("compare", "base", "low"),
    ("report", "-o", "{elsewhere}"),
    ("tag", "--exp", "base"),
    ("ledger", "export"),
    ("build", "--exp", "base", "--check"),
]
WRITING = [
    ("build", "--exp", "base"),
    ("push", "--exp", "base"),
    ("dry-run", "--exp", "base"),
    ("tag", "--exp", "base", "good"),
    ("report",),
    ("init", "new", "--nested"),
    ("bundle", "tiny_model/train.py", "-o", "out.py"),
    ("sweep", "--exp", "base", "--seeds", "2"),
]
_OVERRIDING = (1 << 1) | (1 << 2)  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH


@pytest.fixture
def used(coord: Coord) -> Coord:
    """The sample project with a built kernel and two finished runs."""
    project = find_project(coord.root)
    finished(project, "base", 1, [0.5, 0.6, 0.7, 0.8])
    finished(project, "low", 1, [0.4, 0.5, 0.6, 0.7], sets=["optim.lr=0.5"])
    coord.here("build", "--exp", "base")
    return coord


@pytest.fixture
def read_only(used: Coord) -> Iterator[Coord]:
    """The same, where nothing may be written: root has to give up the right to do it all the same."""
    paths = [used.root, *used.root.rglob("*")]
    before = {path: path.stat().st_mode for path in paths}
    for path, mode in before.items():
        path.chmod(mode & 0o555)
    held = _capabilities(None)
    _capabilities([held[0] & ~_OVERRIDING, *held[1:]])
    if _can_write(used.root):
        pytest.skip("this user writes where the permissions forbid it")
    yield used
    _capabilities(held)
    for path, mode in before.items():
        path.chmod(mode)


def _capabilities(new: list[int] | None) -> list[int]:
    """This thread's, as they are or as they are set; see capget(2)."""
    libc = ctypes.CDLL(None, use_errno=True)
    header, data = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)(*(new or []))
    assert (libc.capget if new is None else libc.capset)(header, data) == 0
    return list(data)


def _can_write(folder: Path) -> bool:
    try:
        (folder / "probe").touch()
    except OSError:
        return False
    return True


@pytest.mark.parametrize("command", READING, ids=" ".join)
def test_a_read_only_project_is_read(read_only: Coord, tmp_path: Path, command: tuple[str, ...]) -> None:
    """What was recorded is shown."""
    page = tmp_path / "page.html"
    done = read_only.here(*(part.format(elsewhere=page) for part in command))
    if command[0] in {"runs", "best", "status", "compare"}:
        assert "base" in done.stdout
    if command[0] == "report":
        assert "base" in page.read_text(encoding="utf-8")


@pytest.mark.parametrize("command", WRITING, ids=" ".join)
def test_what_would_write_there_ends_with_a_line(read_only: Coord, command: tuple[str, ...]) -> None:
    """It names the file and what the system says."""
    args = [*command]
    code = 2 if command[0] in {"init", "report"} else 1
    told = read_only.here(*args, code=code).stderr.strip().splitlines()
    assert any(line.startswith("coord: ") for line in told[-2:])
    assert len(told) <= 4
    assert any(word in "\n".join(told) for word in ("Permission denied", "unable to open", "readonly"))


def test_a_read_only_ledger_is_checked(read_only: Coord) -> None:
    """It finds what there is to find (the runs of this test have no run.json)."""
    assert "2 runs" in read_only.here("ledger", "check", code=1).stderr


def test_a_read_only_ledger_of_an_older_coord(used: Coord, request: pytest.FixtureRequest) -> None:
    """It is brought to today's tables in memory; the file stays as it is."""
    file = find_project(used.root).ledger
    with sqlite3.connect(file) as connection:
        connection.execute("PRAGMA user_version = 0")
        for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
            connection.execute(f"DROP TABLE {name}")
    connection.close()
    request.getfixturevalue("read_only")
    before = file.read_bytes()
    assert "base" not in used.here("runs").stdout
    assert file.read_bytes() == before


def test_a_read_only_project_without_a_ledger(used: Coord, request: pytest.FixtureRequest) -> None:
    """There are no runs; it is no error."""
    shutil.rmtree(used.root / ".coord")
    request.getfixturevalue("read_only")
    assert json.loads(used.here("runs", "--json").stdout) == []


def test_a_ledger_that_may_not_be_read_is_an_error(read_only: Coord) -> None:
    """Not an empty list."""
    find_project(read_only.root).ledger.chmod(0)
    assert "cannot be opened" in read_only.here("runs", code=1).stderr


def test_what_a_killed_process_left_in_the_log_is_read(used: Coord, request: pytest.FixtureRequest) -> None:
    """SQLite's files beside the ledger have the newest run, as after a kill."""
    project = find_project(used.root)
    with Ledger(project.ledger) as ledger:
        run = ledger.runs()[0]
        ledger.update(run.id, message="written last")
        for ending in ("", "-wal", "-shm"):
            shutil.copy(f"{project.ledger}{ending}", f"{project.ledger}{ending}.copy")
    for ending in ("", "-wal", "-shm"):
        Path(f"{project.ledger}{ending}.copy").replace(f"{project.ledger}{ending}")
    request.getfixturevalue("read_only")
    shown = json.loads(used.here("status", "--json").stdout)
    assert [each["message"] for each in shown if each["id"] == run.id] == ["written last"]


@pytest.mark.parametrize(
    ("place", "name"),
    [
        (place, name)
        for place in ("lock", "write", "rename", "folder")
        for name in REFUSALS
        if (place, name) != ("lock", "EACCES")  # so flock says on some systems that another process holds the lock
    ],
)
def test_a_build_that_the_disk_refuses(used: Coord, monkeypatch: pytest.MonkeyPatch, place: str, name: str) -> None:
    """Whatever step it refuses: one line with the file, and the old build stays."""
    number = getattr(errno, name)

    def refuse(*_: Any, **__: Any) -> None:
        raise OSError(number, os.strerror(number))

    before = (used.root / "build/base/kernel.py").read_bytes()
    with monkeypatch.context() as patch:
        if place == "lock":
            patch.setattr(fcntl, "flock", refuse)
        elif place == "rename":
            patch.setattr(os, "replace", refuse)
        else:
            patch.setattr(Path, {"write": "write_bytes", "folder": "mkdir"}[place], refuse)
        told = used.here("build", "--exp", "base", "--set", "seed=5", code=1).stderr.strip().splitlines()
    assert told[0].startswith("coord: ")
    assert os.strerror(number) in told[0] or "Locks are not supported" in told[0]
    assert "base" in told[0]
    assert len(told) == 2
    assert (used.root / "build/base/kernel.py").read_bytes() == before


@pytest.mark.parametrize("name", ["ENOLCK", "ENOSYS", "EOPNOTSUPP"])
def test_a_new_ledger_on_a_disk_without_locks(coord: Coord, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Runs cannot be recorded there, and nothing is pushed; that there are none can be read."""

    def refuse(*_: Any) -> None:
        raise OSError(getattr(errno, name), os.strerror(getattr(errno, name)))

    monkeypatch.setattr(fcntl, "flock", refuse)
    assert json.loads(coord.here("runs", "--json").stdout) == []
    told = coord.here("tag", "--exp", "base", "good", code=1).stderr
    assert "cannot be written: " in told


def test_the_current_folder_is_gone(tiny: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another shell has deleted it."""
    folder = tmp_path / "gone"
    folder.mkdir()
    monkeypatch.chdir(folder)
    folder.rmdir()
    from typer.testing import CliRunner

    from coordinator.cli import app

    done = CliRunner().invoke(app, ["runs"])
    assert (done.exit_code, done.stderr.startswith("coord: the current folder")) == (1, True)
