"""The wheel in a clean environment has few dependencies, is complete, and does everything that needs no torch."""

from __future__ import annotations

import shutil
import sys
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest
from filelock import FileLock
from packaging.metadata import Metadata

from runner_test.server import running_server
from tests.installed import bin_folder, built_wheel, folder_of_all, run_program
from tests.paths import ROOT

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return folder_of_all(tmp_path_factory)


@pytest.fixture(scope="module")
def wheel(shared: Path) -> Path:
    return built_wheel(shared)


@pytest.fixture(scope="module")
def installed(wheel: Path, shared: Path) -> Path:
    """The bin folder of a clean environment with only the wheel and its declared dependencies."""
    home = shared / "clean"
    with FileLock(shared / "clean.lock"):
        if not (home / "complete").exists():
            _install(wheel, home)
    return bin_folder(home)


def _install(wheel: Path, home: Path) -> None:
    venv.create(home, with_pip=False)
    pip: list[str | Path] = [
        sys.executable,
        "-m",
        "pip",
        "--disable-pip-version-check",
        "--python",
        bin_folder(home) / "python",
    ]
    constrained = ("install", "--quiet", "--retries", "1", "-c", ROOT / "constraints.txt")
    # The only test that uses more than this machine: a package index, as `make` has done before.
    # Without bytecode, which takes longer than all else: most of these modules are not used here.
    done = run_program(*pip, *constrained, "--no-compile", wheel, cwd=home)
    if done.returncode != 0:
        reachable = run_program(*pip, *constrained, "six", cwd=home)
        if reachable.returncode != 0:
            pytest.skip(f"no package index can be reached from here: {reachable.stderr.strip()[-200:]}")
    assert done.returncode == 0, done.stderr
    (home / "complete").touch()


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The project of this repository without its own templates, so that those of the wheel are used."""
    for name in ("model_src", "experiments"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def test_the_wheel_holds_packages_and_templates_only(wheel: Path) -> None:
    """The package contains the templates and the model source, which is one of them, but no tests and caches."""
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    assert "coordinator/kernel_templates/kernel.py.j2" in names
    assert "coordinator/kernel_templates/kernel-metadata.json.j2" in names
    assert "coordinator/py.typed" in names
    assert "runner_test/state/__init__.pyi" in names  # is read at run time, to load a module when its name is used
    assert "coordinator/bundle/image_packages.json" in names
    assert "coordinator/project_templates/minimal/model/train.py" in names
    assert "coordinator/model_src/train.py" in names
    assert not any("__pycache__" in name for name in names)
    assert {f"coordinator/report/report.{ending}" for ending in ("html.j2", "css", "js")} <= set(names)
    tops = {name.partition("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"coordinator", "runner_test", "coord_log.py"}


def test_the_wheel_is_for_every_system(wheel: Path) -> None:
    """Pure Python, with a page that an index can show, and no dependency for one system only."""
    assert wheel.name.endswith("-py3-none-any.whl")
    with zipfile.ZipFile(wheel) as archive:
        (folder,) = {name.partition("/")[0] for name in archive.namelist() if ".dist-info/" in name}
        metadata = Metadata.from_email(archive.read(f"{folder}/METADATA"), validate=True)
        assert "Root-Is-Purelib: true" in archive.read(f"{folder}/WHEEL").decode()
    assert metadata.description_content_type == "text/markdown"
    assert (metadata.description or "").startswith("# coord\n")
    systems = {each.rpartition(" :: ")[2] for each in metadata.classifiers or [] if each.startswith("Operating System")}
    assert systems == {"Linux", "MacOS", "Windows"}
    base = [each for each in metadata.requires_dist or [] if "extra ==" not in str(each.marker)]
    assert base
    assert not [str(each) for each in base if each.marker is not None]


def test_the_sdist_has_all_that_the_wheel_needs(wheel: Path, tmp_path: Path) -> None:
    """The wheel that is built of the unpacked sdist has the same files with the same bytes."""
    build: list[str | Path] = [sys.executable, "-m", "build", "--no-isolation", "--outdir", tmp_path]
    done = run_program(*build, "--sdist", ROOT, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    (sdist,) = tmp_path.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path, filter="data")
    source = tmp_path / sdist.name.removesuffix(".tar.gz")
    for name in ("action.yml", "action/comment.py", ".github/workflows/ci.yml", "CHANGELOG.md", "tests/conftest.py"):
        assert (source / name).is_file(), name
    done = run_program(*build, "--wheel", source, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    (again,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as one, zipfile.ZipFile(again) as other:
        assert {each.filename: each.CRC for each in one.infolist()} == {
            each.filename: each.CRC for each in other.infolist()
        }


@pytest.mark.release
def test_the_base_install_is_light(installed: Path) -> None:
    """It contains no training library and no HTTP server."""
    for module in ("torch", "numpy", "pandas", "pydicom", "starlette"):
        assert run_program(installed / "python", "-c", f"import {module}", cwd=installed).returncode == 1, module


@pytest.mark.release
def test_the_base_install_does_all_that_needs_no_torch(installed: Path, project: Path) -> None:
    """help, experiments, show and build work; the built kernel is the same as that of the checkout."""
    coord = installed / "coord"
    for arguments in (["--help"], ["--version"], ["experiments"], ["show", "--exp", "lr001_step4"], ["status"]):
        done = run_program(coord, *arguments, cwd=project)
        assert done.returncode == 0, done.stderr
    done = run_program(coord, "build", "--exp", "lr001_step4", cwd=project)
    assert done.stdout == "build/lr001_step4\n", done.stderr
    there = (project / "build" / "lr001_step4" / "kernel.py").read_bytes()
    done = run_program(sys.executable, "-m", "coordinator", "-C", project, "build", "--exp", "lr001_step4", cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert (project / "build" / "lr001_step4" / "kernel.py").read_bytes() == there


@pytest.mark.release
@pytest.mark.parametrize("template", ["minimal", "mask-rcnn"])
def test_the_base_install_makes_projects(installed: Path, tmp_path: Path, template: str) -> None:
    """The files are the same as those of the checkout, and a kernel can be built from them."""
    for root, program in (("a", [installed / "coord"]), ("b", [sys.executable, "-m", "coordinator", "-C", tmp_path])):
        cwd = tmp_path if root == "a" else ROOT
        done = run_program(*program, "init", f"{root}/new", "--template", template, cwd=cwd)
        assert done.returncode == 0, done.stderr
    one, other = (
        {path.relative_to(top): path.read_bytes() for path in top.rglob("*") if path.is_file()}
        for top in (tmp_path / "a", tmp_path / "b")
    )
    assert one == other
    done = run_program(installed / "coord", "build", "--exp", "base", cwd=tmp_path / "a" / "new")
    assert done.returncode == 0, done.stderr


@pytest.mark.release
def test_the_base_install_pushes_watches_and_fetches(
    installed: Path, project: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """With a Kaggle server in another process the tiny project is pushed, run and fetched without any extra."""
    coord, tiny = installed / "coord", project / "tiny"
    shutil.copytree(ROOT / "tests" / "samples" / "tiny", tiny)
    with running_server(tmp_path_factory.mktemp("kaggle")) as server:
        variables = {
            "COORD_KAGGLE_ENDPOINT": server.url,
            "COORD_TARGET": "kaggle",
            "KAGGLE_USERNAME": "ada",
            "KAGGLE_KEY": server.token,
        }
        for arguments in (["push", "--exp", "base", "--wait"], ["status"], ["logs"], ["fetch-results"]):
            done = run_program(coord, *arguments, cwd=tiny, **variables)
            assert done.returncode == 0, done.stderr
    assert (tiny / "results" / "base" / "kaggle-v1" / "metrics.json").is_file()


@pytest.mark.release
def test_a_missing_extra_is_named(installed: Path, project: Path) -> None:
    """The local Kaggle needs an extra; the error names the command that installs it."""
    done = run_program(installed / "coord", "push", "--exp", "lr001_step4", "--target", "local", cwd=project)
    assert done.returncode == 1
    assert "pip install 'coord[local]'" in done.stderr
    assert "Traceback" not in done.stderr
