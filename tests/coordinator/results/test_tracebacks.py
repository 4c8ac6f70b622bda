"""Paths in a log become paths of the project, with a mark where the file has changed since the run."""

from __future__ import annotations

import hashlib
import json
import os
import pty
import re
from pathlib import Path

import pytest

from coordinator.project.project import Project
from coordinator.results.tracebacks import Sources
from tests import forked
from tests.coordinator.bundle.programs import write_files
from tests.coordinator.command import COORD, Coord

FILES: dict[str, str | bytes] = {"pack/engine.py": "x = 1\n", "pack/deep/ü b.py": "y\n", "main.py": "z\n"}
DIGEST = "0123456789abcdef" * 4


def _digest(text: str | bytes) -> str:
    return hashlib.sha256(text if isinstance(text, bytes) else text.encode()).hexdigest()


@pytest.fixture(params=["with digests", "without"])
def sources(request: pytest.FixtureRequest, tmp_path: Path) -> Sources:
    root = write_files(tmp_path, FILES)
    known = {path: _digest(text) for path, text in FILES.items()}
    return Sources(root, known if request.param == "with digests" else {})


@pytest.mark.parametrize(
    "folder",
    [
        "/tmp/coord-0123456789abcdef/sources",
        "/tmp/coord-ab12_xyz",
        f"/tmp/coord-0/{DIGEST}",
        "/tmp/coord-1000/0123456789ab",
        "/tmp/coord-0/session-ab_12/0123456789abcdef",
        "/tmp/coord-1000-0123456789abcdef/0123456789abcdef",
        "/tmp/coord-tests/tmp/coord-0/abcd",
        "/a b/coord-0/abcd",
        "/coord-0/abcd",
        "/kaggle/working",
        "/home/ada/titanic/.coord/dry-run/base/working",
    ],
)
@pytest.mark.parametrize("path", FILES)
def test_frames_name_the_projects_files(sources: Sources, tmp_path: Path, folder: str, path: str) -> None:
    """The path is replaced wherever the kernel unpacked its sources, and whatever the line starts with."""
    for before in ("  ", "[rank0]:   ", ""):
        line = f'{before}File "{folder}/{path}", line 88, in train'
        place = sources.place(line)
        assert place is not None
        assert place.text == f'{before}File "{path}", line 88, in train'
        assert (place.path, place.file, place.is_changed) == (path, tmp_path / path, False)


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("/tmp/coord-0/ab/pack/engine.py:88: UserWarning: no", "pack/engine.py:88: UserWarning: no"),
        ("at (/tmp/coord-0/ab/pack/engine.py:88)", "at (pack/engine.py:88)"),
        ('  File "/tmp/coord-0/ab/pack/engine.py", line 1', '  File "pack/engine.py", line 1'),
    ],
)
def test_other_forms(sources: Sources, line: str, shown: str) -> None:
    """Also in a warning, which writes its place in another way, and in a syntax error, whose frame has no function."""
    assert sources.relative(line) == shown


@pytest.mark.parametrize(
    "line",
    [
        "",
        "epoch 1",
        'File "/usr/lib/python3.11/runpy.py", line 88, in f',
        'File "/home/a/coord/x.py", line 1',
        'File "/home/a/coord-x/y.py", line 1',
        'File "/tmp/coord-0/ab/pack/other.py", line 1',
        'File "/tmp/coord-0/a/b/c/pack/engine.py", line 1',
        'File "/tmp/coord-0/../pack/engine.py", line 1',
        'File "/kaggle/working/other.py", line 1',
        'File "/kaggle/working/../pack/engine.py", line 1',
        'File "/kaggle/working/", line 1',
        'File "/kaggle/working", line 1',
        'File "/tmp/coord-0/ab//pack/engine.py", line 1',
        'File "/tmp/coord-0/ab", line 1',
        'File "/tmp/coord-0/pack", line 1',
        'File "/tmp/coord-0/\0", line 1',
        "/tmp/coord-0/ab/pack/engine.py is a file",
        'File "coord-',
    ],
)
def test_other_lines_stay(sources: Sources, line: str) -> None:
    """Lines without a traceback, of another program's, or with no file of this project stay as they are."""
    assert sources.place(line) is None
    assert sources.relative(line) == line


