"""The small data of a dry run are made, and made again when what makes them has changed."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from coordinator.errors import ProjectError
from coordinator.project.project import Project, find_project
from coordinator.runs.sample_data import ready_sample_data
from tests.coordinator.bundle.programs import write_files

SETTINGS = """[tool.coord]
entry = "train.py"
[tool.coord.dry_run]
input = "small"
prepare = {prepare}
"""
MAKE = """import sys
from pathlib import Path
from tools.sizes import SIZE
folder = Path(sys.argv[1])
folder.mkdir()
(folder / "x.txt").write_text(str(SIZE))
"""
FILES = {
    "train.py": "import os\n",
    "make.py": MAKE,
    "tools/__init__.py": "",
    "tools/sizes.py": "SIZE = 3\n",
    "tools/other.py": "",
    "sizes.json": "{}",
}
SCRIPT = '["make.py", "small", "sizes.json"]'
MODULE = '["-m", "make", "small"]'
Change = Callable[[Path], None]


def _project(folder: Path, prepare: str = SCRIPT) -> Project:
    return find_project(write_files(folder, {"pyproject.toml": SETTINGS.format(prepare=prepare), **FILES}))


def _ready(project: Project) -> list[str]:
    said: list[str] = []
    ready_sample_data(project, project.root / "small", said.append)
    return said


def _edit(name: str, old: str, new: str) -> Change:
    def change(root: Path) -> None:
        text = (root / name).read_text(encoding="utf-8")
        (root / name).write_text(text.replace(old, new), encoding="utf-8")
        # Python tells an edited module from its compiled form by its size and the second of its change.
        later = (root / name).stat().st_mtime + 2
        os.utime(root / name, (later, later))

    return change


@pytest.mark.parametrize(
    ("prepare", "change", "is_remade"),
    [
        (SCRIPT, _edit("make.py", "str(SIZE)", "str(SIZE + 1)"), True),
        (SCRIPT, _edit("tools/sizes.py", "3", "4"), True),
        (SCRIPT, _edit("sizes.json", "{}", "{1: 2}"), True),
        (SCRIPT, _edit("pyproject.toml", '"small", ', '"small", "--all", '), True),
        (SCRIPT, _edit("tools/other.py", "", "x = 1\n"), False),
        (SCRIPT, _edit("train.py", "os", "sys"), False),
        (SCRIPT, lambda root: os.utime(root / "make.py"), False),
        (MODULE, _edit("make.py", "str(SIZE)", "str(SIZE + 1)"), True),
        (MODULE, _edit("tools/sizes.py", "3", "4"), True),
        (MODULE, _edit("pyproject.toml", '"small"]', '"small", "--all"]'), True),
        (MODULE, _edit("sizes.json", "{}", "{1: 2}"), False),
    ],
)
def test_what_makes_it_has_changed(tmp_path: Path, prepare: str, change: Change, is_remade: bool) -> None:
    """The script or module, what it imports of the project, a file among its arguments, the command itself."""
    project = _project(tmp_path, prepare)
    assert _ready(project) == []
    assert _ready(project) == []
    made = (tmp_path / "small").stat().st_ino
    change(tmp_path)
    said = _ready(find_project(tmp_path))
    assert (len(said), (tmp_path / "small").stat().st_ino != made) == (int(is_remade), is_remade)
    assert all(line.startswith("small is made again: what makes it has changed (") for line in said)
    assert _ready(find_project(tmp_path)) == []
    assert [each.name for each in tmp_path.iterdir() if each.name.startswith(".")] == [".coord"]


def test_data_that_was_changed_since_is_kept(tmp_path: Path) -> None:
    """It may be the user's work; that it is old is said each time."""
    project = _project(tmp_path)
    _ready(project)
    (tmp_path / "small/mine.txt").write_text("mine", encoding="utf-8")
    assert _ready(project) == []
    _edit("tools/sizes.py", "3", "4")(tmp_path)
    for _ in range(2):
        (warning,) = _ready(project)
        assert warning.startswith("warning: small is old: what makes it has changed (make.py small sizes.json).")
    assert (tmp_path / "small/x.txt").read_text(encoding="utf-8") == "3"
    shutil.rmtree(tmp_path / "small")
    assert _ready(project) == []
    assert (tmp_path / "small/x.txt").read_text(encoding="utf-8") == "4"


def test_data_that_coord_did_not_make(tmp_path: Path) -> None:
    """Nothing is known of it: only a source that is newer than all of it tells that it may be old."""
    project = _project(tmp_path)
    write_files(tmp_path, {"small/x.txt": "by hand"})
    for name in FILES:
        os.utime(tmp_path / name, (1e9, 1e9))
    assert _ready(project) == []
    os.utime(tmp_path / "tools/sizes.py", (4e9, 4e9))
    (warning,) = _ready(project)
    assert warning.startswith("warning: small may be old: tools/sizes.py was changed after it.")
    assert (tmp_path / "small/x.txt").read_text(encoding="utf-8") == "by hand"


def test_the_old_data_comes_back_if_the_new_ones_cannot_be_made(tmp_path: Path) -> None:
    """And the next dry run tries again."""
    project = _project(tmp_path)
    _ready(project)
    _edit("make.py", "import sys", "import sys\nsys.exit(3)")(tmp_path)
    for _ in range(2):
        with pytest.raises(ProjectError, match=r"could not be made: python make.py small sizes.json ended with 3"):
            _ready(project)
        assert (tmp_path / "small/x.txt").read_text(encoding="utf-8") == "3"


@pytest.mark.parametrize(
    ("prepare", "what"),
    [
        ("[]", "input: there is no folder small"),
        ('["-c", "pass"]', "prepare made no folder small"),
        ('["gone.py"]', "could not be made: python gone.py ended with 2"),
    ],
)
def test_data_that_cannot_be_made(tmp_path: Path, prepare: str, what: str) -> None:
    """The message names the setting or the command."""
    with pytest.raises(ProjectError, match=what):
        _ready(_project(tmp_path, prepare))
