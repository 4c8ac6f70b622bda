"""What the image lacks is resolved against its packages, locked, and installed in sessions without a network."""

from __future__ import annotations

import dataclasses
import json
import os
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from coordinator.bundle.image import Image
from coordinator.errors import BundleError, CoordError, NoAnswer, ProjectError
from coordinator.kernel.build import build_kernel
from coordinator.kernel.work import work_to_do
from coordinator.project.experiment import resolve
from coordinator.project.project import Project, find_project
from coordinator.wheels.lock import Lock, Wheel, current_lock, why_outdated
from coordinator.wheels.prepare import prepare_wheels
from runner_test.sessions import isolation
from tests.coordinator.bundle.programs import write_files
from tests.coordinator.command import Coord, delete_kernels
from tests.coordinator.wheels.made import CP, PYTHON, compiled, write_project, write_wheel

needs_isolation = pytest.mark.skipif(isolation.problem() is not None, reason=str(isolation.problem()))

USES_ALL = """
import fast, importlib.metadata, subprocess, sys
from pathlib import Path
from pure import DATA
print("twice", fast.twice(21), DATA, importlib.metadata.version("fast"), Path("/usr/lib").exists())
child = "import fast, numpy; print('child', fast.twice(1), numpy.__version__)"
subprocess.run([sys.executable, "-c", child], check=True)
subprocess.run(["pure-hello"], check=True)
subprocess.run(["pure-old"], check=True)
print("own", [Path(fast.__file__).stat().st_uid == __import__("os").getuid(), "/site-packages/" in fast.__file__])
"""


@pytest.fixture
def coord(tmp_path: Path) -> Iterator[Coord]:
    """`coord` in the folder of a project that a test writes."""
    coord = Coord(tmp_path / "project", dict(os.environ))
    yield coord
    delete_kernels(coord.root / ".coord" / "local-kaggle")


def _prepare(project: Project, *, upgrade: bool = False) -> tuple[Lock, list[str]]:
    said: list[str] = []
    return prepare_wheels(project, upgrade=upgrade, say=said.append).lock, said


@needs_isolation
def test_a_compiled_wheel_in_an_isolated_session_without_a_network(index: Path, tmp_path: Path, coord: Coord) -> None:
    """The program, its children and the packages' commands find it; the next push of the same work is none.

    The image's numpy is not downloaded; what the wheel needs in turn is.
    """
    extension = compiled(tmp_path)
    files: dict[str, str | bytes] = {"fast/__init__.py": "from fast._fast import twice", "fast/_fast.so": extension}
    write_wheel(index, "fast", files=files, requires=["pure>=1", "numpy>=1"], tag=f"{CP}-{CP}-linux_x86_64")
    write_wheel(
        index,
        "pure",
        files={
            "pure/__init__.py": "from pathlib import Path\nDATA = (Path(__file__).parent / 'd.txt').read_text()",
            "pure/d.txt": "data",
            "pure/cli.py": "class A:\n    def main(): print('hello')",
            "dist-info/own/entry_points.txt": "[console_scripts]\npure-hello = pure.cli:A.main\n",
            "data/scripts/pure-old": "#!python\nimport pure\nprint('old', pure.DATA)\n",
        },
    )
    write_wheel(index, "numpy", "9.0")
    numpy = pytest.importorskip("numpy").__version__
    project = write_project(coord.root, ["fast"], image={"numpy": numpy})
    write_files(project.root, {"train.py": USES_ALL})
    told = coord.here("wheels")
    lock = json.loads(project.wheels_lock.read_text())
    assert [wheel["name"] for wheel in lock["wheels"]] == ["fast", "pure"]
    assert lock["image"] == {"numpy": numpy}
    assert "v1: ready" in told.output
    log = coord.here("push", "--exp", "first", "--wait").output
    printed = [line for line in log.splitlines() if line.partition(" ")[0] in ("twice", "child", "hello", "old", "own")]
    assert printed == ["twice 42 data 1.0 True", f"child 2 {numpy}", "hello", "old data", "own [True, False]"]
    assert "has done the same" in coord.here("push", "--exp", "first").output
    assert "the same content" not in log
    assert "child 2" in coord.here("dry-run", "--exp", "first").output


