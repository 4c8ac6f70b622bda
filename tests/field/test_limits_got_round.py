"""Limits that a session gets round: by writing elsewhere, by hiding what it writes, by leaving its parents.

Seen: found by trying it on coord. What was in /tmp and /kaggle/temp was not counted, nor a folder of mode 0; a daemon
(a double fork) was neither measured nor ended.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from runner_test.sessions import SessionOptions, isolation, run_once
from runner_test.sessions.execute import Command, Stopped, execute
from runner_test.sessions.limits import Places, Watch
from runner_test.sessions.machine import Machine
from runner_test.sessions.processes import members
from runner_test.settings import Settings
from runner_test.state import remove_tree
from tests.runner_test.local import alive
from tests.runner_test.serving import ISOLATIONS

LIMITS = Settings(output_gb=0.001, temporary_gb=0.002, output_files=5)
ALL = 3_000_000  # bytes: more than both


def _write(*parts: str) -> Callable[[Path], None]:
    def write(root: Path) -> None:
        path = root.joinpath(*parts)
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            file.truncate(ALL)

    return write


def _hidden(place: str, mode: int) -> Callable[[Path], None]:
    def write(root: Path) -> None:
        _write(place, "closed", "inside", "big")(root)
        (root / place / "closed/inside").chmod(mode)
        (root / place / "closed").chmod(mode)

    return write


def _deep(root: Path) -> None:
    before = Path.cwd()
    os.chdir(root / "kaggle/working")
    try:
        for _ in range(45):
            os.mkdir("d" * 99)  # noqa: PTH102  # relative to where the loop is
            os.chdir("d" * 99)
        _write("big")(Path())
    finally:
        os.chdir(before)


def _linked(root: Path) -> None:
    part = root / "kaggle/working/part"
    part.write_bytes(bytes(300_000))
    for number in range(4):
        os.link(part, part.with_name(f"part{number}"))


WAYS: dict[str, tuple[Callable[[Path], None], str]] = {
    "in the working folder": (_write("kaggle/working/big"), "The output is"),
    "in a folder of it": (_write("kaggle/working/a/b/c/big"), "The output is"),
    "under a hidden name": (_write("kaggle/working/.cache/.big"), "The output is"),
    "in several links to one file": (_linked, "The output is"),
    "in a folder that can't be read": (_hidden("kaggle/working", 0o300), "The output is"),
    "in a folder that can't be entered": (_hidden("kaggle/working", 0o600), "The output is"),
    "in a folder without permissions": (_hidden("kaggle/working", 0), "The output is"),
    "deeper than a path": (_deep, "more folders in each other than a path can name"),
    "in the home": (_write("home/.cache/big"), "has written 0.003 GB outside /kaggle/working"),
    "in /tmp": (_write("tmp/big"), "has written 0.003 GB outside /kaggle/working"),
    "in /kaggle/temp": (_write("kaggle/temp/big"), "has written 0.003 GB outside /kaggle/working"),
    "in /kaggle": (_write("kaggle/big"), "has written 0.003 GB outside /kaggle/working"),
    "elsewhere, without permissions": (_hidden("tmp", 0), "has written 0.003 GB outside /kaggle/working"),
}


@pytest.mark.parametrize("way", WAYS)
def test_wherever_it_writes(tmp_path: Path, way: str) -> None:
    """All that a session can write is measured, and the limit that it exceeds is named."""
    write, named = WAYS[way]
    for place in ("kaggle/working", "kaggle/src", "home", "tmp"):
        (tmp_path / place).mkdir(parents=True)
    (tmp_path / "kaggle/src").chmod(0o555)
    others = [tmp_path / name for name in ("kaggle", "home", "tmp")]
    watch = Watch(LIMITS, Places(tmp_path / "kaggle/working", others))
    assert watch.files_problem() is None
    try:
        write(tmp_path)
        assert named in str(watch.files_problem())
        assert (tmp_path / "kaggle/src").stat().st_mode & 0o777 == 0o555
    finally:
        for place in ("kaggle", "home", "tmp"):
            remove_tree(tmp_path / place)


def test_the_output_is_counted_once(tmp_path: Path) -> None:
    """The working folder lies in /kaggle, but what is in it is not written elsewhere."""
    working = tmp_path / "kaggle/working"
    _write("kaggle/working/big")(tmp_path)
    settings = Settings(output_gb=0.004, temporary_gb=0.002)
    assert Watch(settings, Places(working, [tmp_path / "kaggle"])).files_problem() is None


# Each starts a process that lives on without its parents, prints its id, and ends.
_SLEEPS = "print(os.getpid(), flush=True); open('ready', 'w').close(); os.close(1); os.close(2); time.sleep(600)"
LEAVES = {
    "a child": f"import os, time\nif os.fork() == 0: {_SLEEPS}",
    "a child in a group of its own": f"import os, time\nif os.fork() == 0: os.setpgid(0, 0); {_SLEEPS}",
    "a child in a session of its own": f"import os, time\nif os.fork() == 0: os.setsid(); {_SLEEPS}",
    "a double fork": (
        f"import os, time\nif os.fork() == 0:\n os.setsid()\n if os.fork() == 0: {_SLEEPS}\n os._exit(0)\nos.wait()"
    ),
    "three forks, each in a session of its own": (
        "import os, time\n"
        "for _ in range(3):\n"
        " if os.fork(): os.wait() if _ == 0 else os._exit(0); break\n"
        " os.setsid()\n"
        f"else: {_SLEEPS}"
    ),
    "nohup of a shell": (
        "import os\nos.system('(setsid sh -c \"echo \\\\$\\\\$; >ready; exec sleep 600 >/dev/null 2>&1\" &)')"
    ),
}


@pytest.mark.parametrize("goes_on", [False, True])
@pytest.mark.parametrize("way", LEAVES)
def test_whoever_it_leaves_behind(tmp_path: Path, way: str, *, goes_on: bool) -> None:
    """Such a process is measured as long as the session runs, and ends with it: by itself, or by a limit."""
    printed: list[str] = []
    waits = "\nimport os, time\nwhile not os.path.exists('ready'): time.sleep(0.01)\n"
    script = LEAVES[way] + waits + ("time.sleep(600)" if goes_on else "")

    def found(leader: int) -> str | None:
        text = "".join(printed).strip()
        known = text.isdecimal() and int(text) in [process.pid for process in members(leader)]
        return "it is found" if known else None

    outcome = execute(
        Command([sys.executable, "-c", script], tmp_path, dict(os.environ)),
        timeout=20,
        on_records=lambda records: printed.extend(record.data for record in records),
        stop=lambda: False,
        limit=found if goes_on else lambda leader: None,
    )
    assert outcome.stopped is (Stopped.LIMIT if goes_on else None), "".join(printed)
    assert not alive(int("".join(printed)))


@pytest.mark.parametrize("isolated", ISOLATIONS)
def test_a_session_that_is_stopped_while_it_starts(tmp_path: Path, isolated: str) -> None:
    """Whenever it is stopped, nothing of it is left: also what was being started at that moment."""
    for number in range(4):
        root = tmp_path / f"root{number}"
        options = SessionOptions(timeout=20, settings=Settings(isolation=isolated))  # type: ignore[arg-type]
        machine = Machine(root, options, is_isolated=isolated == "auto", is_notebook=False)
        source = b"import time; time.sleep(60)"
        machine.run(source, on_records=lambda records: None, stop=lambda: True)
    started = [process.info["cmdline"] or [] for process in psutil.process_iter(["cmdline"])]
    assert [each for each in started if str(tmp_path) in " ".join(each)] == []


@pytest.mark.parametrize(
    ("script", "code"),
    [
        ("pass", 0),
        ("raise SystemExit(3)", 3),
        ("raise SystemExit(200)", 200),
        ("import os; os.kill(os.getpid(), 9)", -9),
        ("import os; os.kill(os.getpid(), 15)", -15),
        ("import os; os.abort()", -6),
        ("import os\nif os.fork() == 0: os._exit(7)\nos.wait(); raise SystemExit(4)", 4),
        ("import os, time\nif os.fork() == 0: os._exit(7)\ntime.sleep(0.1); raise SystemExit(5)", 5),
    ],
)
def test_the_exit_code_is_the_programs_own(tmp_path: Path, script: str, code: int) -> None:
    """The process that adopts the others passes the program's exit code on, not that of another one."""
    command = Command([sys.executable, "-c", script], tmp_path, dict(os.environ))
    outcome = execute(command, timeout=20, on_records=print, stop=lambda: False, limit=lambda leader: None)
    assert (outcome.exit_code, outcome.stopped) == (code, None)