def test_long_lines_take_no_time(sources: Sources) -> None:
    """A line that is made to be slow takes linear time; otherwise this test does not end."""
    many = 100_000
    for line in (
        'File "/' + "coord-/" * many,
        "/coord-" * many,
        "/working" * many,
        " /coord-a:" * many,
        f'File "{"/coord-" * many}"',
    ):
        assert sources.place(line) is None


def test_what_changed_since(tmp_path: Path) -> None:
    """A file that was edited after the run is marked; one that the project lacks has no path on this machine."""
    root = write_files(tmp_path, FILES)
    known = {path: _digest(text) for path, text in FILES.items()} | {"library/core.py": _digest("")}
    write_files(root, {"pack/engine.py": "changed", "stranger.py": "here, but not in the kernel"})
    (root / "main.py").unlink()
    places = {
        path: Sources(root, known).place(f'File "/tmp/coord-0/ab/{path}", line 1, in f')
        for path in (*known, "stranger.py")
    }
    assert {path: place and (place.path, place.file, place.is_changed) for path, place in places.items()} == {
        "pack/engine.py": ("pack/engine.py", root / "pack/engine.py", True),
        "pack/deep/ü b.py": ("pack/deep/ü b.py", root / "pack/deep/ü b.py", False),
        "main.py": ("main.py", None, False),
        "library/core.py": ("library/core.py", None, False),
        "stranger.py": None,
    }


def _on_a_terminal(coord: Coord, *arguments: str) -> str:
    """The output of the command on a terminal."""
    ours, theirs = pty.openpty()
    environment = {**coord.environment, "TERM": "xterm-256color"}
    process = forked.start([*COORD, *arguments], cwd=coord.root, env=environment, stdout=theirs, stderr=theirs)
    os.close(theirs)
    shown = b""
    while True:
        try:
            chunk = os.read(ours, 65536)
        except OSError:  # how Linux says that the other end was closed
            break
        if not chunk:
            break
        shown += chunk
    os.close(ours)
    process.wait(timeout=60)
    return shown.decode("utf-8").replace("\r\n", "\n")


def test_a_failed_runs_log(tiny: Project) -> None:
    """Push --wait, logs, dry-run and kernel.log name the project's file; --raw and --json leave the log as it is."""
    coord = Coord(tiny.root, dict(os.environ))
    frame = 'File "tiny_model/engine.py", line 6, in epoch\n'
    assert frame in coord("push", "--exp", "crash", "--wait", code=1).stderr
    assert frame in coord("logs", "--exp", "crash").stdout
    assert frame in coord("logs", "--exp", "crash", "--follow", code=1).stdout
    assert frame in coord("dry-run", "--exp", "crash", "--set", "train.crash_in_epoch=1", code=1).stderr
    coord("fetch-results", "--exp", "crash")
    assert frame in (tiny.results("crash", "local", 1) / "kernel.log").read_text(encoding="utf-8")
    unpacked = re.compile(r'File "/\S*/coord-\S+/tiny_model/engine.py", line 6, in epoch')
    assert unpacked.search(coord("logs", "--raw").stdout)
    records = [json.loads(line) for line in coord("logs", "--json").stdout.splitlines()]
    assert unpacked.search("".join(record["data"] for record in records))

    engine = tiny.root / "tiny_model" / "engine.py"
    link = f'File "\x1b]8;;{engine.as_uri()}\x1b\\tiny_model/engine.py\x1b]8;;\x1b\\", line 6, in epoch'
    shown = _on_a_terminal(coord, "logs", "--exp", "crash")
    assert f"{link}\n" in shown
    assert "\x1b]8;;" not in _on_a_terminal(coord, "logs", "--exp", "crash", "--raw")

    engine.write_text("# a line more\n" + engine.read_text(encoding="utf-8"), encoding="utf-8")
    assert f"{link}  (changed since)\n" in _on_a_terminal(coord, "logs", "--exp", "crash")
    changed = coord("logs", "--exp", "crash").stdout
    assert f"{frame.rstrip()}  (changed since)\n" in changed
    assert 'File "tiny_model/train.py", line 64, in <module>\n' in changed
