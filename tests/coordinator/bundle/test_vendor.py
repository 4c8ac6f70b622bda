"""Installed distributions as files of the bundle: whole, the same everywhere, and only if they can work there."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from importlib.metadata import distribution
from pathlib import Path

import pytest

from coordinator.bundle.files import SourceFile
from coordinator.bundle.image import Image, shipped_image
from coordinator.bundle.vendor import Vendored, vendored
from coordinator.errors import BundleError
from tests.coordinator.bundle.distributions import install
from tests.coordinator.bundle.programs import script_of

IMAGE = Image("2026-01-01", "3.12", "made up", {"numpy": "2.0.2", "torch": None}, {})


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that this Python finds distributions in."""
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(folder)
    return folder


def _vendor(tmp_path: Path, *names: str, extra: tuple[str, ...] = ()) -> Vendored:
    return vendored(tmp_path / "project", names, image=IMAGE, extra=extra)


def _error(tmp_path: Path, *names: str) -> BundleError:
    with pytest.raises(BundleError) as caught:
        _vendor(tmp_path, *names)
    return caught.value


def _paths(found: Vendored) -> list[str]:
    return [file.path for file in found.files]


PROGRAM = """
import importlib.metadata, importlib.resources, json, pathlib
import markdown_it
from markdown_it.presets import commonmark
html = markdown_it.MarkdownIt("commonmark").render("[a *b*](<http://x/ y>)")
files = {path.name for path in pathlib.Path(markdown_it.__file__).parent.parent.glob("*.dist-info/**/*")}
print(json.dumps([html, importlib.metadata.version("markdown-it-py"), importlib.metadata.version("mdurl"),
    importlib.resources.files("markdown_it").joinpath("port.yaml").is_file(), "RECORD" in files,
    any("LICENSE" in name for name in files)]))
"""


def _run_alone(tmp_path: Path, found: Vendored) -> subprocess.CompletedProcess[str]:
    """The program in a kernel, run by a Python without site-packages."""
    script = script_of({"pack/train.py": PROGRAM, **{file.path: file.data for file in found.files}})
    kernel = tmp_path / "kernel.py"
    kernel.write_text(script.text, encoding="utf-8")
    return subprocess.run(
        [sys.executable, "-I", "-S", str(kernel)], capture_output=True, text=True, check=False, cwd=tmp_path
    )


def test_a_real_distribution_works_in_the_kernel(tmp_path: Path) -> None:
    """markdown-it-py and what it needs, on a Python that has neither: modules, package data, metadata, licences."""
    found = vendored(tmp_path, ["markdown-it-py", "mdurl"], image=IMAGE)
    assert found.modules == {"markdown_it", "mdurl"}
    done = _run_alone(tmp_path, found)
    assert done.returncode == 0, done.stderr
    versions = [distribution(name).version for name in ("markdown-it-py", "mdurl")]
    html = '<p><a href=\\"http://x/%20y\\">a <em>b</em></a></p>\\n'
    assert done.stdout == f'["{html}", "{versions[0]}", "{versions[1]}", true, false, true]\n'


def test_without_it_the_program_fails(tmp_path: Path) -> None:
    """So the test above cannot find the packages of this machine."""
    done = _run_alone(tmp_path, Vendored())
    assert done.returncode == 1
    assert "No module named 'markdown_it'" in done.stderr


def test_what_it_needs_must_be_there(tmp_path: Path) -> None:
    """Requirements that the image does not have are named; vendoring them is enough."""
    said = _error(tmp_path, "markdown-it-py").what
    version = distribution("markdown-it-py").version
    assert said.splitlines()[1:] == [
        f"  markdown-it-py {version} needs mdurl~=0.1, which is neither in the image nor vendored"
    ]
    assert _vendor(tmp_path, "markdown-it-py", extra=("mdurl",)).modules == {"markdown_it"}
    assert vendored(tmp_path, ["markdown-it-py"], image=shipped_image()).modules == {"markdown_it"}
    assert "mdurl" in shipped_image().packages