_SHARED = """
import mmap, time
with open("/dev/shm/a", "wb") as file:
    for _ in range(150):
        file.write(bytes(1 << 20))
if {mapped}:
    file = open("/dev/shm/a", "r+b")
    view = mmap.mmap(file.fileno(), 0)
    sum(view[::4096])
block = b"x" * ({own} << 20)
time.sleep({seconds})
"""


@pytest.mark.parametrize(("own", "is_too_much"), [(150, True), (20, False)])
@pytest.mark.parametrize("mapped", [False, True])
@pytest.mark.skipif(isolation.problem() is not None, reason=str(isolation.problem()))
def test_memory_in_shared_files(tmp_path: Path, own: int, *, mapped: bool, is_too_much: bool) -> None:
    """Files in /dev/shm are memory, counted once, whether they are mapped or not."""
    script = tmp_path / "kernel.py"
    script.write_text(_SHARED.format(mapped=mapped, own=own, seconds=20 if is_too_much else 0.5))
    printed: list[str] = []
    options = SessionOptions(timeout=60, settings=Settings(memory_gib=0.25))
    code = run_once(script, tmp_path / "root", lambda record: printed.append(record.data), options)
    assert ("tried to allocate more memory" in "".join(printed)) is is_too_much
    assert (code != 0) is is_too_much
