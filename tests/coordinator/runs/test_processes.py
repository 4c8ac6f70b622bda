"""Many `coord` processes at once, and processes that are killed: nothing is lost, doubled or half."""

from __future__ import annotations

import re
import sys

import pytest

from tests import forked
from tests.paths import ROOT

KILLS, SEED = 32, 1
CROWD_SECONDS = 2
"""`make bench` kills 200 commands, and lets the eight processes work for a minute."""


def _benchmark(*arguments: str, seconds: float) -> str:
    """What a module of benchmarks/ prints; it ends with an error at the first breach, which is shown."""
    done = forked.run([sys.executable, "-m", *arguments], cwd=ROOT, capture_output=True, text=True, timeout=seconds)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    assert done.stderr == ""
    printed: str = done.stdout
    return printed


def _times(table: str, row: str) -> int:
    (count,) = re.findall(rf"\| +{re.escape(row)} \| +(\d+) \|", table)
    return int(count)


@pytest.mark.slow
@pytest.mark.release
def test_kill_9_at_random_points_of_push_and_fetch() -> None:
    """After each kill: no session without a run, none twice, none open; no half file; what is asked again completes."""
    table = _benchmark("benchmarks.kills", "--kills", str(KILLS), "--seed", str(SEED), seconds=280)
    assert f"{KILLS} kills (seed {SEED})" in table
    for point in ("before the intent was recorded", "arrived, answer not recorded", "some files here"):
        assert _times(table, point) > 0, table


@pytest.mark.slow
def test_eight_processes_at_once() -> None:
    """Pushing, fetching and reading in one project: the ledger has every run once, and no database is locked."""
    table = _benchmark("benchmarks.crowd", "--seconds", str(CROWD_SECONDS), seconds=180)
    assert "commands of 8 processes" in table
