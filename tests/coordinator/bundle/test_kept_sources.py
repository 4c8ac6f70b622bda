"""Between starts the unpacked sources are kept: checked each time, never mixed, taken from nobody, one day removed."""

from __future__ import annotations

import hashlib
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from coordinator.bundle import bootstrap
from coordinator.kaggle_rules import SOURCE_MAX
from tests.coordinator.bundle.programs import left_in, script_of

# Says where it lies and what it reads; with an argument, it waits in between.
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
MANY: dict[str, str | bytes] = FILES | {f"pack/data/{number}.txt": f"{number}" for number in range(1000)}
ROOT_ONLY = pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount, and give files to others")


class Machine:
    """A temporary directory, and a kernel that starts with it."""

    def __init__(self, directory: Path) -> None:
        self.temporary = directory / "t"
        self.script = directory / "script.py"
        self.temporary.mkdir()
        self.write(script_of(FILES).text)

    @property
    def home(self) -> Path:
        return self.temporary / f"coord-{os.getuid()}"

    @property
    def left(self) -> tuple[str, ...]:
        return left_in(self.temporary)

    def write(self, text: str) -> None:
        self.script.write_bytes(text.encode())

    def begin(self, *arguments: str, temporary: Path | None = None) -> subprocess.Popen[str]:
        pipe = subprocess.PIPE
        environment = {**os.environ, "TMPDIR": str(temporary or self.temporary)}
        command = [sys.executable, str(self.script), *arguments]
        return subprocess.Popen(command, cwd="/", env=environment, stdin=pipe, stdout=pipe, stderr=pipe, text=True)

    def sources(self, temporary: Path | None = None) -> Path:
        """Where a kernel has its sources; it ends well."""
        return ended(self.begin(temporary=temporary))


def ended(process: subprocess.Popen[str], where: str = "") -> Path:
    """Where the kernel said that its sources are; it ends well, having run what was bundled."""
    out, err = process.communicate("\n", timeout=60)
    lines = (where + out).splitlines()
    assert (process.returncode, lines[1:], err) == (0, ["as bundled"], "")
    return Path(lines[0])


def holds(kept: Path, files: dict[str, str | bytes]) -> bool:
    """Whether the directory holds the files and no other."""
    contents = {path: text if isinstance(text, bytes) else text.encode() for path, text in files.items()}
    return bootstrap.intact(kept, {path: hashlib.sha256(data).hexdigest() for path, data in contents.items()})


@pytest.fixture
def machine() -> Iterator[Machine]:
    with tempfile.TemporaryDirectory() as directory:
        yield Machine(Path(directory))


