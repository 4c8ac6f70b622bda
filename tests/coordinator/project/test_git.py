"""The commit in a kernel's stamp, with real repositories: dirty exactly when the commit would not give the kernel."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from coordinator.bundle.bootstrap import stamp_of
from coordinator.project.git import commit
from coordinator.project.project import Project
from tests.coordinator.bundle.programs import write_files
from tests.coordinator.command import Coord

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="needs git")

NAMES = ("name=t", "email=t@example.org")


def _git(root: Path, *arguments: str) -> str:
    identity = [word for name in NAMES for word in ("-c", f"user.{name}")]
    command = ["git", "-C", str(root), *identity, "-c", "commit.gpgsign=false", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def _repository(root: Path) -> str:
    """Commits all that lies in the folder, and returns the commit."""
    _git(root, "init", "-q")
    _git(root, "add", "-A")
    _git(root, "commit", "-q", "-m", "x")
    return _git(root, "rev-parse", "HEAD")[:12]


def _change(root: Path) -> None:
    write_files(root, {"pack/train.py": "changed"})


def _stage(root: Path) -> None:
    _change(root)
    _git(root, "add", "-A")


def _untracked(name: str) -> Callable[[Path], None]:
    def change(root: Path) -> None:
        write_files(root, {name: "new"})

    return change


@pytest.mark.parametrize(
    ("change", "dirty"),
    [
        (lambda root: None, False),
        (_change, True),
        (_stage, True),
        (lambda root: (root / "notes.txt").unlink(), True),
        (lambda root: (root / "notes.txt").rename(root / "other.txt"), True),
        (lambda root: (root / "pack" / "train.py").chmod(0o755), True),
        (lambda root: os.utime(root / "pack" / "train.py", (1, 1)), False),
        (_untracked("data/big.bin"), False),
        (_untracked("pack/notes ü.txt"), False),
        (_untracked("pack/new ü.py"), True),
        (_untracked("pack/deep/er.py"), True),
    ],
)
@pytest.mark.parametrize("below", ["", "a folder/of it"])
def test_dirty_or_not(tmp_path: Path, change: Callable[[Path], None], dirty: bool, below: str) -> None:
    """Tracked files that differ count, and new files that go in; other new files and times do not.

    The project may be a folder of the repository.
    """
    root = write_files(tmp_path / below, {"pack/train.py": "x", "notes.txt": "x"})
    head = _repository(tmp_path)
    change(root)
    inputs = [root / name for name in ("pack/train.py", "pack/new ü.py", "pack/deep/er.py")]
    assert commit(root, inputs) == head + ("-dirty" if dirty else "")


def test_no_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing outside of a repository, before the first commit, in a broken one, or without git."""
    assert commit(tmp_path) is None
    _git(tmp_path, "init", "-q")
    assert commit(tmp_path) is None
    write_files(tmp_path, {"x": ""})
    head = _repository(tmp_path)
    assert commit(tmp_path) == head
    with monkeypatch.context() as patch:
        patch.setenv("PATH", "/nowhere")
        assert commit(tmp_path) is None
    (tmp_path / ".git" / "HEAD").write_text("nonsense")
    assert commit(tmp_path) is None


def test_a_linked_work_tree(tmp_path: Path) -> None:
    """There `.git` is a file."""
    head = _repository(write_files(tmp_path / "main", {"x": ""}))
    _git(tmp_path / "main", "worktree", "add", "-q", str(tmp_path / "other"))
    assert commit(tmp_path / "other") == head
    write_files(tmp_path / "other", {"x": "changed"})
    assert (commit(tmp_path / "other"), commit(tmp_path / "main")) == (f"{head}-dirty", head)


def test_it_is_in_the_way_of_nobody(tmp_path: Path) -> None:
    """The index stays as it is, byte for byte, though the files' times have changed; a held lock does not matter."""
    head = _repository(write_files(tmp_path, {"x": ""}))
    index = tmp_path / ".git" / "index"
    before = index.read_bytes()
    os.utime(tmp_path / "x", (1, 1))
    (tmp_path / ".git" / "index.lock").touch()
    assert commit(tmp_path) == head
    assert index.read_bytes() == before


def test_a_push_says_where_it_comes_from(tiny: Project) -> None:
    """The same string in the ledger and in the kernel's first line; what coord itself writes makes nothing dirty."""
    coord = Coord(tiny.root, dict(os.environ))
    head = _repository(tiny.root)
    write_files(tiny.root, {"experiments/mine.yaml": "base: base\n"})
    for name, version, expected in (("base", 1, head), ("base", 2, head), ("mine", 1, f"{head}-dirty")):
        coord("push", "--exp", name, "--wait", "--force")  # the same work three times
        assert coord.json("status")[0]["git"] == expected
        script = coord.session_root(f"tiny-{name}", version) / "src" / "script.py"
        assert stamp_of(script.read_text(encoding="utf-8"))["git"] == expected
