"""Files and folders that appear complete or not at all."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from runner_test.state import remove_tree, replacing, unfinished_folder
from runner_test.state.files import replace_link, write_json


def test_a_failed_write_keeps_the_old_file(tmp_path: Path) -> None:
    """If writing fails, the old content stays, and nothing else is left in the folder."""
    path = tmp_path / "record.json"
    write_json(path, {"a": 1})

    def write_half() -> None:
        with replacing(path) as new:
            new.write_text("half")
            raise OSError("the disk is full")

    with pytest.raises(OSError, match="full"):
        write_half()
    assert path.read_text() == '{\n "a": 1\n}\n'
    assert list(tmp_path.iterdir()) == [path]


def test_unfinished_work_is_hidden(tmp_path: Path) -> None:
    """While a file or a folder is written, its name begins with a dot, by which listings skip it."""
    with replacing(tmp_path / "file") as file, unfinished_folder(tmp_path / "folder") as folder:
        file.touch()
        assert {path.name[0] for path in tmp_path.iterdir()} == {"."}
        folder.rename(tmp_path / "folder")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder"]


def test_an_abandoned_folder_is_removed(tmp_path: Path) -> None:
    """A folder that the block does not rename is removed with its content, read-only folders included."""
    with unfinished_folder(tmp_path / "deep" / "folder") as folder:
        (folder / "locked").mkdir()
        (folder / "locked" / "file").touch()
        (folder / "locked").chmod(0o555)
    assert list((tmp_path / "deep").iterdir()) == []


def test_a_link_is_replaced_and_not_followed(tmp_path: Path) -> None:
    """Replacing a link, and removing a folder with links, leave the folders that they lead to."""
    one, two, folder = tmp_path / "one", tmp_path / "two", tmp_path / "folder"
    for path in (one, two, folder):
        path.mkdir()
    replace_link(folder / "link", one)
    replace_link(folder / "link", two)
    assert os.readlink(folder / "link") == str(two)  # noqa: PTH115 - the text of the link
    remove_tree(folder)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one", "two"]
