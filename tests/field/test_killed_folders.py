"""A process that is killed while it writes a folder, which is then in the way of the next attempt.

Seen: found by trying it on coord: `coord promote` was killed, and the next one said that its folder is not empty.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from coordinator.errors import UsageError
from coordinator.files import check_free, replace_folder, write_folder

FILES = {Path("a.txt"): b"a", Path("z/y/x.txt"): b"x"}
EVENTS = ("open", "os.mkdir", "os.rename", "os.remove", "os.rmdir", "shutil.rmtree")


def killed_at(number: int, work: Callable[[], None]) -> bool:
    """Does the work in a child that kills itself at its n-th operation on files; whether it came to that."""
    child = os.fork()
    if child == 0:
        left = number

        def count(event: str, _: object) -> None:
            nonlocal left
            if event in EVENTS:
                left -= 1
                if left == 0:
                    os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(count)
        try:
            work()
        finally:
            os._exit(0)
    return os.WIFSIGNALED(os.waitpid(child, 0)[1])


def content(directory: Path) -> dict[Path, bytes]:
    files = (path for path in directory.rglob("*") if path.is_file() and ".git" not in path.parts)
    return {path.relative_to(directory): path.read_bytes() for path in files}


def prepared(directory: Path, kind: str) -> Path:
    if kind == "nested":
        return directory / "not" / "there"
    if kind != "new":
        directory.mkdir()
    if kind == "with .git":
        (directory / ".git").mkdir()
        (directory / ".git" / "HEAD").write_text("ref")
    if kind == "a link":
        (directory / "real").mkdir()
        (directory / "link").symlink_to("real")
        return directory / "link"
    return directory


@pytest.mark.parametrize("kind", ["new", "nested", "empty", "with .git", "a link", "current"])
def test_a_new_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    """At whatever moment: the next attempt writes all of it, or finds all of it there. A .git stays."""
    for number in range(1, 200):
        directory = prepared(tmp_path / str(number), kind)
        if kind == "current":
            monkeypatch.chdir(directory)
        was_killed = killed_at(number, partial(write_folder, directory, FILES))
        with contextlib.suppress(UsageError):
            write_folder(directory, FILES)
        assert content(directory).items() >= FILES.items(), number
        assert (directory / ".git" / "HEAD").is_file() or kind != "with .git"
        with pytest.raises(UsageError, match="is not empty"):
            check_free(directory)
        if not was_killed:
            break
    else:
        pytest.fail("it does not end")
    assert number > 10
    assert content(directory) == FILES, "nothing else is left by a process that was not killed"


def test_a_folder_that_is_replaced(tmp_path: Path) -> None:
    """At whatever moment: the next one gives all of the new folder."""
    directory = tmp_path / "build"
    for number in range(1, 200):
        replace_folder(directory, {Path("old.txt"): b"old"})
        was_killed = killed_at(number, lambda: replace_folder(directory, FILES))
        replace_folder(directory, FILES)
        assert content(directory) == FILES, number
        if not was_killed:
            break
    assert number > 10
    assert [path.name for path in tmp_path.iterdir()] == ["build"]
