"""Makes the whole suite harmless: no real credentials, no settings of the user's, no connection off this machine."""

from __future__ import annotations

import os
import runpy
import signal
import sys
from pathlib import Path

import pytest

GUARD = Path(__file__).parent / "guard"

collect_ignore = ["samples"]  # programs, one of which has tests of its own: they would be run, and stay imported

_PREFIXES = ("KAGGLE_", "COORD_", "GIT_")
_PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")

runpy.run_path(str(GUARD / "sitecustomize.py"))

# Before torch is loaded, in this process and those that it starts. The tests run side by side, and their models are so
# small that more threads do nothing but stand in each other's way.
os.environ["OMP_NUM_THREADS"] = "1"
os.environ["OMP_WAIT_POLICY"] = "PASSIVE"  # see runner_test/environment.py

# Hundreds of processes are started that would compile the same modules again and again; and so would the next run.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# A shell starts background jobs with SIGINT ignored, and children inherit that: Ctrl-C could not be tested there.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def _harmless(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith(_PREFIXES) or name.lower() in _PROXIES:
            monkeypatch.delenv(name)
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    monkeypatch.setenv("PYTHONPATH", str(GUARD))
    monkeypatch.setenv("COLUMNS", "80")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The slow tests first: at the end, when the work runs out, nobody waits for one that has just begun."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)
