"""The table of the image's packages: the shipped one, and one that is read from a kernel's log."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from coordinator.bundle.image import Image, image_of, read_image, shipped_image
from coordinator.bundle.image_probe import PREFIX
from coordinator.bundle.stdlib import removed_in, standard_library
from coordinator.errors import ProjectError
from coordinator.maintenance.image_refresh import read_packages, refresh_image
from coordinator.project.project import Project, find_project
from tests.coordinator.command import Coord

# More lines than a `pip install` would show.
FROZEN = [f"filler{number}==1.{number}" for number in range(12)]


def _read(text: str) -> Image:
    return read_packages(text, name="a.log", day="2026-11-01")


@pytest.mark.parametrize(
    ("module", "distribution"),
    [
        ("torch", "torch"),
        ("cv2", "opencv-python"),
        ("sklearn", "scikit-learn"),
        ("PIL", "pillow"),
        ("yaml", "pyyaml"),
        ("skimage", "scikit-image"),
        ("bs4", "beautifulsoup4"),
        ("google", "google-api-core"),
        ("dateutil", "python-dateutil"),
        ("attr", "attrs"),
        ("attrs", "attrs"),
        ("pytorch_lightning", "pytorch-lightning"),
        ("pydicom", "pydicom"),
        ("pkg_resources", "setuptools"),
        ("kaggle_secrets", None),
        ("json", None),
    ],
)
def test_the_shipped_table_knows_import_names(module: str, distribution: str | None) -> None:
    """What is imported and what is installed have different names; some modules belong to no distribution."""
    image = shipped_image()
    assert image.has_module(module)
    assert image.distribution_of(module) == distribution


@pytest.mark.parametrize("name", ["scikit_learn", "opencv_python", "pillow", "PyYAML", "segmentation_models_pytorch"])
def test_the_shipped_table_takes_no_distribution_for_a_module(name: str) -> None:
    """`import pillow` fails, although pillow is installed; and what is not there is not there."""
    assert not shipped_image().has_module(name)


def test_the_shipped_table_is_that_of_a_day() -> None:
    """The versions that were seen together, and the Python; every module's distribution is one of the packages."""
    image = shipped_image()
    assert (image.date, image.python) == ("2026-02-26", "3.12")
    assert image.packages["torch"] == "2.10.0+cu128"
    assert "google-cloud-bigquery-storage" not in image.packages
    assert {of for of in image.modules.values() if of} <= image.packages.keys()


@pytest.mark.parametrize(
    ("python", "has", "lacks"),
    [
        ("3.11", ["imp", "distutils", "cgi", "tomllib"], ["annotationlib"]),
        ("3.12", ["cgi", "json", "__future__"], ["imp", "distutils", "asyncore", "annotationlib"]),
        ("3.13", ["json", "_interpreters"], ["imp", "cgi", "telnetlib", "_sha256"]),
        ("3.14", ["annotationlib", "compression"], ["imp", "cgi"]),
        ("3.99", ["annotationlib", "compression"], ["imp", "cgi"]),
    ],
)
def test_the_standard_library_of_another_python(python: str, has: list[str], lacks: list[str]) -> None:
    """Modules come and go with versions; what counts is the image's."""
    names = standard_library(python)
    assert names.issuperset(has)
    assert not names.intersection(lacks)


def test_when_a_module_left_the_standard_library() -> None:
    """For the message: 3.12 and 3.13 removed some."""
    assert [removed_in(name) for name in ("imp", "cgi", "json")] == ["3.12", "3.13", None]


def test_distutils_is_there_with_setuptools() -> None:
    """Python 3.12 has no distutils of its own; setuptools puts its copy in."""
    image = shipped_image()
    without = Image(image.date, image.python, "", {}, image.modules)
    assert (image.has_module("distutils"), without.has_module("distutils")) == (True, False)


@pytest.fixture
def coord(tiny: Project) -> Coord:
    """`coord` in the tiny project."""
    return Coord(tiny.root, dict(os.environ))