def test_without_an_image_what_it_needs_is_said(tmp_path: Path, site: Path) -> None:
    """Nobody knows what will be there: no reason to refuse. Markers are asked of this Python."""
    requires = ["other>=2", "never; python_version < '3'", "always; sys_platform == '" + sys.platform + "'"]
    install(site, "wants", files={"wants.py": ""}, requires=requires, python=">=99")
    found = vendored(tmp_path, ["wants"])
    assert found.modules == {"wants"}
    assert found.needs == (
        "wants 1.0 needs other>=2, which is not vendored",
        "wants 1.0 needs always, which is not vendored",
    )
    install(site, "other", "2.0", files={"other.py": ""})
    assert len(vendored(tmp_path, ["wants", "other"]).needs) == 1


def test_the_files_of_a_distribution(tmp_path: Path, site: Path) -> None:
    """As installed, data and licences included; without what only the installation has. Sorted, whatever the record."""
    install(
        site,
        "some-thing",
        "1.5",
        files={
            "some_thing/__init__.py": "x = 1\n",
            "some_thing/data/words.bin": b"\0\xff",
            "some_thing/py.typed": "",
            "some_thing/__pycache__/__init__.cpython-311.pyc": b"\0",
            "_some_helper.py": "",
            "../bin/some-thing": "#!/bin/sh\n",
            "../share/man/some.1": "",
        },
        info={
            "licenses/LICENSE": "MIT",
            "entry_points.txt": "[console_scripts]\nsome=some_thing:main\n",
            "REQUESTED": "",
            "direct_url.json": '{"url": "https://example.org/x.whl", "archive_info": {}}',
        },
    )
    found = _vendor(tmp_path, "Some.Thing==1.5")
    assert _paths(found) == [
        "_some_helper.py",
        "some_thing-1.5.dist-info/METADATA",
        "some_thing-1.5.dist-info/WHEEL",
        "some_thing-1.5.dist-info/entry_points.txt",
        "some_thing-1.5.dist-info/licenses/LICENSE",
        "some_thing/__init__.py",
        "some_thing/data/words.bin",
        "some_thing/py.typed",
    ]
    assert SourceFile("some_thing/data/words.bin", b"\0\xff") in found.files
    assert found.modules == {"_some_helper", "some_thing"}
    assert _vendor(tmp_path, "some_thing") == found


@pytest.mark.parametrize(
    ("name", "what", "hint"),
    [
        ("no-such-thing", 'vendor: "no-such-thing" is not installed here', "Run: pip install 'no-such-thing'"),
        ("there==2", 'vendor: "there==2", but there 1.0 is installed here', "Run: pip install 'there==2'"),
        ("there ==", 'vendor: "there ==" is not a distribution', None),
        ("there; python_version > '3'", "must be a name", None),
        ("there @ https://example.org/x.whl", "must be a name", None),
    ],
)
def test_names_that_mean_nothing_here(tmp_path: Path, site: Path, name: str, what: str, hint: str | None) -> None:
    """What is not installed, is another version, or is no name."""
    install(site, "there", files={"there.py": ""})
    said = _error(tmp_path, name)
    assert what in said.what
    assert said.hint == hint


@pytest.mark.parametrize(
    ("files", "info", "why"),
    [
        (
            {"bad/_c.cpython-311-x86_64-linux-gnu.so": ""},
            {},
            "is not pure Python (bad/_c.cpython-311-x86_64-linux-gnu.so)",
        ),
        ({"bad/lib/libx.so.1": ""}, {}, "is not pure Python (bad/lib/libx.so.1)"),
        ({"bad/_c.pyd": ""}, {}, "is not pure Python (bad/_c.pyd)"),
        ({}, {"WHEEL": "Root-Is-Purelib: false\n"}, "is not pure Python (its wheel was built for one platform)"),
        ({"bad.pth": "import bad\n"}, {}, "works only in site-packages (bad.pth is read when Python starts)"),
        (
            {"__editable__.bad.pth": "/src\n"},
            {"direct_url.json": '{"url": "file:///src", "dir_info": {"editable": true}}'},
            "is installed as editable: install it without -e, or put its source into the project",
        ),
    ],
)
def test_what_cannot_work_in_a_bundle(
    tmp_path: Path, site: Path, files: dict[str, str], info: dict[str, str], why: str
) -> None:
    """Compiled for one machine, read at start-up, or elsewhere: told with the file."""
    install(site, "bad", files={"bad/__init__.py": "", **files}, info=info)
    said = _error(tmp_path, "bad")
    assert said.what.splitlines()[1:] == [f"  bad 1.0 {why}"]
    assert "wheels" in (said.hint or "")


