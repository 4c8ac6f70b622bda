"""A process that is killed while it writes a folder, which is then in the way of the next attempt.

Seen: found by trying it on coord: `coord promote` was killed, and the next one said that its folder is not empty.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from coordinator.errors import UsageError
from coordinator.files import check_free, replace_folder, write_folder
from tests.paths import ROOT

CONTENT = {"a.txt": b"a", "z/y/x.txt": b"x"}
FILES = {Path(name): data for name, data in CONTENT.items()}
KILLER = f"""
import json, os, signal, sys
from pathlib import Path
from coordinator import files

FILES = {{Path(name): data for name, data in {CONTENT!r}.items()}}

def work(number, name, directory, current):
    def count(event, _):
        nonlocal number
        if event in ("open", "os.mkdir", "os.rename", "os.remove", "os.rmdir", "shutil.rmtree"):
            number -= 1
            if number == 0:
                os.kill(os.getpid(), signal.SIGKILL)
    os.chdir(current)
    sys.addaudithook(count)
    getattr(files, name)(Path(directory), FILES)

for line in sys.stdin:
    child = os.fork()
    if child == 0:
        try:
            work(*json.loads(line))
        finally:
            os._exit(0)
    print(json.dumps(os.WIFSIGNALED(os.waitpid(child, 0)[1])), flush=True)
"""

KilledAt = Callable[[int, str, Path], bool]


@pytest.fixture(scope="module")
def killed_at() -> Iterator[KilledAt]:
    """Calls a function of `coordinator.files`, in a process that kills itself at its n-th operation on files.

    It returns whether it came to that. A small program forks that process: to fork this one takes ten times as long.
    """
    with subprocess.Popen(
        [sys.executable, "-c", KILLER], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as killer:

        def ask(number: int, name: str, directory: Path) -> bool:
            assert killer.stdin is not None
            assert killer.stdout is not None
            print(json.dumps([number, name, str(directory), str(Path.cwd())]), file=killer.stdin, flush=True)
            return bool(json.loads(killer.stdout.readline()))

        yield ask


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
def test_a_new_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, killed_at: KilledAt, kind: str) -> None:
    """At whatever moment: the next attempt writes all of it, or finds all of it there. A .git stays."""
    for number in range(1, 200):
        directory = prepared(tmp_path / str(number), kind)
        if kind == "current":
            monkeypatch.chdir(directory)
        was_killed = killed_at(number, "write_folder", directory)
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


def test_a_folder_that_is_replaced(tmp_path: Path, killed_at: KilledAt) -> None:
    """At whatever moment: the next one gives all of the new folder."""
    directory = tmp_path / "build"
    for number in range(1, 200):
        replace_folder(directory, {Path("old.txt"): b"old"})
        was_killed = killed_at(number, "replace_folder", directory)
        replace_folder(directory, FILES)
        assert content(directory) == FILES, number
        if not was_killed:
            break
    assert number > 10
    assert [path.name for path in tmp_path.iterdir()] == ["build"]