@pytest.mark.parametrize("form", ["text", "archive"])
def test_the_next_start_takes_what_lies_there(machine: Machine, form: str) -> None:
    """The same directory, its files not written again; an archive is not even looked at."""
    files = FILES | {"pack/long.txt": "text\n" * (SOURCE_MAX // 5)} if form == "archive" else FILES
    script = script_of(files)
    assert script.form == form
    machine.write(script.text)
    kept = machine.sources()
    assert (kept.parent, holds(kept, files)) == (machine.home, True)
    assert machine.home.stat().st_mode & 0o777 == 0o700
    before = {path: path.stat().st_mtime_ns for path in kept.rglob("*") if path.is_file()}
    if form == "archive":
        body = re.sub("ARCHIVE = r'''.*?'''", "ARCHIVE = 'nothing'", script.text, flags=re.DOTALL).partition("\n")[2]
        machine.write(f"# no stamp\n{body}")
    assert machine.sources() == kept
    assert {path: path.stat().st_mtime_ns for path in kept.rglob("*") if path.is_file()} == before
    assert machine.left == ()


def test_the_same_sources_lie_there_once(machine: Machine) -> None:
    """Whatever the config: it is no source, each session has its own. Other sources lie elsewhere."""
    kept = machine.sources()
    machine.write(script_of(FILES, config={"lr": 1}).text)
    assert machine.sources() == kept
    machine.write(script_of(FILES | {"pack/other.py": ""}).text)
    assert machine.sources() != kept
    assert machine.left == ()


def _same_size_and_time(kept: Path) -> None:
    leaf = kept / "pack/leaf.py"
    status = leaf.stat()
    leaf.write_text("VALUE = 'tampered!!'\n")
    os.utime(leaf, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert leaf.stat().st_size == status.st_size


def _link(kept: Path) -> None:
    (kept / "pack/__pycache__").mkdir(exist_ok=True)
    (kept / "pack/leaf.py").rename(kept / "pack/__pycache__/leaf.py")
    (kept / "pack/leaf.py").symlink_to("__pycache__/leaf.py")


def _folder(kept: Path) -> None:
    (kept / "pack/leaf.py").unlink()
    (kept / "pack/leaf.py").mkdir()


DAMAGES: dict[str, Callable[[Path], object]] = {
    "changed": _same_size_and_time,
    "cut off": lambda kept: os.truncate(kept / "pack/leaf.py", 3),
    "gone": lambda kept: (kept / "pack/leaf.py").unlink(),
    "all gone": lambda kept: shutil.rmtree(kept / "pack"),
    "one more": lambda kept: (kept / "json.py").write_text("raise SystemExit('not ours')"),
    "one more, compiled": lambda kept: (kept / "pack/more.pyc").write_bytes(b""),
    "a link": _link,
    "a linked folder": lambda kept: (kept / "torch").symlink_to("/"),
    "a pipe": lambda kept: os.mkfifo(kept / "pack/pipe"),
    "a folder for a file": _folder,
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_what_is_not_the_bundle_is_replaced_as_a_whole(machine: Machine, damage: str) -> None:
    """Another byte, a file less or a file more: the kernel runs what was bundled, from a new directory in its place."""
    kept = machine.sources()
    DAMAGES[damage](kept)
    assert not holds(kept, FILES)
    (kept / "pack").mkdir(exist_ok=True)
    (kept / "pack/__pycache__").mkdir(exist_ok=True)
    (kept / "pack/__pycache__/mark").touch()
    assert machine.sources() == kept
    assert holds(kept, FILES)
    assert not (kept / "pack/__pycache__/mark").exists()
    assert machine.left == ()


def test_what_another_session_runs_is_left_to_it(machine: Machine) -> None:
    """Damaged sources that are in use stay where they are: the second session has its own, the third replaces them."""
    first = machine.begin("wait")
    assert first.stdout is not None
    kept = Path(where := first.stdout.readline()[:-1])
    (kept / "pack/written.txt").touch()
    second = machine.sources()
    assert second.parent.parent == machine.home
    assert (second.parent.name[:8], second.name) == ("session-", kept.name)
    assert (kept / "pack/written.txt").exists()
    assert ended(first, f"{where}\n") == kept
    assert machine.left == ()
    assert machine.sources() == kept
    assert holds(kept, FILES)


def test_sessions_at_the_same_time(machine: Machine) -> None:
    """All of them run what was bundled, whichever unpacks it, and one directory stays."""
    machine.write(script_of(MANY).text)
    running = [machine.begin() for _ in range(5)]
    assert len({ended(process) for process in running}) == 1
    assert machine.left == ()
    assert len(list(machine.home.iterdir())) == 1


def test_an_unpacking_that_was_killed(machine: Machine) -> None:
    """What it leaves is not taken for sources, and gone after a week."""
    machine.write(script_of(MANY).text)
    process = machine.begin()
    while not list(machine.temporary.glob("*/session-*/*/pack/data/0.txt")):
        assert process.poll() is None
    process.kill()
    process.communicate()
    (left,) = machine.home.iterdir()
    assert left.name.startswith("session-")
    assert not list(left.glob("*/pack/data/999.txt"))
    kept = machine.sources()
    assert holds(kept, MANY)
    assert set(machine.home.iterdir()) == {left, kept}
    os.utime(left, (0, 0))
    assert machine.sources() == kept
    assert machine.left == ()


def test_sources_that_nobody_starts_are_removed(machine: Machine) -> None:
    """After a week without a start; not while they run, and not by a start of their own."""
    old = machine.sources()
    used = script_of(FILES | {"pack/used.py": ""}).text
    machine.write(used)
    session = machine.begin("wait")
    assert session.stdout is not None
    running = Path(where := session.stdout.readline()[:-1])
    week = time.time() - 8 * 24 * 3600
    for directory in (old, running):
        os.utime(directory, (week, week))
    machine.write(script_of(FILES | {"pack/new.py": ""}).text)
    new = machine.sources()
    assert {path for path in machine.home.iterdir() if path.name[:8] != "session-"} == {running, new}
    assert ended(session, f"{where}\n") == running
    machine.write(used)
    assert machine.sources() == running
    assert running.stat().st_mtime > week + 3600


def _open_to_others(home: Path) -> None:
    home.mkdir()
    home.chmod(0o777)


def _somebody_elses(home: Path) -> None:
    home.mkdir(0o700)
    os.chown(home, 65534, 65534)


def _link_to_another(home: Path) -> None:
    (home.parent / "elsewhere").mkdir(0o700)
    home.symlink_to(home.parent / "elsewhere")


@pytest.mark.parametrize(
    "prepare", [_open_to_others, pytest.param(_somebody_elses, marks=ROOT_ONLY), _link_to_another, Path.touch]
)
def test_a_directory_that_others_may_write_is_not_used(machine: Machine, prepare: Callable[[Path], None]) -> None:
    """Neither what lies there is run, nor is anything put there: the session has its own, which goes with it."""
    name = machine.sources().name
    shutil.rmtree(machine.home)
    prepare(machine.home)
    before = sorted(machine.temporary.rglob("*"))
    sources = machine.sources()
    assert sources.name == name
    assert re.fullmatch(rf"{machine.home}-[0-9a-f]{{16}}", str(sources.parent))
    assert sorted(machine.temporary.rglob("*")) == before


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
        sources = machine.sources(temporary=place)
        assert sources.parent == Path(bootstrap.TEMPORARY[0], f"coord-{os.getuid()}")
        shutil.rmtree(sources)
        assert [path for path in place.rglob("*") if path.name != machine.home.name] == []
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
    assert list(machine.home.iterdir()) == []


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
    assert machine.left == ()


def test_a_signal_while_it_runs(machine: Machine) -> None:
    """SIGTERM ends the kernel as it ends any program; Ctrl-C lets it tidy up."""
    for number, left in ((signal.SIGINT, 0), (signal.SIGTERM, 1)):
        process = machine.begin("wait")
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(number)
        process.communicate(timeout=60)
        assert process.returncode == -number
        assert len([path for path in machine.left if path.count("/") == 1]) == left
