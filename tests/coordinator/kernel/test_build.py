"""A build: the same bytes every time, swapped in whole, and described by its manifest."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from coordinator.bundle.bootstrap import digest_of
from coordinator.errors import BundleError, CoordError, MetadataError
from coordinator.kernel.build import Build, build_kernel
from coordinator.project.experiment import resolve
from coordinator.project.project import Project, find_project
from tests import forked
from tests.coordinator.bundle.programs import run_kernel, write_files
from tests.paths import GOLDEN

GOLDEN_TINY = GOLDEN / "tiny"


def _build(project: Project, name: str = "base", *overrides: str) -> Build:
    return build_kernel(project, resolve(project, name, overrides))


def _content(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.iterdir()}


def _check_golden(name: str, text: str) -> None:
    file = GOLDEN_TINY / name
    if os.environ.get("GOLDEN") == "accept":
        file.write_text(text, encoding="utf-8")
    assert text == file.read_text(encoding="utf-8"), (
        f"{name} is not as it was. If the change is meant, run the tests once with GOLDEN=accept and look at the diff."
    )


def test_the_kernels_head_is_as_it_was(tiny: Project) -> None:
    """What a person sees first on Kaggle's page; the digest changes with every source and is left out."""
    head = _build(tiny, "crash").script.text.partition("\nFILES = {}")[0]
    _check_golden("kernel_head.txt", re.sub(r"sha256:[0-9a-f]{64}", "sha256:...", head) + "\n")


def test_the_metadata_is_as_it_was(tiny: Project) -> None:
    """The file that Kaggle's own command would read."""
    _check_golden("kernel-metadata.json", _build(tiny, "crash").metadata.text)


def test_twice_and_elsewhere_are_the_same_bytes(tiny: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second build, a copy of the project in another folder, another working directory: nothing differs."""
    first = _content(_build(tiny).directory)
    assert set(first) == {"kernel.py", "kernel-metadata.json", "manifest.json"}
    assert _content(_build(tiny).directory) == first
    copy = tmp_path / "quite" / "another place"
    shutil.copytree(tiny.root, copy, ignore=shutil.ignore_patterns("build", ".coord"))
    for file in copy.rglob("*"):
        os.utime(file, (1, 1))
    monkeypatch.chdir("/")
    assert _content(_build(find_project(copy)).directory) == first


def test_the_manifest_describes_the_kernel(tiny: Project) -> None:
    """Every source with its size and digest, the config as it was resolved, and the digest of the script."""
    built = _build(tiny, "base", "optim.lr=0.5")
    manifest = json.loads((built.directory / "manifest.json").read_text())
    assert manifest == built.manifest
    text = built.code_file.read_text(encoding="utf-8")
    assert manifest["digest"] == digest_of(text) == built.script.digest
    assert manifest["bytes"] == built.code_file.stat().st_size
    assert (manifest["experiment"], manifest["form"], manifest["entry"]) == ("base", "text", "tiny_model.train")
    assert manifest["config"]["optim"]["lr"] == 0.5
    assert manifest["overrides"] == ["optim.lr=0.5"]
    package = sorted(path for path in (tiny.root / "tiny_model").rglob("*") if path.is_file())
    assert manifest["files"] == [
        {
            "path": path.relative_to(tiny.root).as_posix(),
            "bytes": path.stat().st_size,
            "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        }
        for path in package
    ]


def test_the_built_file_runs(tiny: Project, tmp_path: Path) -> None:
    """build/base/kernel.py is a program that reports under the manifest's digest."""
    built = _build(tiny)
    ran = run_kernel(built.code_file.read_text(encoding="utf-8"), tmp_path / "session")
    assert ran.code == 0, ran.err
    summary = json.loads((tmp_path / "session" / "working" / "metrics.json").read_text())
    assert (summary["status"], summary["digest"]) == ("complete", built.script.digest)
    assert ran.temporary == ()


@pytest.mark.parametrize(
    ("path", "content", "error"),
    [
        ("tiny_model/train.py", "def f(:\n", BundleError),
        ("tiny_model/.env", "x", BundleError),
        ("experiments/ba-se.yaml", "kernel: {title: tiny base}", MetadataError),
    ],
)
def test_a_build_that_fails_leaves_the_last_one(
    tiny: Project, path: str, content: str, error: type[CoordError]
) -> None:
    """Nothing is written before everything has been checked, and nothing is left lying about."""
    before = _content(_build(tiny).directory)
    write_files(tiny.root, {path: content})
    with pytest.raises(error):
        _build(tiny, "base", "seed=7")
    assert _content(tiny.build("base")) == before
    assert [entry.name for entry in tiny.build("base").parent.iterdir()] == ["base"]


def test_a_build_replaces_the_folder_as_a_whole(tiny: Project) -> None:
    """Files that somebody put there, and what a killed build left beside it, are gone after the next one."""
    directory = _build(tiny).directory
    write_files(directory.parent, {"base/stale.py": "", ".base.new/x": "", ".base.old/x": ""})
    _build(tiny)
    assert set(_content(directory)) == {"kernel.py", "kernel-metadata.json", "manifest.json"}
    assert [entry.name for entry in directory.parent.iterdir()] == ["base"]


def test_builds_at_the_same_time(tiny: Project) -> None:
    """Processes that build one experiment over and over end well, and leave one whole build."""
    code = (
        "from coordinator.kernel import build_kernel\nfrom coordinator.project import find_project, resolve\n"
        "project = find_project()\n"
        "experiment = resolve(project, 'base')\nprint('ready', flush=True)\ninput()\n"
        "for _ in range(30):\n    build_kernel(project, experiment)\n"
    )
    pipe = subprocess.PIPE
    running = [
        forked.start([sys.executable, "-c", code], cwd=tiny.root, stdin=pipe, stdout=pipe, stderr=pipe, text=True)
        for _ in range(3)
    ]
    for process in running:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in running:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    ended = [(process.communicate(timeout=60)[1], process.returncode) for process in running]
    assert ended == [("", 0)] * 3
    assert _content(tiny.build("base")) == _content(_build(tiny).directory)
    assert [entry.name for entry in tiny.build("base").parent.iterdir()] == ["base"]


def test_a_build_without_an_owner(tiny: Project) -> None:
    """Building needs no account: the owner is put in at the push."""
    settings = tiny.pyproject.read_text().replace('owner = "ada"\n', "")
    write_files(tiny.root, {"pyproject.toml": settings})
    assert _build(find_project(tiny.root)).metadata.data["id"] == "OWNER/tiny-base"


def test_what_stays_out_is_said(tiny: Project) -> None:
    """Ignored data of the package would be missed only in the kernel."""
    write_files(tiny.root, {".gitignore": "*.bin\n", "tiny_model/weights.bin": ""})
    assert build_kernel(tiny, resolve(tiny, "base", ())).notes == ("left out as ignored: tiny_model/weights.bin",)
