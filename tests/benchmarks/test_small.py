"""Benchmarks that run `coord` against a local Kaggle, each as small as it can be: they still run."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.paths import ROOT
from tests.warm import COMMANDS, run_warm

FETCH = "fetch --files 2 --latency 0 --repetitions 1"
STATUS = "status --runs 2 --latency 1 --no-one-by-one --repetitions 1"


@pytest.mark.parametrize(("line", "row"), [(FETCH, "| coord fetch-results "), (STATUS, "| queued, 2 running ")])
def test_a_benchmark_runs(line: str, row: str, tmp_path: Path) -> None:
    name, *arguments = line.split()
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([os.environ["PYTHONPATH"], str(ROOT)])}
    done = run_warm(f"benchmarks.{name}", *arguments, cwd=tmp_path, env=environment, loaded=COMMANDS)
    assert done.returncode == 0, done.stdout + done.stderr
    assert row in done.stdout
