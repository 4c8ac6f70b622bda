"""The kernel of a checkout with CR LF, which git makes on Windows, is that of one with LF.

Git itself makes both: core.autocrlf=true does on every system what it does on Windows.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from coordinator.bundle.line_ends import as_committed
from coordinator.bundle.sources import SourceFile
from coordinator.project.git import committed_with_lf
from coordinator.results.tracebacks import Sources
from tests.coordinator.command import Coord
from tests.paths import ROOT, SAMPLES

NOTEBOOK = json.dumps({"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}, indent=1) + "\n"
PACKED = {
    "notes.txt": b"one\ntwo\n",
    "values.yaml": b"a: 1\nb: |\n  two\n  lines\n",
    "study.ipynb": NOTEBOOK.encode(),
    "windows.csv": b"id,label\r\n1,2\r\n",  # in the repository with CR LF
    "mixed.txt": b"one\r\ntwo\n",
    "raw.bin": b"\0\r\n\n\xff",
}
TEMPLATE = ROOT / "kernel_templates" / "kernel.py.j2"


def git(folder: Path, *arguments: str) -> None:
    words = ["git", "-c", "user.name=a", "-c", "user.email=a@b", "-c", "core.safecrlf=false", *arguments]
    subprocess.run(words, cwd=folder, check=True, capture_output=True)


@pytest.fixture
def upstream(tmp_path: Path) -> Path:
    """The tiny project with files of many kinds in its package, and a template of its own, in a repository."""
    folder = tmp_path / "upstream"
    shutil.copytree(SAMPLES / "tiny", folder, ignore=shutil.ignore_patterns("__pycache__"))
    for name, data in PACKED.items():
        (folder / "tiny_model" / "data" / name).write_bytes(data)
    shutil.copytree(ROOT / "kernel_templates", folder / "templates")
    pyproject = folder / "pyproject.toml"
    pyproject.write_text(pyproject.read_text().replace("[tool.coord]\n", '[tool.coord]\ntemplates = "templates"\n', 1))
    git(folder, "init", "-q")
    git(folder, "-c", "core.autocrlf=false", "add", "-A")
    git(folder, "commit", "-qm", "all")
    return folder


def clone(upstream: Path, name: str, *, crlf: bool) -> Coord:
    folder = upstream.parent / name
    git(upstream.parent, "clone", "-q", "-c", f"core.autocrlf={str(crlf).lower()}", str(upstream), str(folder))
    train = (folder / "tiny_model" / "train.py").read_bytes()
    assert (b"\r\n" in train) == crlf
    return Coord(folder, dict(os.environ))


def test_both_checkouts_give_the_same_kernel(upstream: Path) -> None:
    """Byte for byte, with its digest; what the repository has with CR LF, and what is no text, keeps it."""
    found = []
    for name, crlf in (("lf", False), ("crlf", True)):
        coord = clone(upstream, name, crlf=crlf)
        coord("build", "--exp", "base")
        found.append((coord.root / "build" / "base" / "kernel.py").read_bytes())
        manifest = json.loads((coord.root / "build" / "base" / "manifest.json").read_text(encoding="utf-8"))
    assert found[0] == found[1]
    assert b"\r" not in found[1]
    assert manifest["digest"].encode() in found[0]
    assert b"utf-8 crlf" in found[0]  # windows.csv
    for name, data in PACKED.items():
        assert f"tiny_model/data/{name}".encode() in found[0], name
        if name in ("windows.csv", "mixed.txt", "raw.bin"):
            assert __import__("hashlib").sha256(data).hexdigest().encode() in found[0], name


@pytest.mark.parametrize(
    ("attributes", "autocrlf", "is_new", "becomes"),
    [
        ("", "true", True, True),
        ("", "input", True, True),
        ("", "false", True, False),
        ("* text=auto\n", "false", True, True),
        ("*.txt text\n", "false", True, True),
        ("*.txt eol=crlf\n", "false", True, True),
        ("*.txt text=auto eol=crlf\n", "false", False, True),
        ("*.txt -text\n", "true", True, False),
        ("*.txt binary\n", "true", True, False),
        ("", "true", False, True),
        ("", "false", False, False),
    ],
)
def test_it_is_as_git_would_commit_it(
    tmp_path: Path, attributes: str, autocrlf: str, *, is_new: bool, becomes: bool
) -> None:
    """Also a file that is not committed yet: what is said of it is what git then does."""
    git(tmp_path, "init", "-q")
    git(tmp_path, "config", "core.autocrlf", autocrlf)
    (tmp_path / "ä b.txt").write_bytes(b"one\n")
    (tmp_path / ".gitattributes").write_text(attributes)
    if not is_new:
        git(tmp_path, "add", "-A")
        git(tmp_path, "commit", "-qm", "all")
    data = b"one\r\ntwo\r\n"
    (tmp_path / "ä b.txt").write_bytes(data)
    (file,) = as_committed(tmp_path, tmp_path, [SourceFile("ä b.txt", data)])
    assert (file.data != data) == becomes
    git(tmp_path, "add", "-A")
    committed = subprocess.run(["git", "show", ":ä b.txt"], cwd=tmp_path, check=True, capture_output=True).stdout
    assert committed == file.data


def test_without_git_nothing_changes(tmp_path: Path) -> None:
    """There nobody says what was meant."""
    files = [SourceFile("a.py", b"a = 1\r\n")]
    assert as_committed(tmp_path, tmp_path, files) == tuple(files)
    (tmp_path / ".git").mkdir()
    assert committed_with_lf(tmp_path, ["a.py"]) == frozenset()


def test_many_files_are_asked_for_in_parts(tmp_path: Path) -> None:
    """Windows takes no longer command lines."""
    git(tmp_path, "init", "-q")
    git(tmp_path, "config", "core.autocrlf", "true")
    names = [f"{number:03}.txt" for number in range(250)]
    for name in names:
        (tmp_path / name).write_bytes(b"a\r\n")
    assert committed_with_lf(tmp_path, names) == frozenset(names)


@pytest.mark.parametrize(("here", "is_changed"), [(b"a\nb\n", False), (b"a\r\nb\r\n", False), (b"a\r\nc\r\n", True)])
def test_a_traceback_knows_a_source_with_other_line_ends(tmp_path: Path, here: bytes, *, is_changed: bool) -> None:
    """It has not changed since the push."""
    import hashlib

    (tmp_path / "a.py").write_bytes(here)
    sources = Sources(tmp_path, {"a.py": hashlib.sha256(b"a\nb\n").hexdigest()})
    place = sources.place('  File "/tmp/coord-x1/a.py", line 1, in f')
    assert place is not None
    assert place.is_changed == is_changed
