"""Where a kernel unpacks its sources: in a directory of its own, whole or not at all, and gone at the end."""

from __future__ import annotations

import os
import re
import resource
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from coordinator.bundle import bootstrap
from coordinator.kaggle_rules import SOURCE_MAX
from tests.coordinator.bundle.programs import left_in, script_of

# Says where its sources are and reads one of them; with an argument, it waits in between.
TELL = """
import pathlib, sys

print(pathlib.Path(__file__).parents[1], flush=True)
if sys.argv[1:]:
    input()
from pack import leaf

print(leaf.VALUE)
"""
FILES: dict[str, str | bytes] = {
    "pack/__init__.py": "",
    "pack/train.py": TELL,
    "pack/leaf.py": "VALUE = 'as bundled'\n",
}
ROOT_ONLY = pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount a file system")


class Machine:
    """A temporary directory, and a kernel that starts with it."""

    def __init__(self, directory: Path) -> None:
        self.temporary = directory / "t"
        self.script = directory / "script.py"
        self.temporary.mkdir()
        self.write(script_of(FILES).text)

    def write(self, text: str) -> None:
        self.script.write_bytes(text.encode())

    def begin(self, *arguments: str, temporary: Path | None = None) -> subprocess.Popen[str]:
        pipe = subprocess.PIPE
        environment = {**os.environ, "TMPDIR": str(temporary or self.temporary)}
        command = [sys.executable, str(self.script), *arguments]
        return subprocess.Popen(command, cwd="/", env=environment, stdin=pipe, stdout=pipe, stderr=pipe, text=True)

    def waiting(self) -> tuple[subprocess.Popen[str], Path]:
        """A kernel that waits, and where its sources are."""
        process = self.begin("wait")
        assert process.stdout is not None
        return process, Path(process.stdout.readline()[:-1])


@pytest.fixture
def machine() -> Iterator[Machine]:
    with tempfile.TemporaryDirectory() as directory:
        yield Machine(Path(directory))


@pytest.mark.parametrize("form", ["text", "archive"])
def test_each_session_has_its_own_sources(machine: Machine, form: str) -> None:
    """Two at a time, in directories that no other user may enter; each is removed when its session ends."""
    files = FILES | {"pack/long.txt": "text\n" * (SOURCE_MAX // 5)} if form == "archive" else FILES
    script = script_of(files, config={"lr": 1})
    assert script.form == form
    machine.write(script.text)
    (first, one), (second, other) = machine.waiting(), machine.waiting()
    for place in (one, other):
        session = place.parent
        assert re.fullmatch(rf"{machine.temporary}/coord-[0-9a-f]{{16}}", str(session))
        assert session.stat().st_mode & 0o777 == 0o700
        assert sorted(path.name for path in session.iterdir()) == [bootstrap.CONFIG_FILE, "sources"]
        for path, text in files.items():
            assert (place / path).read_text() == text
    assert one != other
    for process in (first, second):
        assert process.communicate("\n", timeout=60) == ("as bundled\n", "")
        assert process.returncode == 0
    assert left_in(machine.temporary) == ()


@pytest.mark.parametrize("kind", ["missing", "file", pytest.param("full", marks=ROOT_ONLY)])
def test_a_temporary_directory_that_takes_nothing(machine: Machine, kind: str) -> None:
    """Missing, no directory, or on a full disk: the next one is tried, and nothing of the sources stays in it."""
    place = machine.temporary / "place"
    if kind == "file":
        place.touch()
    if kind == "full":
        place.mkdir()
        if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16k", "none", place], check=False).returncode != 0:
            pytest.skip("nothing may be mounted here")
    machine.write(script_of(FILES | {"pack/own.txt": str(place) * 1000}).text)
    try:
        out, err = machine.begin(temporary=place).communicate(timeout=60)
        where, value = out.splitlines()
        assert (Path(where).parents[1], value, err) == (Path(bootstrap.TEMPORARY[0]), "as bundled", "")
        assert not Path(where).exists()
        assert list(place.rglob("*")) == []
    finally:
        if kind == "full":
            subprocess.run(["umount", place], check=True)


def test_no_room_anywhere(machine: Machine) -> None:
    """One line, exit code 1, and nothing left: here no file may grow beyond 100 bytes, wherever it lies."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))
    try:
        process = machine.begin()
        out, err = process.communicate(timeout=60)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert (process.returncode, out) == (1, "")
    assert re.fullmatch(r"coord: the sources cannot be unpacked \(/\S+: File too large; .*: File too large\)\n", err)
    assert left_in(machine.temporary) == ()


@pytest.mark.parametrize("damage", ["cut off", "changed"])
def test_a_damaged_archive(machine: Machine, damage: str) -> None:
    """One line, exit code 1, and nothing left."""
    text = script_of(FILES | {"pack/long.txt": "text\n" * (SOURCE_MAX // 5)}).text
    begin = text.index("ARCHIVE = r'''\n") + 200
    end = begin + 120 if damage == "cut off" else begin + 1
    machine.write(f"{text[:begin]}{'' if damage == 'cut off' else 'A' if text[begin] != 'A' else 'B'}{text[end:]}")
    out, err = (process := machine.begin()).communicate(timeout=60)
    assert (process.returncode, out) == (1, "")
    said, _, last = err.removesuffix("\n").rpartition("\n")
    assert last.startswith("coord: ")
    assert last.endswith(": build and push again")
    assert said.startswith("coord: this script was edited after it was built")
    assert left_in(machine.temporary) == ()


def test_a_signal_while_it_runs(machine: Machine) -> None:
    """SIGTERM ends the kernel as it ends any program; Ctrl-C lets it tidy up."""
    for number, is_left in ((signal.SIGINT, False), (signal.SIGTERM, True)):
        process, sources = machine.waiting()
        process.send_signal(number)
        process.communicate(timeout=60)
        assert process.returncode == -number
        assert sources.exists() == is_left
