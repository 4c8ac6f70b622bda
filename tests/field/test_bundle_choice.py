"""Files that are left out or refused without reason: asked for, tracked by git, or nothing that a run would import.

Seen: found by trying it on coord.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from coordinator.bundle import shipped_image
from coordinator.bundle.sources import PLAIN, Selection, collect
from coordinator.bundle.syntax import check_syntax_of
from coordinator.bundle.third_party import lacking
from coordinator.errors import BundleError
from tests.coordinator.bundle.programs import write_files

PACK = {"pack/__init__.py": "", "pack/train.py": ""}


def _paths(root: Path, entry: str = "pack.train", selection: Selection = PLAIN) -> list[str]:
    return [file.path for file in collect(root, entry, selection)]


# An ignore file or an option, files, and what is asked for -> what goes in beside the package.
ASKED = [
    ("*.bin\n", {"pack/w.bin": "", "pack/v.bin": ""}, "pack/w.bin", ["pack/w.bin"]),
    ("settings.py\n", {"settings.py": "", "pack/train.py": "import settings\n"}, "settings.py", ["settings.py"]),
    ("lib/\n", {"lib/__init__.py": "", "pack/train.py": "import lib\n"}, "lib/*.py", ["lib/__init__.py"]),
    ("lib\n", {"lib/a.py": "", "lib/b.py": "", "pack/train.py": "import lib.a\n"}, "lib/a.py", ["lib/a.py"]),
    ("far.py\n", {"pack/far.py": "", "pack/train.py": "from . import far\n"}, "pack/far.py", ["pack/far.py"]),
    ("made/\n", {"pack/made/x": "", "pack/made/y": ""}, "pack/made/x", ["pack/made/x"]),
    ("*\n", {"pack/a/b/x.txt": ""}, "pack/a/b/*", ["pack/a/b/x.txt"]),
    (
        "far/\n",
        {"pack/far/__init__.py": "", "pack/far/m.py": "from . import n\n", "pack/far/n.py": ""},
        "pack/far/**/*",
        ["pack/far/__init__.py", "pack/far/m.py", "pack/far/n.py"],
    ),
]


@pytest.mark.parametrize("source", [".gitignore", ".coordignore", "--exclude"])
@pytest.mark.parametrize(("ignore", "files", "asked", "found"), ASKED)
def test_what_is_asked_for_is_not_ignored(
    tmp_path: Path, source: str, ignore: str, files: dict[str, str | bytes], asked: str, found: list[str]
) -> None:
    """--include takes ignored files in; an import of them is no error then, and others stay out."""
    write_files(tmp_path, {**PACK, **files, **({} if source == "--exclude" else {source: ignore})})
    selection = Selection(include=[asked, "pack/*.py"], exclude=[ignore.strip()] if source == "--exclude" else [])
    assert set(_paths(tmp_path, selection=selection)) == {*PACK, *found}


TRACKED = [
    ("*.bin\n", {"pack/w.bin": ""}),
    ("pack/data/\n", {"pack/data/a/x.txt": ""}),
    ("data\n!data/keep\n", {"pack/data/x.txt": ""}),
    ("settings.py\n", {"settings.py": "", "pack/train.py": "import settings\n"}),
    ("lib/\n", {"lib/__init__.py": "", "pack/train.py": "import lib\n"}),
    ("*\n", {"pack/über maß.txt": ""}),
]


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
@pytest.mark.parametrize("above", ["", "far/above"])
@pytest.mark.parametrize(("ignore", "files"), TRACKED)
def test_what_git_tracks_is_not_ignored(tmp_path: Path, ignore: str, files: dict[str, str | bytes], above: str) -> None:
    """As for git itself; what is untracked beside it is ignored, and .coordignore leaves out also what is tracked."""
    root = write_files(tmp_path / above, {**PACK, **files})
    write_files(tmp_path, {".gitignore": ignore})
    git = ["git", "-C", str(tmp_path)]
    subprocess.run([*git, "init", "-q"], check=True)
    subprocess.run([*git, "add", "--force", "--", str(root)], check=True)
    (folder,) = {(root / name).parent for name in files if name != "pack/train.py"}
    (folder / "untracked.bin").touch()
    write_files(tmp_path, {".gitignore": ignore + "untracked.bin\n"})
    assert set(_paths(root)) == {*PACK, *files}
    write_files(root, {".coordignore": "\n".join(name for name in files if name not in PACK)})
    if "pack/train.py" not in files:
        assert set(_paths(root)) == set(PACK)


BROKEN = {
    "old code": "print 'x'\n",
    "half": "def f(:\n",
    "a template": "import {{ module }}\n",
    "no UTF-8": b"x = '\xff'\n",
    "data": b"\0\1\2",
    "an unknown encoding": "# coding: klingon\n",
    "indentation": "if 1:\nx\n",
    "a conflict": "<<<<<<< HEAD\nx = 1\n=======\n",
}
UNREACHED = [
    ("pack/old.py", {}),
    ("pack/sub/old.py", {"pack/sub/__init__.py": ""}),
    ("pack/templates/model.py", {}),
    ("pack/tests/old.py", {"pack/train.py": "try:\n    import far\nexcept ImportError:\n    pass\n", "far.py": ""}),
    ("lib/old.py", {"lib/__init__.py": "", "lib/new.py": "", "pack/train.py": "from lib import new\n"}),
]
REACHED = [
    ("pack/old.py", "from . import old\n"),
    ("pack/old.py", "def f():\n    from .old import x\n"),
    ("pack/old.py", "import importlib\nimportlib.import_module('pack.old')\n"),
    ("pack/sub/old.py", "from pack.sub.old import x\n"),
    ("old.py", "import old\n"),
    ("pack/__init__.py", ""),
    ("pack/train.py", None),
]


@pytest.mark.parametrize("content", BROKEN.values(), ids=BROKEN)
@pytest.mark.parametrize(("path", "files"), UNREACHED)
def test_what_no_import_leads_to_may_be_no_python(
    tmp_path: Path, path: str, files: dict[str, str | bytes], content: str | bytes
) -> None:
    """A warning with the place; the file goes in as it is, and it is not compared with the image."""
    write_files(tmp_path, {**PACK, **files, path: content})
    said: list[str] = []
    found = collect(tmp_path, "pack.train", say=said.append)
    (file,) = (file for file in found if file.path == path)
    assert file.data == (content if isinstance(content, bytes) else content.encode())
    assert len(said) == 1
    assert said[0].startswith(f"warning: {path}:") or said[0].startswith(f"warning: {path} ")
    check_syntax_of("3.8", found)
    assert lacking(found, shipped_image(), entry="pack.train") == ()


@pytest.mark.parametrize("content", BROKEN.values(), ids=BROKEN)
@pytest.mark.parametrize(("path", "train"), REACHED)
def test_what_an_import_leads_to_must_be_python(
    tmp_path: Path, path: str, train: str | None, content: str | bytes
) -> None:
    """It would fail in the kernel, after the wait for a machine."""
    write_files(tmp_path, {**PACK, "pack/sub/__init__.py": "", "pack/train.py": train or "", path: content})
    with pytest.raises(BundleError) as caught:
        collect(tmp_path, "pack.train")
    assert caught.value.what.startswith(path)
