"""The wheel of this repository, and environments that have it as `pip install` leaves it: made once for all tests."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path
from typing import Any

import pytest
import yaml
from filelock import FileLock

from tests.paths import ROOT
from tests.workflow import Job

ACTION = ROOT / "action.yml"
INSTALL = ("Install coord",)
"""The step of the action that does that."""

OFFLINE = {"PIP_NO_DEPS": "1", "PIP_NO_INDEX": "1", "PIP_NO_COMPILE": "1", "PIP_IGNORE_INSTALLED": "1"}
"""For a pip that must ask no package index: what the wheel depends on is there already (and this checkout's coord)."""


def run_program(*command: str | Path, cwd: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """A program as a user has it: without the tests' own modules."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | variables
    return subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )


def folder_of_all(factory: pytest.TempPathFactory) -> Path:
    """A folder of all test processes of this run: what is in it is made once, by the first that needs it."""
    base = factory.getbasetemp()
    folder = (base if "PYTEST_XDIST_WORKER" not in os.environ else base.parent) / "packaging"
    folder.mkdir(exist_ok=True)
    return folder


def built_wheel(shared: Path) -> Path:
    """The wheel of this repository, in the folder of all tests."""
    out = shared / "wheel"
    with FileLock(shared / "wheel.lock"):
        if not out.exists():
            out.mkdir()
            build = (sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", out, ROOT)
            built = run_program(*build, cwd=out)
            assert built.returncode == 0, built.stdout + built.stderr
    (file,) = out.glob("*.whl")
    return file


def bin_folder(home: Path) -> Path:
    """Where an environment has its programs."""
    return Path(sysconfig.get_path("scripts", "venv", {"base": str(home), "platbase": str(home)}))


def new_environment(home: Path) -> Path:
    """An environment without coord that shares this one's libraries, pip included; returns the folder of its programs.

    The libraries come last on its path, and the links to this checkout in them are not followed: coord is there only
    when it is installed.
    """
    venv.create(home, with_pip=False)
    site = Path(sysconfig.get_path("purelib", "venv", {"base": str(home), "platbase": str(home)}))
    libraries = [folder for folder in sys.path if folder.endswith(("site-packages", "dist-packages"))]
    (site / "libraries.pth").write_text("\n".join(libraries) + "\n", encoding="utf-8")
    return bin_folder(home)


def action() -> dict[str, Any]:
    """What action.yml says."""
    found: dict[str, Any] = yaml.safe_load(ACTION.read_text(encoding="utf-8"))
    return found


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of an environment in which the action has installed coord, by its own step."""
    shared = folder_of_all(tmp_path_factory)
    wheel, home = built_wheel(shared), shared / "action"
    with FileLock(shared / "action.lock"):
        programs = bin_folder(home)
        if not (home / "complete").exists():
            new_environment(home)
            temp = shared / "action-temp"
            temp.mkdir(exist_ok=True)
            job = Job(temp, temp, {**OFFLINE, "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}", "PYTHONPATH": ""})
            steps = tuple(step["name"] for step in action()["runs"]["steps"] if step["name"] not in INSTALL)
            job.run(ACTION, {"package": str(wheel)}, leave_out=steps)
            assert [each.code for each in job.ran] == [0], job.ran
            assert job.ran[0].output.startswith("coord ")
            (home / "complete").touch()
    return programs
