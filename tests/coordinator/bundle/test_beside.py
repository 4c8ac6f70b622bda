"""Sources that lie in a data set beside the script: found in every layout, checked, compared and pushed."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from coordinator.bundle import beside
from coordinator.bundle.files import SourceFile
from coordinator.bundle.reader import read_kernel
from coordinator.bundle.script import Content, Script, render_script
from coordinator.errors import BundleError
from coordinator.kernel.build import build_kernel
from coordinator.kernel.work import digest_of_work
from coordinator.project.experiment import resolve
from coordinator.project.project import find_project
from coordinator.project.shipped import default_template
from tests.coordinator.bundle.programs import run_kernel, write_files
from tests.coordinator.command import Coord, delete_kernels

FILES = [
    SourceFile(
        "pack/train.py", b"from pack import data\nfrom pathlib import Path\nprint('ran', data.A, Path.cwd().name)\n"
    ),
    SourceFile("pack/data.py", "A = 'ä'\r\n".encode()),
    SourceFile("pack/__init__.py", b""),
    SourceFile("pack/raw.bin", bytes(range(256))),
]
PLACES = {
    "2026": "datasets/ada/{slug}",
    "before": "{slug}",
    "any other": "some/where/{slug}",
}


def _rendered() -> Script:
    return render_script(default_template("kernel.py.j2"), Content("pack.train", FILES), form="dataset")


def _mounted(script: Script, folder: Path) -> None:
    assert script.beside
    write_files(folder, dict(script.beside.files))


@pytest.mark.parametrize("place", PLACES)
def test_the_sources_are_found_where_kaggle_mounts_them(tmp_path: Path, place: str) -> None:
    """Whoever owns the data set, which the script does not name; another one of that name does not count."""
    script = _rendered()
    assert script.beside
    folder = PLACES[place].format(slug=script.beside.slug)
    _mounted(script, tmp_path / "input" / folder)
    (tmp_path / "input" / "datasets" / "bob" / script.beside.slug).mkdir(parents=True)
    ran = run_kernel(script.text, tmp_path)
    assert (ran.code, ran.out) == (0, "ran ä working\n")
    assert b"ran" not in script.text.encode().split(b"coord's bootstrap")[0]


def test_a_folder_beside_the_script_will_do(tmp_path: Path) -> None:
    """So the kernel in build/ runs as it is, on any machine."""
    script = _rendered()
    assert script.beside
    _mounted(script, tmp_path / "src" / script.beside.slug)
    (tmp_path / "src" / "script.py").write_text(script.text)
    environment = {**os.environ, "COORD_KAGGLE_ROOT": str(tmp_path / "nothing")}
    done = subprocess.run(
        [sys.executable, "src/script.py"], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert done.stdout.startswith("ran ä"), done.stderr


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda text: text[:-40], "the sources are damaged"),
        (lambda text: _other_sources(), "is not what was bundled"),
        (None, "is not attached to this kernel"),
    ],
    ids=["cut", "of other sources", "missing"],
)
def test_what_is_attached_must_be_what_was_built(tmp_path: Path, damage: object, says: str) -> None:
    """Each file has the digest that the script states, or nothing runs; what is attached is listed."""
    script = _rendered()
    assert script.beside
    (tmp_path / "input" / "datasets" / "ada" / "other").mkdir(parents=True)
    if callable(damage):
        text = damage(script.beside.files[beside.SOURCES_FILE].decode())
        write_files(tmp_path / "input" / script.beside.slug, {beside.SOURCES_FILE: text})
    ran = run_kernel(script.text, tmp_path)
    assert ran.code == 1
    assert says in ran.err
    assert "Traceback" not in ran.err
    if damage is None:
        assert "datasets/ada/other" in ran.err


def _other_sources() -> str:
    changed = [SourceFile(file.path, file.data + b"\n") for file in FILES]
    script = render_script(default_template("kernel.py.j2"), Content("pack.train", changed), form="dataset")
    assert script.beside
    return script.beside.files[beside.SOURCES_FILE].decode()


def test_it_reads_back_with_and_without_its_data_set(tmp_path: Path) -> None:
    """The digests are in the script; the files are, if their folder lies beside it."""
    script = _rendered()
    assert script.beside
    digests = {file.path: file.sha256 for file in FILES}
    alone = read_kernel(script.text.encode(), "kernel.py", tmp_path)
    assert (alone.form, alone.listed, alone.files, alone.damaged) == ("dataset", digests, (), {})
    _mounted(script, tmp_path / script.beside.slug)
    whole = read_kernel(script.text.encode(), "kernel.py", tmp_path)
    assert whole.files == tuple(sorted(FILES, key=lambda file: file.path))
    away = script.text.replace(script.beside.slug, "../away")
    with pytest.raises(BundleError, match="is the name of no data set"):
        read_kernel(away.encode(), "kernel.py", tmp_path)


@pytest.fixture
def coord(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Coord]:
    """`coord` in a project that is too large for a script, of which less is enough here."""
    monkeypatch.setattr("coordinator.bundle.script.SOURCE_MAX", 40_000)
    root = write_files(
        tmp_path / "project",
        {
            "pyproject.toml": '[tool.coord]\ntarget = "local"\nentry = "train.py"\ninclude = ["w.bin"]\n'
            'large = "dataset"\n',
            "experiments/first.yaml": "config: {rate: 2}\n",
            "experiments/second.yaml": "base: first\nconfig: {rate: 3}\n",
            "train.py": "from pathlib import Path\nprint('bytes', Path('w.bin').stat().st_size)\n",
            "w.bin": random.Random(0).randbytes(60_000),
        },
    )
    coord = Coord(root, dict(os.environ))
    yield coord
    delete_kernels(root / ".coord" / "local-kaggle")


def test_a_large_project_is_built_run_and_pushed(coord: Coord) -> None:
    """The data set first, then the kernel; experiments with the same sources share it."""
    told = coord.here("build", "--exp", "first").output
    project = find_project(coord.root)
    first = build_kernel(project, resolve(project, "first"))
    second = build_kernel(project, resolve(project, "second"))
    assert first.script.beside
    slug = first.script.beside.slug
    assert f"they went into the data set {slug}" in told
    assert [each.slug for each in second.datasets] == [slug]
    assert first.code_file.stat().st_size < 30_000
    assert coord.here("build", "--exp", "first", "--check").output.startswith("build/first/kernel.py is what")
    assert "bytes 60000" in coord.here("dry-run", "--exp", "first").output
    pushed = coord.here("push", "--exp", "first", "--exp", "second", "--wait").output
    assert pushed.index(f"local has local/{slug} v1") < pushed.index("pushing local/first")
    assert f"local/{slug} v1 has this content already: not sent again" in pushed
    assert pushed.count("bytes 60000") == 2
    assert "first local-v1 has done the same" in coord.here("push", "--exp", "first").output


def test_without_the_setting_it_is_refused(coord: Coord) -> None:
    """The message names the setting."""
    settings = coord.root / "pyproject.toml"
    settings.write_text(settings.read_text().replace('large = "dataset"\n', ""))
    told = coord.here("build", "--exp", "first", code=1).output
    assert "do not fit into Kaggle's 40,000 bytes, not even compressed" in told
    assert 'large = "dataset" in [tool.coord]' in told


def test_the_work_is_that_of_the_files() -> None:
    """Where they lie makes no difference, nor who owns the data set."""

    def work(*sources: str) -> str:
        return digest_of_work({"a.py": "0"}, {}, {"dataset_sources": list(sources)})

    assert work("ada/own") == work("ada/own", "OWNER/coord-sources-0123456789ab")
    assert work("ada/own") == work("ada/own", "ada/coord-wheels-0123456789ab")
    assert work("ada/own") != work("ada/own", "ada/coord-wheels-mine")


def test_bundle_writes_the_folder_beside_the_script(tmp_path: Path) -> None:
    """`coord bundle --form dataset`; the script then runs where it lies."""
    write_files(tmp_path / "program", {"main.py": "import part\nprint('part', part.A)\n", "part.py": "A = 1\n"})
    coord = Coord(tmp_path / "program", dict(os.environ))
    (tmp_path / "made").mkdir()
    told = coord.here("bundle", "main.py", "-o", "../made/kernel.py", "--form", "dataset").output
    (folder,) = (each for each in (tmp_path / "made").iterdir() if each.is_dir())
    assert f"{folder.name}/ has the files: push it as a data set" in told
    done = subprocess.run([sys.executable, "kernel.py"], cwd=tmp_path / "made", capture_output=True, text=True)
    assert done.stdout == "part 1\n", done.stderr
    refused = coord.here("bundle", "main.py", "-o", "-", "--form", "dataset", code=2).output
    assert "writes a folder beside the script" in refused
