"""Makes all tests harmless: no real credentials, no settings of the user, no connections to other machines."""

from __future__ import annotations

import gc
import itertools
import os
import runpy
import shutil
import signal
import sqlite3
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest
from _pytest.runner import runtestprotocol  # as pytest-rerunfailures does: there is no public name

GUARD = Path(__file__).parent / "guard"

pytest_plugins = ["tests.posix"] if sys.platform == "win32" else []

collect_ignore = ["samples"]  # programs, one of which has its own tests: pytest would run them and keep them imported

_PREFIXES = ("KAGGLE_", "COORD_", "GIT_")
_PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")

runpy.run_path(str(GUARD / "sitecustomize.py"))

# Set before torch is loaded, for this process and its child processes. The tests run in parallel, and their models are
# so small that more threads make them slower.
os.environ["OMP_NUM_THREADS"] = "1"
os.environ["OMP_WAIT_POLICY"] = "PASSIVE"  # see runner_test/environment.py

# The tests start hundreds of processes: without cached bytecode each one would compile the same modules again.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# The tests write some thousand ledgers, each of which waits for the disk: in memory, if it has room for all of them.
_MEMORY, _ROOM = Path("/dev/shm"), 6_000_000_000
if "TMPDIR" not in os.environ and _MEMORY.is_dir() and shutil.disk_usage(_MEMORY).free > _ROOM:
    os.environ["TMPDIR"] = str(_MEMORY)
    tempfile.tempdir = None  # pytest has asked for it already

# A shell starts background jobs with SIGINT ignored, and child processes inherit that: Ctrl-C could not be tested.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


from tests.warm import start_supervisors_warm  # noqa: E402  # it keeps the variables of now

start_supervisors_warm()


@pytest.fixture(scope="session")
def _homes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Paths for homes. (pytest numbers its folders by listing all others, which takes longer than many tests.)"""
    folder = tmp_path_factory.mktemp("homes")
    return (folder / str(number) for number in itertools.count())


@pytest.fixture(autouse=True)
def _harmless(_homes: Iterator[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith(_PREFIXES) or name.lower() in _PROXIES:
            monkeypatch.delenv(name)
    home = next(_homes)
    home.mkdir(mode=0o700)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    monkeypatch.setenv("PYTHONPATH", str(GUARD))
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("COORD_TRUST", str(GUARD.parents[1]))  # in a container the checkout may be another user's


class _Watched(sqlite3.Connection):
    """A connection that is noted if nobody closes it: Python 3.13 warns of that, in whatever test runs then."""

    left: ClassVar[list[str]] = []
    opened_at = ""
    is_open = False

    def close(self) -> None:
        super().close()
        self.is_open = False

    def __del__(self) -> None:
        if self.is_open:
            self.left.append(self.opened_at)
            super().close()


def _connect(*arguments: Any, **options: Any) -> sqlite3.Connection:
    found: sqlite3.Connection = _CONNECT(*arguments, **{"factory": _Watched, **options})
    if isinstance(found, _Watched):
        caller = sys._getframe(1)
        found.opened_at, found.is_open = f"{caller.f_code.co_filename}:{caller.f_lineno}", True
    return found


_CONNECT = sqlite3.connect
setattr(sqlite3, "connect", _connect)  # noqa: B010  # it has overloads


@pytest.fixture(autouse=True)
def _closed() -> Iterator[None]:
    """Each connection to a database is closed, not only forgotten."""
    yield
    left, _Watched.left[:] = list(_Watched.left), []
    assert left == [], "opened there and never closed"


@pytest.fixture
def flushed(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """What was in each file that a test's code wrote through to the disk, at that moment."""
    if not Path("/proc/self/fd").exists():
        pytest.skip("only Linux says which file a descriptor is of")
    found, fsync = list[bytes](), os.fsync

    def watched(descriptor: int) -> None:
        found.append(Path(f"/proc/self/fd/{descriptor}").read_bytes())
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", watched)
    return found


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> bool | None:
    """Of a test that passes, a process of xdist sends one report instead of three: each takes a millisecond."""
    if not hasattr(item.config, "workerinput"):
        return None
    item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    for report in runtestprotocol(item, log=False, nextitem=nextitem):
        if report.when == "call" or not report.passed:
            item.ihook.pytest_runtest_logreport(report=report)
    item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
    return True


def pytest_collection_finish() -> None:
    """What the test modules have loaded stays until the end: no search for unreachable objects looks at it again."""
    gc.freeze()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Lets each process begin with its share of the slow tests, so that at the end no other waits for them.

    With `--dist worksteal` each process gets one part of the list, in its order, and takes over only from the end of
    another part: with all slow tests at the beginning of the list, a single process would run them.
    """
    slow = [item for item in items if item.get_closest_marker("slow")]
    others = [item for item in items if not item.get_closest_marker("slow")]
    count = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    ordered: list[pytest.Item] = []
    for process in range(count):
        share = slow[process::count]
        size = max((len(items) - len(ordered)) // (count - process), len(share))
        ordered += [*share, *others[: size - len(share)]]
        del others[: size - len(share)]
    items[:] = ordered
