"""What editors and systems leave beside a user's files: in data, experiments, sources and results.

Seen: https://github.com/mxmlnkn/mfusepy/pull/27 (macOS' "._" files); the others by trying them on coord.
"""

from __future__ import annotations

from pathlib import Path

import pytest

import coordinator.files
import model_src.files
from coordinator.bundle.sources import Selection, collect
from coordinator.files import check_free
from coordinator.project import experiment_names, find_project
from model_src.data.inputs import find_inside
from model_src.data.pictures import find_dicoms
from tests.coordinator.bundle.programs import write_files

BINARY = b"\0\5\26\7\0\2\0\0Mac OS X        "
# Of each name: what is left beside train.py, base.yaml or ID.dcm.
BESIDE_A_FILE = [
    *("._{}", "{}~", ".{}.swp", ".{}.swo", ".{}.swn", "#{}#", ".#{}", "{}.orig", "{}.rej", "{}.bak", "{}.tmp", "~${}"),
    *(".{}.un~", "{}___jb_tmp___", "{}___jb_old___", ".~lock.{}#", "{}.BAK", "{}.Orig", "._{}.tmp"),
]
ALONE = [
    *(".DS_Store", ".ds_store", "Thumbs.db", "thumbs.db", "ehthumbs.db", "desktop.ini", "Desktop.ini", "4913"),
    *("Icon\r", ".directory", ".LSOverride", ".apdisk", ".nfs000000000000a1b2", ".fuse_hidden0000001a00000001"),
    *(".goutputstream-A1B2C3", ".smbdelete1", ".swp"),
]
FOLDERS = [
    *("__MACOSX", ".ipynb_checkpoints", ".Trashes", ".Trash-1000", ".Spotlight-V100", ".fseventsd", ".AppleDouble"),
    *("$RECYCLE.BIN", "System Volume Information", ".TemporaryItems"),
]
NAMES = [*BESIDE_A_FILE, *ALONE, *(f"{folder}/{{}}" for folder in FOLDERS)]
# Names of users that look a little like those.
KEPT = [
    "data.bin",
    "_private.txt",
    "__main__.py",
    "icon",
    "tmp",
    "bak",
    "swp.txt",
    "a.tmp.txt",
    "49130",
    "x#y",
    "backup",
]


def _ids(name: str) -> str:
    return ascii(name).strip("'")


@pytest.mark.parametrize("name", NAMES, ids=_ids)
def test_in_a_programs_sources(tmp_path: Path, name: str) -> None:
    """Beside a module, in its package and with its data: it is no part of the kernel, whose digest stays."""
    sources = {"main.py": "import pack\n", "pack/__init__.py": "", "pack/train.py": "", "pack/data/train.csv": "1\n"}
    write_files(tmp_path, dict(sources))
    for folder, beside in [("", "main.py"), ("pack", "train.py"), ("pack/data", "train.csv")]:
        write_files(tmp_path / folder, {name.format(beside): BINARY})
    assert {file.path for file in collect(tmp_path, "main.py")} == set(sources)
    reached = collect(tmp_path, "main.py", Selection(reached_only=True))
    assert [file.path for file in reached] == ["main.py", "pack/__init__.py"]
    write_files(tmp_path, {".git/config": ""})
    assert {file.path for file in collect(tmp_path, "main.py", Selection(include=["**/*"]))} == set(sources)


@pytest.mark.parametrize("name", NAMES, ids=_ids)
def test_in_a_folder_of_pictures(tmp_path: Path, name: str) -> None:
    """It is no picture, and no folder of pictures; whatever its content is, the run goes on."""
    write_files(
        tmp_path, {"test/a/ID.dcm": "", name.format("ID.dcm"): BINARY, f"test/a/{name.format('ID.dcm')}": BINARY}
    )
    assert list(find_dicoms(tmp_path)) == ["ID"]
    if "/" in name:
        folder = name.partition("/")[0]
        write_files(tmp_path, {f"{folder}/test/._ID.dcm": BINARY, f"{folder}/train.csv": "", "data/train.csv": ""})
        assert find_inside(tmp_path, "test") == tmp_path / "test"
        assert find_inside(tmp_path, "train.csv") == tmp_path / "data" / "train.csv"


@pytest.mark.parametrize("name", BESIDE_A_FILE, ids=_ids)
def test_among_the_experiments(tmp_path: Path, name: str) -> None:
    """It is no experiment."""
    write_files(
        tmp_path,
        {
            "pyproject.toml": "[tool.coord]\nowner = 'ada'\nmodel_source = 'model'\nentry = 'model.train'\n"
            "config = 'model.config:Config'\n",
            "model/__init__.py": "",
            "experiments/base.yaml": "",
            f"experiments/{name.format('base.yaml')}": BINARY,
        },
    )
    assert experiment_names(find_project(tmp_path)) == ["base"]


@pytest.mark.parametrize("name", [*ALONE, *FOLDERS], ids=_ids)
def test_in_a_folder_for_a_new_project(tmp_path: Path, name: str) -> None:
    """A folder with nothing else in it is empty."""
    write_files(tmp_path, {f"{name}/x" if name in FOLDERS else name: BINARY})
    check_free(tmp_path)


@pytest.mark.parametrize("name", KEPT)
def test_names_of_users(tmp_path: Path, name: str) -> None:
    """A name that only looks like one of those stays."""
    write_files(tmp_path, {"pack/__init__.py": "", f"pack/{name}": ""})
    assert f"pack/{name}" in [file.path for file in collect(tmp_path, "pack.__init__")]


def test_what_was_left_out_is_told_and_can_be_asked_for(tmp_path: Path) -> None:
    """A data file may have such a name: the build says that it stays out, and `--include` by its name takes it in."""
    main = "import pack\nopen('words.bak')\n"
    write_files(
        tmp_path, {"main.py": main, "pack/__init__.py": "", "pack/a.bak": "", "words.bak": "", "pack/.DS_Store": ""}
    )
    said: list[str] = []
    assert [file.path for file in collect(tmp_path, "main.py", say=said.append)] == ["main.py", "pack/__init__.py"]
    assert said == [
        "left out: words.bak, named in main.py:2: an editor or a system has left it; take it with --include",
        "left out as left by an editor or a system: pack/a.bak",
    ]
    asked = Selection(include=["words.bak", "pack/a.bak"])
    assert {"pack/a.bak", "words.bak"} <= {file.path for file in collect(tmp_path, "main.py", asked)}


def test_there_is_one_table() -> None:
    """The model source cannot import the coordinator's: both are the same."""
    assert model_src.files.LEFTOVERS == coordinator.files.LEFTOVERS