def test_the_probe_tells_what_this_python_has(coord: Coord, tmp_path: Path) -> None:
    """Run as a program: versions, modules called otherwise, modules of no distribution; not what lies beside it."""
    assert coord("image", "probe", "-o", "probe.py").stdout == "probe.py\n"
    assert coord("image", "probe").stdout == (coord.root / "probe.py").read_text()
    (coord.root / "beside.py").touch()
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "nobodys.py").touch()
    log = subprocess.run(
        [sys.executable, str(coord.root / "probe.py")],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": str(tmp_path / "site")},
    ).stdout
    assert log.count("\n") == 1
    image = _read("starting\n" + log)
    assert image.python == f"3.{sys.version_info[1]}"
    assert image.has_module("yaml")
    assert image.distribution_of("yaml") == "pyyaml"
    assert image.has_module("jinja2")
    assert "jinja2" not in image.modules
    assert image.modules["nobodys"] is None
    assert not image.has_module("beside")


def _kaggle_array(text: str) -> str:
    # As Kaggle cuts it: record borders are not line borders.
    pieces = [text[start : start + 7] for start in range(0, len(text), 7)]
    return json.dumps([{"stream_name": "stdout", "time": 0.5, "data": piece} for piece in pieces])


def _kaggle_lines(text: str) -> str:
    records = [{"stream_name": "stdout", "time": 0.5, "data": f"{line}\n"} for line in text.splitlines()]
    return "[" + "\n,".join(json.dumps(record) for record in records) + "\n]"


def _json_lines(text: str) -> str:
    return "\n".join(json.dumps({"stream_name": "stdout", "data": f"{line}\n"}) for line in text.splitlines())


def _fetched(text: str) -> str:
    return json.dumps([{"stream": "stdout", "time": 0.5, "data": text}])


@pytest.mark.parametrize("form", [str, _kaggle_array, _kaggle_lines, _json_lines, _fetched])
def test_what_pip_freeze_printed_is_found_in_any_log(form: Callable[[str], str]) -> None:
    """Among other output; a version may be unknown; import names and Kaggle's own modules are the shipped table's."""
    lines = [
        "Python 3.13.2",
        "numpy==0.1 is old",
        "scikit-learn==1.6.1",
        "loading",
        "# Editable install",
        *FROZEN,
        "opencv-python==4.13.0.92",
        "en_core_web_sm @ https://example.org/en_core_web_sm-3.8.0-py3-none-any.whl#sha256=19",
        "-e git+https://example.org/helper@8615a7f#egg=bq_helper",
        "torch==2.10.0+cu128",
        "epoch 1",
    ]
    image = _read(form("\n".join(lines) + "\n"))
    assert (image.date, image.python) == ("2026-11-01", "3.13")
    assert len(image.packages) == len(FROZEN) + 4
    assert image.packages["torch"] == "2.10.0+cu128"
    assert image.packages["en-core-web-sm"] is None
    assert "bq-helper" in image.packages
    assert image.has_module("cv2")
    assert image.has_module("kaggle_secrets")
    assert not image.has_module("sklearn")


def test_what_pip_list_printed_is_found() -> None:
    """With its column of editable projects; the Python is the shipped table's where nobody says it."""
    rows = ["Package    Version", "---------- -------", *(line.replace("==", "   ") for line in FROZEN)]
    image = _read("\n".join([*rows, "coord      0.1.0    /somewhere", "", "done 1.0"]))
    assert len(image.packages) == len(FROZEN) + 1
    assert (image.packages["coord"], image.python) == ("0.1.0", shipped_image().python)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "has no list of packages"),
        ("Collecting einops\nnumpy==2.0\n", "has no list of packages"),
        ("[]", "has no list of packages"),
        (PREFIX + '{"date": "2026-', "the probe's line is not whole"),
        (PREFIX + '{"date": "2026-01-01", "python": "3", "packages": {}, "modules": {}}', "python must be a version"),
        (PREFIX + '{"date": "2026-01-01", "python": "3.12", "packages": [], "modules": {}}', "is not whole"),
    ],
)
def test_a_log_without_a_list_is_refused(text: str, message: str) -> None:
    """A table of next to nothing would refuse every import."""
    with pytest.raises(ProjectError) as caught:
        _read(text)
    assert message in caught.value.what
    assert caught.value.hint