def test_the_lock_is_for_the_image(index: Path, tmp_path: Path) -> None:
    """Markers and wheels are those of the image's Python, not of coord's; nothing is resolved without a reason."""
    requires = ['new; python_version >= "3.99"', 'old; python_version < "3.99"', 'mac; sys_platform == "darwin"']
    write_wheel(index, "top", files={"top.py": ""}, requires=requires)
    write_wheel(index, "new", tag="cp399-cp399-manylinux_2_28_x86_64", files={"new/__init__.py": "", "x.pth": ""})
    project = write_project(
        tmp_path / "project", ["top", "there>=1", "also"], image={"there": "1.5", "also": None}, python="3.99"
    )
    write_wheel(index, "there", "2.0")
    write_wheel(index, "also", files={"other_name.py": ""})
    lock, said = _prepare(project)
    assert [(wheel.name, wheel.modules) for wheel in lock.wheels] == [
        ("also", ("other_name",)),
        ("new", ("new",)),
        ("top", ("top",)),
    ]
    assert lock.image == {"also": None, "there": "1.5"}
    assert any("also 1.0 will be used before the image's" in line for line in said)
    assert any("new 1.0 has x.pth, which Python reads in site-packages only" in line for line in said)
    assert current_lock(project) == lock
    before = project.wheels_lock.read_bytes()
    for wheel in index.iterdir():
        wheel.unlink()
    assert _prepare(project) == (lock, [])
    assert project.wheels_lock.read_bytes() == before


def test_another_machine_downloads_what_is_locked(index: Path, tmp_path: Path) -> None:
    """Byte for byte, or not at all."""
    write_wheel(index, "top", files={"top.py": "first"})
    project = write_project(tmp_path / "project", ["top"])
    lock, _ = _prepare(project)
    folder = project.wheels(lock.slug)
    for file in folder.iterdir():
        file.unlink()
    folder.rmdir()
    with pytest.raises(BundleError, match="is not on this machine"):
        build_kernel(project, resolve(project, "first")).datasets[0].content  # noqa: B018
    assert _prepare(project)[0] == lock
    assert (folder / lock.wheels[0].file).is_file()
    (folder / lock.wheels[0].file).unlink()
    (folder / "wheels.json").unlink()
    folder.rmdir()
    write_wheel(index, "top", files={"top.py": "another"})
    with pytest.raises(ProjectError, match=r"HASHES"):
        _prepare(project)
    assert not folder.exists()
    assert current_lock(project) == lock


@pytest.mark.parametrize(
    ("requirements", "image", "error", "says"),
    [
        (["top"], {"base": "1.0"}, ProjectError, "top 1.0 depends on base>=2\n  the image has base 1.0"),
        (["nothing-here"], {}, ProjectError, "there is no wheel of nothing-here for Python"),
        (["to p"], {}, ProjectError, '"to p"'),
        (["top @ file:///x.whl"], {}, ProjectError, "only names and versions"),
        ([], {}, ProjectError, "requires no packages"),
    ],
)
def test_what_cannot_be_resolved(
    index: Path, tmp_path: Path, requirements: list[str], image: dict[str, str], error: type[CoordError], says: str
) -> None:
    """One message with what is in the way; nothing is written."""
    write_wheel(index, "top", requires=["base>=2"])
    write_wheel(index, "base", "2.0")
    project = write_project(tmp_path / "project", requirements, image=image)
    with pytest.raises(error) as raised:
        _prepare(project)
    assert says in raised.value.what
    assert not project.wheels_lock.exists()


