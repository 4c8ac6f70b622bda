"""What of a folder goes into a data set, and what its digest depends on."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from coordinator.datasets.contents import read_contents
from coordinator.errors import UsageError


def _write(folder: Path, *names: str) -> Path:
    for name in names:
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(name)
    return folder


def test_the_digest_is_that_of_names_and_bytes(tmp_path: Path) -> None:
    """Not of the place, the times, the order of writing, or what is left out."""
    one = _write(tmp_path / "one", "b", "a/c")
    two = _write(tmp_path / "two", "a/c", "b", "a/.DS_Store", "Thumbs.db", ".git/HEAD", "dataset-metadata.json")
    (two / "empty" / "too").mkdir(parents=True)
    os.utime(two / "b", (1, 1))
    found = read_contents(two)
    assert found.digest == read_contents(one).digest
    assert [each.path for each in found.files] == ["a/c", "b"]
    left_out = (".git", "Thumbs.db", "a/.DS_Store", "dataset-metadata.json", "empty/too/")
    assert found.left_out == left_out


@pytest.mark.parametrize("change", ["rename", "write", "move", "add"])
def test_another_content_has_another_digest(tmp_path: Path, change: str) -> None:
    """Also if the same bytes have another name."""
    folder = _write(tmp_path / "one", "b", "a/c")
    before = read_contents(folder).digest
    if change == "rename":
        (folder / "b").rename(folder / "d")
    elif change == "move":
        (folder / "b").rename(folder / "a" / "b")
    else:
        (folder / ("b" if change == "write" else "new")).write_text("x")
    assert read_contents(folder).digest != before


def test_what_cannot_be_sent_is_named(tmp_path: Path) -> None:
    """All of it at once, and the first ones of many."""
    folder = _write(tmp_path / "one", "good", " space", "back\\slash", "Case", "case")
    (folder / "link").symlink_to("good")
    (folder / "linked").symlink_to(tmp_path)
    os.mkfifo(folder / "pipe")
    with pytest.raises(UsageError) as error:
        read_contents(folder)
    assert str(error.value).splitlines() == [
        f"{folder} cannot become a data set:",
        "   space has a name that begins or ends with a space",
        "  back\\slash has a name that cannot be taken: it has a backslash, which separates folders on some systems",
        "  link is a link: put the file itself there",
        "  linked is a link: put the file itself there",
        "  pipe is neither a file nor a folder",
        "  and 1 more",
    ]


@pytest.mark.parametrize("name", [b"caf\xe9", b"new\nline", b"x" * 255])
def test_names_that_are_no_text(tmp_path: Path, name: bytes) -> None:
    """A name of 255 bytes is the longest."""
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name)).write_text("x")
    if name == b"x" * 255:
        assert read_contents(tmp_path).size == 1
        return
    with pytest.raises(UsageError, match="has a name that cannot be taken"):
        read_contents(tmp_path)


@pytest.mark.parametrize("what", ["missing", "file", "empty", "leftovers"])
def test_there_has_to_be_something(tmp_path: Path, what: str) -> None:
    """A data set without files cannot be made."""
    folder = tmp_path / "one"
    if what == "file":
        folder.write_text("x")
    elif what == "empty":
        folder.mkdir()
    elif what == "leftovers":
        _write(folder, ".DS_Store")
    with pytest.raises(UsageError):
        read_contents(folder)


def test_the_beginning_is_searched_for_secrets(tmp_path: Path) -> None:
    """Of weights and images less than of texts: a search takes long, and keys stand in texts."""
    folder = _write(tmp_path / "one")
    folder.mkdir()
    (folder / "text").write_bytes(b"a" * (5 << 20))
    (folder / "weights").write_bytes(b"\0" * (5 << 20))
    sizes = {each.path: len(each.data) for each in read_contents(folder).files}
    assert sizes == {"text": 4 << 20, "weights": 1 << 16}