def test_the_projects_own_table_comes_first(tiny: Project, tmp_path: Path) -> None:
    """`coord image refresh` writes it beside pyproject.toml, or where the settings say."""
    assert image_of(tiny) is shipped_image()
    log = tmp_path / "freeze.txt"
    log.write_text("\n".join(FROZEN))
    written = refresh_image(tiny, log, python="3.13")
    assert image_of(tiny) == written == read_image(tiny.root / "kaggle-image.json")
    assert written.python == "3.13"
    settings = tiny.pyproject.read_text().replace("[tool.coord]", '[tool.coord]\nimage = "other.json"')
    tiny.pyproject.write_text(settings)
    other = find_project(tiny.root)
    with pytest.raises(ProjectError, match=r'image = "other\.json": there is no such file'):
        image_of(other)
    refresh_image(other, log)
    assert image_of(other) == read_image(tiny.root / "other.json")


@pytest.mark.parametrize("text", ["{", "[]", '{"date": "x"}', '{"packages": 1}'])
def test_a_table_that_is_none_is_refused(tiny: Project, text: str) -> None:
    """With the file, and how to make it again."""
    tiny.image_table.write_text(text)
    with pytest.raises(ProjectError, match=r"kaggle-image\.json is not") as caught:
        image_of(tiny)
    assert caught.value.hint == "Make it again: coord image refresh LOG"


def test_the_commands(coord: Coord, tmp_path: Path) -> None:
    """show, show NAME, refresh: answers on stdout, exit code 1 for what is not there."""
    shown = coord("image", "show").stdout.splitlines()
    assert shown[0] == f"the image of 2026-02-26 (Python 3.12): {len(shipped_image().packages)} packages"
    assert shown[1] == "table   the one that coord ships"
    assert coord("image", "show", "cv2").stdout == "opencv-python 4.13.0.92, import cv2\n"
    assert coord("image", "show", "scikit-learn").stdout == "scikit-learn (version not known), import sklearn\n"
    assert coord("image", "show", "json").stdout == "import json: the standard library\n"
    found: Any = coord.json("image", "show", "PIL")
    assert found == {"distribution": "pillow", "version": "11.3.0", "modules": ["PIL"]}
    refused = coord("image", "show", "nump", code=1).stderr
    assert refused.startswith('coord: the image of 2026-02-26 (Python 3.12) has no nump (did you mean "numpy"?)')
    coord("image", "refresh", code=2)
    coord("image", "refresh", str(tmp_path / "nowhere"), code=1)
    (tmp_path / "freeze.txt").write_text("\n".join(FROZEN))
    assert coord("image", "refresh", str(tmp_path / "freeze.txt")).stdout == "kaggle-image.json\n"
    assert coord.json("image", "show")["packages"]["filler3"] == "1.3"
    coord("image", "refresh", str(tmp_path / "freeze.txt"), "--python", "three", code=1)


def test_the_log_of_a_fetched_run(coord: Coord) -> None:
    """A kernel that printed its packages is run on the local Kaggle and fetched; its log makes the table."""
    printed = "\\n".join(FROZEN)
    (coord.root / "tiny_model" / "train.py").write_text(f'print("Python 3.12.4\\n{printed}\\ndone")\n')
    coord("push", "--exp", "base", "--wait")
    assert "is not here" in coord("image", "refresh", "--exp", "base", code=1).stderr
    coord("fetch-results", "--exp", "base")
    said = coord("image", "refresh", "--exp", "base").stderr
    assert said.endswith(f"(Python 3.12): {len(FROZEN)} packages\n")
    coord("image", "refresh", "--exp", "base", "kernel.log", code=2)
