"""What systems do differently: files in use, processors, paths that are too long."""

from __future__ import annotations

import errno
import os
import signal
import sys
import threading
import time
from pathlib import Path, PurePosixPath

import pytest

from coordinator import files, names, system
from coordinator.errors import FileError
from tests.machines.windows import is_refused

HELD = PermissionError(13, "in use")


def _held(monkeypatch: pytest.MonkeyPatch, name: str, times: int, code: int | None = 32) -> list[int]:
    """Lets a function of `os` fail so often as Windows does while another program has the file open."""
    real, failures = getattr(os, name), [0]

    def act(*arguments: object, **options: object) -> object:
        if failures[0] < times:
            failures[0] += 1
            error = PermissionError(13, "in use")
            error.winerror = code  # type: ignore[attr-defined]
            raise error
        return real(*arguments, **options)

    monkeypatch.setattr(os, name, act)
    monkeypatch.setattr("time.sleep", lambda _: None)
    return failures


def test_a_file_in_use_is_replaced_a_moment_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A scanner of viruses holds it for a moment; nothing is left beside it."""
    failures = _held(monkeypatch, "replace", 3)
    files.write_atomically(tmp_path / "a.txt", "new")
    assert failures == [3]
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("a.txt", b"new")]


@pytest.mark.parametrize(("times", "code"), [(1000, 32), (1, None), (1, 19)])
def test_what_stays_refused_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, times: int, code: int | None
) -> None:
    """A file that stays in use, and every other refusal at once; the old content stays."""
    (tmp_path / "a.txt").write_text("old")
    failures = _held(monkeypatch, "replace", times, code)
    with pytest.raises(PermissionError):
        files.write_atomically(tmp_path / "a.txt", "new")
    assert failures[0] == min(times, 40)
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("a.txt", "old")]


def test_a_write_protected_file_is_deleted_with_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Windows refuses that until the file is writable; git's own files are not."""
    (tmp_path / "git").mkdir()
    (tmp_path / "git" / "pack").touch(mode=0o444)
    monkeypatch.setattr(system, "IS_WINDOWS", True)
    real = os.unlink

    def unlink(path: str, **options: int) -> None:
        if not os.stat(path, **options).st_mode & 0o200:  # type: ignore[arg-type]  # noqa: PTH116
            raise PermissionError(13, "read-only", path)
        real(path, **options)

    monkeypatch.setattr(os, "unlink", unlink)
    system.remove_tree(tmp_path / "git")
    assert not (tmp_path / "git").exists()


def test_processors_are_counted_everywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of this process where the system tells, else those of the machine."""
    assert system.processors() == len(os.sched_getaffinity(0))
    monkeypatch.setattr(sys, "platform", "darwin")
    assert system.processors() == os.cpu_count()


def test_ctrl_c_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also in threads, and on Windows, where there is nothing to hold back."""
    with system.interrupts_held_back():
        pass
    thread = threading.Thread(target=lambda: system.interrupts_held_back().__enter__())
    thread.start()
    thread.join()
    monkeypatch.setattr(sys, "platform", "win32")
    with system.interrupts_held_back():
        pass


def test_ctrl_c_waits_where_another_thread_takes_it() -> None:
    """The system delivers it to a thread that does not block it (here: while it waits, as one that draws a bar)."""
    ends = threading.Event()
    thread = threading.Thread(target=ends.wait)
    thread.start()
    done = []

    def held_back() -> None:
        with system.interrupts_held_back():
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.05)
            done.append(True)

    try:
        with pytest.raises(KeyboardInterrupt):
            held_back()
    finally:
        ends.set()
        thread.join()
    assert done


def test_long_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name of 255 bytes and a path below 4,096 are written; what is longer is told with a remedy."""
    longest = tmp_path / ("n" * 255)
    files.write_atomically(longest, "x")
    assert longest.read_text() == "x"
    deep = tmp_path.joinpath(*["d" * 200] * ((4000 - len(str(tmp_path))) // 201))
    deep.mkdir(parents=True)
    files.write_atomically(deep / "x", "x")
    for refused in (tmp_path / ("n" * 256), tmp_path.joinpath(*["d" * 200] * 25)):
        with pytest.raises(OSError, match="too long") as caught:
            files.write_atomically(refused, "x")
        told = files.explained(caught.value)
        assert isinstance(told, FileError)
        assert "nearer to the top" in str(told.hint)
    missing = FileNotFoundError(errno.ENOENT, "No such file or directory", "C:\\" + "d" * 300)
    assert not system.is_too_long(missing)
    monkeypatch.setattr(system, "IS_WINDOWS", True)
    assert system.is_too_long(missing)
    assert not system.is_too_long(FileNotFoundError(errno.ENOENT, "No such file or directory", "C:\\d"))


@pytest.mark.parametrize(
    "name",
    [
        *("aux", "AUX.csv", "con", "nul.tar.gz", "com1", "LPT9.txt", "prn .txt", "conin$", "com¹"),
        *("a:b", "a<b", "what?", "a*", 'q"', "p|q", "end.", "end ", "end. .", "sub:1/aux/x.", "ü" * 127 + "?"),
    ],
)
def test_windows_gets_names_that_it_takes(name: str) -> None:
    """Each its own, always the same, with its ending, and not too long."""
    path = names.confined(name)
    given = names.windows_name(path)
    assert given != path
    assert not any(map(is_refused, given.parts))
    assert max(len(part.encode()) for part in given.parts) <= 255
    assert names.windows_name(given) == given
    assert names.windows_name(PurePosixPath(f"{name}?")) != given
    assert len(given.parts) == len(path.parts)


@pytest.mark.parametrize("name", ["a.csv", "sub/auxiliary.csv", "console", "com10", ".hidden", "a b", "é"])
def test_other_names_stay(name: str) -> None:
    """They only look like those."""
    assert names.windows_name(names.confined(name)) == names.confined(name)
    assert names.local_name(names.confined("a:b")) == names.confined("a:b")  # here