def test_a_distribution_without_a_record(tmp_path: Path, site: Path) -> None:
    """As other installers than pip leave it: nobody knows its files."""
    install(site, "bad", files={"bad.py": ""})
    (site / "bad-1.0.dist-info" / "RECORD").unlink()
    assert "was not installed from a wheel" in _error(tmp_path, "bad").what


def test_a_file_that_is_missing(tmp_path: Path, site: Path) -> None:
    """A broken installation is no bundle."""
    install(site, "half", files={"half.py": "", "half_too.py": ""})
    (site / "half_too.py").unlink()
    said = _error(tmp_path, "half")
    assert said.what.startswith("vendor: half 1.0 is not whole: half_too.py cannot be read")
    assert said.hint == "Run: pip install --force-reinstall 'half==1.0'"


def test_requirements_in_the_images_terms(tmp_path: Path, site: Path) -> None:
    """Markers are those of the image's Python on Linux; versions must fit where they are known; extras if asked for."""
    install(
        site,
        "wants",
        requires=[
            "tomli; python_version < '3.11'",
            "backport; python_version < '3.13'",
            "pywin32; sys_platform == 'win32'",
            "numpy>=2.1",
            "numpy>=1.26",
            "torch>=9",
            "more; extra == 'all'",
            "other>=2",
        ],
        python=">=3.13",
    )
    install(site, "other", "1.9")
    assert _error(tmp_path, "wants", "other").what.splitlines()[1:] == [
        "  wants 1.0 needs Python >=3.13, the image has 3.12",
        "  wants 1.0 needs backport, which is neither in the image nor vendored",
        "  wants 1.0 needs numpy>=2.1, but numpy 2.0.2 is there",
        "  wants 1.0 needs other>=2, but other 1.9 is there",
    ]
    assert "more, which" in _error(tmp_path, "wants[all]", "other").what
    newer = dataclasses.replace(IMAGE, python="3.13", packages={"numpy": "2.3", "torch": None, "other": None})
    assert vendored(tmp_path, ["wants"], image=newer).modules == set()


def test_metadata_older_than_its_rules(tmp_path: Path, site: Path) -> None:
    """A version or a Python that cannot be read is no reason to refuse; a requirement that cannot be read is one."""
    install(site, "old", "1.0-final-2", files={"old.py": ""}, python=">=3.6.*")
    assert _vendor(tmp_path, "old").modules == {"old"}
    install(site, "odd", files={"odd.py": ""}, requires=["numpy (>=1", "old>=1"])
    assert _error(tmp_path, "odd", "old").what.splitlines()[1:] == [
        "  odd 1.0 needs something that cannot be read: numpy (>=1"
    ]


@pytest.mark.parametrize("local", ["thing.py", "thing/__init__.py"])
def test_a_module_of_the_projects_own_is_not_hidden(tmp_path: Path, site: Path, local: str) -> None:
    """Which one would be imported must not be left to chance."""
    install(site, "the-thing", files={"thing/__init__.py": ""})
    (tmp_path / "project" / local).parent.mkdir(parents=True)
    (tmp_path / "project" / local).touch()
    said = _error(tmp_path, "the-thing").what
    assert said == f'vendor: the project has a module "thing" of its own ({local})'


def test_two_distributions_with_one_file(tmp_path: Path, site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same file is one; two that differ cannot both be there."""
    monkeypatch.syspath_prepend(tmp_path / "elsewhere")
    install(site, "one", files={"shared/__init__.py": "", "shared/one.py": ""})
    install(site, "two", files={"shared/__init__.py": "", "shared/two.py": ""})
    install(tmp_path / "elsewhere", "three", files={"shared/__init__.py": "x = 1\n"})
    assert {"shared/__init__.py", "shared/one.py", "shared/two.py"} < set(_paths(_vendor(tmp_path, "one", "two")))
    said = _error(tmp_path, "one", "three").what
    assert said == "vendor: shared/__init__.py is in two of the distributions, and not the same"
