"""A project of another user above the working folder: its settings name code, which must not run unasked.

Seen: CVE-2022-24765 of git (a planted repository in a folder above); for projects, found by trying it on coord.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import pytest

from coordinator.errors import NoProject, ProjectError
from coordinator.project import find_project
from tests.coordinator.bundle.programs import write_files

pytestmark = pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="only root can give files away")
OTHER = 12345


def _project(root: Path) -> Path:
    """A project whose config module leaves a mark when it is imported."""
    return write_files(
        root,
        {
            "pyproject.toml": '[tool.coord]\nmodel_source = "pack"\nentry = "pack.train"\n'
            'config = "pack.config:Config"\ntemplates = "templates"\n',
            "pack/__init__.py": "",
            "pack/train.py": "",
            "pack/config.py": f"open({str(root / 'ran')!r}, 'w')\n",
            "templates/kernel.py.j2": "",
            "experiments/base.yaml": "",
            "work/mine/x": "",
        },
    )


def _given(root: Path, names: Iterable[str], owner: int = OTHER) -> None:
    for name in names:
        os.chown(root / name, owner, owner, follow_symlinks=False)


@pytest.mark.parametrize(
    "theirs",
    ["", "pyproject.toml", "pack", "pack/config.py", "pack/__init__.py", "pack/train.py", "templates", "experiments"],
)
@pytest.mark.parametrize("start", ["work/mine", "."])
def test_another_users_project_is_refused_with_the_line_that_allows_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, theirs: str, start: str
) -> None:
    """Whatever of it is theirs: the folder, the settings, or only the code that they name."""
    monkeypatch.delenv("SUDO_UID", raising=False)
    root = _project(tmp_path / "a project")
    _given(root, [theirs])
    with pytest.raises(ProjectError, match="belongs to another user") as caught:
        find_project(root / start)
    assert not isinstance(caught.value, NoProject)
    assert str(root / theirs) in caught.value.what
    assert not (root / "ran").exists()
    assert caught.value.hint == f"If you trust it: export COORD_TRUST='{root}'"
    monkeypatch.setenv("COORD_TRUST", f"/elsewhere:{root}")
    assert find_project(root / start).root == root


def test_a_link_counts_with_what_it_leads_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A link of ours to their file, and a link of theirs to our file."""
    monkeypatch.delenv("SUDO_UID", raising=False)
    for owner_of_link, owner_of_file in ((0, OTHER), (OTHER, 0)):
        root = _project(tmp_path / str(owner_of_link))
        (root / "pack" / "config.py").rename(root / "real.py")
        (root / "pack" / "config.py").symlink_to(root / "real.py")
        _given(root, ["pack/config.py"], owner_of_link)
        _given(root, ["real.py"], owner_of_file)
        with pytest.raises(ProjectError, match="belongs to another user"):
            find_project(root)


@pytest.mark.parametrize("trust", ["", ":", "/", "/nowhere", "relative", "*"])
def test_what_does_not_allow_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trust: str) -> None:
    """Only the project's own root does: not a folder above it, not an empty part."""
    monkeypatch.delenv("SUDO_UID", raising=False)
    root = _project(tmp_path)
    _given(root, ["pyproject.toml"])
    monkeypatch.setenv("COORD_TRUST", trust)
    with pytest.raises(ProjectError):
        find_project(root)


def test_ones_own_projects_are_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One's own, and with sudo those of the user who called it; other files in the folder may be anybody's."""
    root = _project(tmp_path)
    _given(root, ["work/mine/x"])
    assert find_project(root / "work").root == root
    _given(root, ["", "pyproject.toml", "pack", "pack/config.py"])
    monkeypatch.setenv("SUDO_UID", str(OTHER))
    assert find_project(root).root == root