def test_an_index_that_cannot_be_reached(index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not said that there is no such package."""
    monkeypatch.delenv("PIP_NO_INDEX")
    for name, value in {"PIP_INDEX_URL": "http://127.0.0.1:9/simple", "PIP_RETRIES": "1", "PIP_TIMEOUT": "1"}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(NoAnswer, match="cannot reach its package index"):
        _prepare(write_project(tmp_path / "project", ["top"]))


def test_extras_of_the_image_s_packages(index: Path, tmp_path: Path) -> None:
    """The table has no requirements, so the index says what an extra needs; the package itself stays the image's."""
    write_wheel(index, "base", "1.0", requires=['more; extra == "all"'])
    write_wheel(index, "more", files={"more.py": ""})
    write_wheel(index, "top", requires=["base[all]"])
    lock, _ = _prepare(write_project(tmp_path / "project", ["top"], image={"base": "1.0+cu128"}))
    assert [wheel.name for wheel in lock.wheels] == ["more", "top"]


WHEEL = Wheel("fast-1.0-py3-none-any.whl", "fast", "1.0", 10, "0" * 64, ("fast",))
LOCK = Lock(("fast>=1",), PYTHON, {"numpy": "1.0", "odd": None}, (WHEEL,))
IMAGE = Image("2026-01-01", PYTHON, "made up", {"numpy": "1.0", "odd": None, "other": "3"}, {})


@pytest.mark.parametrize(
    ("requirements", "packages", "python", "why"),
    [
        (["fast>=1"], {}, PYTHON, None),
        (["fast>=1"], {"other": "4"}, PYTHON, None),
        (["fast>=2"], {}, PYTHON, "fast>=2 is new, fast>=1 is gone"),
        (["fast>=1"], {}, "3.99", f"the image has Python 3.99 now, not {PYTHON}"),
        (["fast>=1"], {"numpy": "2.0"}, PYTHON, "the image has numpy 2.0 now, not numpy 1.0"),
        (["fast>=1"], {"fast": "1.0"}, PYTHON, "the image has fast 1.0 now, not no fast"),
        (
            ["fast>=1"],
            {"odd": "1"},
            PYTHON,
            "the image has odd 1 now, not odd in a version that its table does not know",
        ),
    ],
)
def test_what_makes_a_lock_outdated(
    requirements: list[str], packages: dict[str, str], python: str, why: str | None
) -> None:
    """Only what the result depends on."""
    image = dataclasses.replace(IMAGE, python=python, packages={**IMAGE.packages, **packages})
    assert why_outdated(LOCK, requirements, image) == why


def test_builds_need_a_lock_of_today(tmp_path: Path) -> None:
    """What is outdated is told with the command; the digest of a kernel depends on the wheels, not on the owner."""
    project = write_project(tmp_path / "project", ["fast>=1"], image=IMAGE.packages)
    write_files(project.root, {"train.py": "import fast\n"})
    with pytest.raises(ProjectError, match=r"there is no kaggle-wheels\.json") as raised:
        build_kernel(project, resolve(project, "first"))
    assert raised.value.hint == "Make it: coord wheels"
    project.wheels_lock.write_text(LOCK.to_json())
    first = build_kernel(project, resolve(project, "first"))
    assert first.metadata.data["dataset_sources"] == [f"OWNER/{LOCK.slug}"]
    owned = find_project(project.root)
    owned = dataclasses.replace(owned, settings=dataclasses.replace(owned.settings, owner="ada"))
    of_ada = build_kernel(owned, resolve(owned, "first"))
    assert of_ada.script.digest == first.script.digest
    assert of_ada.metadata.data["dataset_sources"] == [f"ada/{LOCK.slug}"]
    newer = dataclasses.replace(LOCK, wheels=(dataclasses.replace(WHEEL, sha256="1" * 64),))
    project.wheels_lock.write_text(newer.to_json())
    second = build_kernel(project, resolve(project, "first"))
    assert second.script.digest != first.script.digest
    assert work_to_do(second) != work_to_do(first)
    table = project.root / "kaggle-image.json"
    table.write_text(table.read_text().replace('"numpy": "1.0"', '"numpy": "2.0"'))
    with pytest.raises(ProjectError, match=r"outdated: the image has numpy 2\.0 now"):
        build_kernel(project, resolve(project, "first"))


def test_a_project_without_requirements_has_no_wheels(tmp_path: Path) -> None:
    """Nor has one whose image has everything; then nothing is attached, and the kernel's text is that of any other."""
    project = write_project(tmp_path / "project", [])
    plain = build_kernel(project, resolve(project, "first"))
    full = write_project(tmp_path / "full", ["numpy"], image=IMAGE.packages)
    full.wheels_lock.write_text(Lock(("numpy",), PYTHON, {"numpy": "1.0"}, ()).to_json())
    built = build_kernel(full, resolve(full, "first"))
    assert (built.script.text, built.datasets) == (plain.script.text, ())
    assert "install(" not in built.script.text


def test_the_lock_reads_back(tmp_path: Path) -> None:
    """Anything else than a lock is refused."""
    project = write_project(tmp_path / "project", ["fast>=1"], image=IMAGE.packages)
    project.wheels_lock.write_text(LOCK.to_json())
    assert current_lock(project) == LOCK
    for text in ("[]", "{", '{"requirements": 1}'):
        project.wheels_lock.write_text(text)
        with pytest.raises(ProjectError, match=r"kaggle-wheels\.json is no"):
            current_lock(project)


def test_wheels_of_the_test_are_wheels(index: Path) -> None:
    """Their names and records are right, or pip would take other ways than with wheels of others."""
    path = write_wheel(index, "a-b", files={"a.py": "x", "data/scripts/s": ""})
    with zipfile.ZipFile(path) as wheel:
        assert {"a.py", "a_b-1.0.data/scripts/s", "a_b-1.0.dist-info/RECORD"} <= set(wheel.namelist())
