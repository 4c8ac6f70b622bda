"""Locks between processes and threads; files and folders that are replaced as a whole or not at all."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from coordinator.errors import UsageError
from coordinator.files import check_free, held, replace_folder, unfinished, write_atomically, write_folder
from tests import forked

HOLDER = """
import sys
from pathlib import Path
from coordinator.files import held
with held(Path(sys.argv[1]), wait=True) as ours:
    print(ours, flush=True)
    sys.stdin.read()
"""


def holder(lock: Path) -> subprocess.Popen[str]:
    """A process that has the lock until its standard input ends."""
    command = [sys.executable, "-c", HOLDER, str(lock)]
    process = forked.start(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "True\n"
    return process


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_lock_ends_with_a_process_that_is_killed(tmp_path: Path) -> None:
    """Another process is refused or waits while the first lives, and gets the lock at once when it is killed."""
    lock = tmp_path / "new" / "a.lock"
    with holder(lock) as first:
        with held(lock, wait=False) as ours:
            assert not ours
        threading.Timer(0.3, first.kill).start()
        begun = time.monotonic()
        with held(lock, wait=True) as ours:
            assert ours
            assert time.monotonic() - begun >= 0.2
            with held(lock, wait=False) as again:  # a second time in the same process
                assert not again
    assert lock.exists()


def test_the_lock_stays_one_lock_for_all_who_wait(tmp_path: Path) -> None:
    """The file is not deleted when a holder is done: no thread comes in while another is inside."""
    lock = tmp_path / "a.lock"
    inside: list[int] = []
    seen: list[int] = []

    def work(_: int) -> None:
        with held(lock, wait=True):
            inside.append(1)
            seen.append(len(inside))
            time.sleep(0.002)
            inside.pop()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(40)))
    assert seen == [1] * 40
    assert names(tmp_path) == ["a.lock"]


def test_a_lock_is_given_back_when_its_holder_fails(tmp_path: Path) -> None:
    """The next one does not wait for it."""
    with pytest.raises(ValueError, match="broken"), held(tmp_path / "a.lock", wait=True):
        raise ValueError("broken")
    with held(tmp_path / "a.lock", wait=False) as ours:
        assert ours


def test_a_reader_sees_the_old_file_or_the_new_one(tmp_path: Path) -> None:
    """While one thread replaces a file a hundred times, another never reads a part of it."""
    file = tmp_path / "a.json"
    contents = [letter * 1_000_000 for letter in "ab"]
    write_atomically(file, contents[0])
    writing = threading.Event()

    def write() -> None:
        for number in range(100):
            write_atomically(file, contents[number % 2])
        writing.set()

    writer = threading.Thread(target=write)
    writer.start()
    while not writing.is_set():
        assert file.read_text() in contents
    writer.join()
    assert names(tmp_path) == ["a.json"]


@pytest.mark.parametrize("durable", [False, True])
def test_what_is_written(tmp_path: Path, durable: bool, flushed: list[bytes]) -> None:
    """Text as UTF-8, bytes as they are, line ends as they are; the mode is that of any new file of the user's."""
    write_atomically(tmp_path / "a", "ä\r\n", durable=durable)
    write_atomically(tmp_path / "b", b"\xff", durable=durable, private=True)
    assert (tmp_path / "a").read_bytes() == "ä\r\n".encode()
    assert (tmp_path / "b").read_bytes() == b"\xff"
    assert flushed == (["ä\r\n".encode(), b"\xff"] if durable else [])
    (tmp_path / "usual").touch()
    assert (tmp_path / "a").stat().st_mode == (tmp_path / "usual").stat().st_mode
    assert (tmp_path / "b").stat().st_mode & 0o777 == 0o600


def test_a_link_is_followed_and_a_pipe_stays_a_pipe(tmp_path: Path) -> None:
    """Neither is replaced by a file."""
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real/file")
    write_atomically(tmp_path / "link", "through")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real" / "file").read_text() == "through"
    os.mkfifo(tmp_path / "pipe")
    with ThreadPoolExecutor(1) as pool:
        reading = pool.submit((tmp_path / "pipe").read_text)
        write_atomically(tmp_path / "pipe", "along")
        assert reading.result(timeout=10) == "along"
    assert (tmp_path / "pipe").is_fifo()


def test_a_write_that_fails_changes_nothing(tmp_path: Path) -> None:
    """A folder of that name, a missing folder, a program that fails half-way: nothing new lies there afterwards."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "old").write_text("old")
    with pytest.raises(IsADirectoryError):
        write_atomically(tmp_path / "folder", "text")
    with pytest.raises(FileNotFoundError):
        write_atomically(tmp_path / "missing" / "a", "text")

    def fail() -> None:
        with unfinished(tmp_path / "old") as new:
            assert new.parent == tmp_path
            new.write_text("half")
            raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        fail()
    assert (tmp_path / "old").read_text() == "old"
    assert names(tmp_path) == ["folder", "old"]


def test_what_is_not_complete_can_lie_in_another_folder(tmp_path: Path) -> None:
    """A results folder never shows it among the results."""
    (tmp_path / "parts").mkdir()
    with unfinished(tmp_path / "a", within=tmp_path / "parts") as new:
        new.write_text("all")
        assert names(tmp_path) == ["parts"]
    assert (tmp_path / "a").read_text() == "all"
    assert names(tmp_path / "parts") == []


def test_a_new_folder_is_written_whole(tmp_path: Path) -> None:
    """An empty one stays the same; git's own folder may be in it; what cannot be written leaves nothing behind."""
    directory = tmp_path / "new"
    (directory / ".git").mkdir(parents=True)
    before = directory.stat().st_ino
    write_folder(directory, {Path("a/b.txt"): b"b", Path("c.txt"): b"c"})
    assert directory.stat().st_ino == before
    assert names(directory) == [".git", "a", "c.txt"]
    assert (directory / "a" / "b.txt").read_bytes() == b"b"
    with pytest.raises(UsageError, match=r"new is not empty: a, c\.txt"):
        check_free(directory)
    with pytest.raises(UsageError, match="cannot be written"):
        write_folder(tmp_path / "other", {Path("a"): b"", Path("a/b"): b""})
    assert names(tmp_path) == ["new"]


def test_a_folder_is_replaced_whole(tmp_path: Path) -> None:
    """Files that the new one lacks are gone, and so is what a killed process left; a failure keeps the old folder."""
    directory = tmp_path / "build" / "base"
    replace_folder(directory, {Path("a"): b"1", Path("b/c"): b"1"})
    (tmp_path / "build" / ".base.new").mkdir()
    (tmp_path / "build" / ".base.old").mkdir()
    replace_folder(directory, {Path("a"): b"2"})
    assert names(directory) == ["a"]
    with pytest.raises(OSError, match=r"Not a directory|File exists"):
        replace_folder(directory, {Path("a"): b"3", Path("a/b"): b"3"})
    assert (directory / "a").read_bytes() == b"2"
    assert names(tmp_path / "build") == ["base"]
