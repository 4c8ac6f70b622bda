"""The part of a kernel that installs wheels, as the program and its children see it."""

from __future__ import annotations

import hashlib
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from coordinator.bundle import attached, beside, bootstrap, checkout, delivery, installed, needed
from coordinator.bundle.files import SourceFile
from coordinator.bundle.installed import fits, place
from coordinator.bundle.reader import read_kernel
from coordinator.bundle.script import Content, Script, Wheels, render_script
from coordinator.project.shipped import default_template
from tests.coordinator.bundle.programs import Ran, run_kernel
from tests.coordinator.wheels.made import CP, PYTHON, write_wheel

SLUG = "coord-wheels-0123456789ab"
MINOR = sys.version_info[1]
LINUX = pytest.mark.skipif(sys.platform != "linux", reason="a wheel for Linux fits on Linux only")
PROGRAM = """
import os, subprocess, sys
import extra
print(extra.A, sys.path.index(os.path.dirname(extra.__file__)) < len(sys.path) - 1, os.listdir("."))
print(subprocess.run([sys.executable, "-c", "import extra; print(extra.A)"], capture_output=True, text=True).stdout)
"""


def _listed(file: Path) -> dict[str, str]:
    name, version = file.name.split("-")[:2]
    sha256 = hashlib.sha256(file.read_bytes()).hexdigest()
    return {"file": file.name, "sha256": sha256, "name": name, "version": version}


def _script(*wheels: Path, program: str = PROGRAM) -> Script:
    content = Content(
        "main.py", [SourceFile("main.py", program.encode())], wheels=Wheels(SLUG, tuple(map(_listed, wheels)))
    )
    return render_script(default_template("kernel.py.j2"), content)


def _run(tmp_path: Path, script: Script) -> Ran:
    return run_kernel(script.text, tmp_path / "session")


def test_the_program_and_its_children_find_it(tmp_path: Path) -> None:
    """Nothing of it is output, and nothing is left behind; a package that is here already does not come before it."""
    folder = tmp_path / "session" / "input" / "datasets" / "ada" / SLUG
    folder.parent.mkdir(parents=True)
    ran = _run(tmp_path, _script(write_wheel(folder, "extra", files={"extra.py": "A = 'of the wheel'"})))
    assert (ran.code, ran.err) == (0, "")
    assert ran.out == "of the wheel True []\nof the wheel\n\n"
    assert ran.temporary == ()


@pytest.mark.parametrize("damage", ["changed", "missing"])
def test_a_wheel_that_is_another_one(tmp_path: Path, damage: str) -> None:
    """Its SHA-256 is in the script; the program does not run."""
    folder = tmp_path / "session" / "input" / SLUG
    folder.parent.mkdir(parents=True)
    wheel = write_wheel(folder, "extra", files={"extra.py": "A = 1"})
    script = _script(wheel)
    if damage == "changed":
        wheel.write_bytes(wheel.read_bytes() + b"x")
    else:
        wheel.unlink()
    ran = _run(tmp_path, script)
    says = {"changed": "its SHA-256 differs", "missing": f"the data set {SLUG} is not attached"}[damage]
    assert (ran.code, ran.out, ran.temporary) == (1, "", ())
    assert says in ran.err
    assert "Traceback" not in ran.err


def test_a_wheel_for_another_python(tmp_path: Path) -> None:
    """On a machine that is not like the image, the package that is installed there is used, and that is said."""
    folder = tmp_path / "session" / "input" / SLUG
    folder.parent.mkdir(parents=True)
    other = write_wheel(folder, "jinja2", tag="cp399-cp399-manylinux_2_28_x86_64")
    ran = _run(tmp_path, _script(other, program="import jinja2; print(jinja2.__name__)"))
    assert (ran.code, ran.out) == (0, "jinja2\n")
    assert f"{other.name} is not for Python {PYTHON}" in ran.err
    unknown = write_wheel(folder, "unknown_anywhere", tag="cp399-cp399-manylinux_2_28_x86_64")
    ran = run_kernel(_script(unknown).text, tmp_path / "other")
    assert ran.code == 1
    assert "unknown_anywhere is not installed here" in ran.err


@pytest.mark.parametrize(
    ("tags", "is_fit"),
    [
        ("py3-none-any", True),
        ("py2.py3-none-any", True),
        ("py2-none-any", False),
        ("py3-none-win_amd64", False),
        ("cp399-cp399-any", False),
        ("cp399-abi3-any", False),
        ("py399-none-any", False),
        ("cp37-abi3-any", True),
        ("cp37-cp37m-any", False),
        (f"{CP}-{CP}-any", True),
        (f"{CP}-none-any", True),
        (f"1.0-{CP}-{CP}-any", True),
        pytest.param(f"{CP}-{CP}-manylinux_2_17_{os.uname().machine}.manylinux2014_x", True, marks=LINUX),
        ("py3-none-manylinux_2_28_riscv", False),
        ("py3-none-macosx_11_0_arm64", False),
    ],
)
def test_which_wheels_this_python_takes(tags: str, is_fit: bool) -> None:
    """By the tags in their names, as PEP 425 has them."""
    assert fits(f"name-1.0-{tags}.whl") is is_fit


@pytest.mark.parametrize(
    ("path", "at"),
    [
        ("a/b.py", "a/b.py"),
        ("a-1.0.dist-info/RECORD", "a-1.0.dist-info/RECORD"),
        ("a-1.0.data/purelib/a/b.py", "a/b.py"),
        ("a-1.0.data/platlib/a.so", "a.so"),
        ("a-1.0.data/scripts/run", "bin/run"),
        ("a-1.0.data/data/share/x", "share/x"),
        ("a-1.0.data/headers/x.h", "include/x.h"),
        ("own.data/x", "own.data/x"),
    ],
)
def test_where_the_files_of_a_wheel_go(path: str, at: str) -> None:
    """As in a folder of `pip install --target`."""
    from pathlib import PurePosixPath

    assert place(PurePosixPath(path)) == at


def test_the_cells_of_a_notebook_install_nothing(tmp_path: Path) -> None:
    """The script that the last cell starts does."""
    script = _script(write_wheel(tmp_path / "wheels", "extra"))
    names: dict[str, Any] = {"__name__": "__main__"}
    exec(
        script.text.partition("# ---------------------------------------------------------------- coord's start")[0],
        names,
    )
    before = list(sys.path)
    names["install"](SLUG, names["WHEELS"])
    assert sys.path == before
    names["__file__"] = "script.py"
    with pytest.raises(SystemExit, match="is not attached"):
        names["install"](SLUG, names["WHEELS"])


def test_it_reads_back(tmp_path: Path) -> None:
    """`coord build --check` compares the wheels of a kernel with those of the lock."""
    wheel = write_wheel(tmp_path / "wheels", "extra")
    script = _script(wheel)
    assert read_kernel(script.text.encode(), "kernel.py").wheels == Wheels(SLUG, (_listed(wheel),))


def test_the_parts_of_a_kernel_have_names_of_their_own() -> None:
    """They are one script: a name in two of them would be one thing."""
    seen: dict[str, Any] = {}
    for part in (bootstrap, checkout, delivery, needed, attached, beside, installed):
        for name, value in vars(part).items():
            is_own = getattr(value, "__module__", part.__name__) == part.__name__ and not name.startswith("__")
            if is_own and not isinstance(value, type(os)):
                assert seen.setdefault(name, value) is value, name
