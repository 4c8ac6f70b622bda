"""The daily loop on Slurm, as commands; a run that its limit stops, and one that a more urgent job stops, go on."""

from __future__ import annotations

import hashlib
import json
import re
import sys
import time
from pathlib import Path

import pytest

from tests.clusters.engines import Slurm as Engine, SshHost
from tests.clusters.slurm_target import until
from tests.clusters.steps import MakeSteps, steps as steps
from tests.coordinator.command import Coord

UNI = ("--target", "uni")


def _wait(coord: Coord, experiment: str = "base") -> str:
    """Waits for the end of the newest run; returns its row of `coord status`."""
    row = ""

    def has_ended() -> bool:
        nonlocal row
        row = next(line for line in coord("status").stdout.splitlines() if line.startswith(f"{experiment} "))
        return not any(word in row for word in ("QUEUED", "RUNNING", "PUSHING"))

    until(has_ended)
    return row


def _oof(coord: Coord, version: int, *, to: str = "uni") -> str:
    coord("fetch-results", "--exp", "base", "--target", to, "--version", str(version))
    file = coord.root / "results" / "base" / f"{to}-v{version}" / "oof.csv"
    return hashlib.sha256(file.read_bytes()).hexdigest()


def test_the_daily_loop_through_ssh(steps: MakeSteps, ssh_host: SshHost) -> None:
    """push, logs --follow, status, fetch-results, cancel, doctor: one shared connection to the login node."""
    coord = steps(f'host = "{ssh_host.name}"')
    assert "pushed base uni-v1" in coord("push", "--exp", "base", *UNI).stderr
    assert "begun at the start" in coord("logs", "--exp", "base", *UNI, "--follow").stdout
    assert "COMPLETE" in _wait(coord)
    _oof(coord, 1)
    shown = json.loads(coord("status", "--json").stdout)
    assert "0.5" in json.dumps(shown)
    coord("push", "--exp", "base", *UNI, "--set", "train.seconds=60")
    assert "base uni-v2 was cancelled" in coord("cancel", "--exp", "base", *UNI).stdout
    assert f"{ssh_host.name}:" in coord("doctor", *UNI, "--json").stdout


@pytest.mark.slow
def test_a_time_limit_is_no_end(steps: MakeSteps) -> None:
    """Warned, saved, requeued by its own job: one run with two starts, one log, and the results of one start."""
    coord = steps('time = "1"', "signal_before = 55")
    coord("push", "--exp", "base", *UNI, "--set", "train.seconds=0.2", "--set", "train.steps=150")
    coord("push", "--exp", "base", *UNI, "--force", "--set", "train.steps=150")
    rows: list[str] = []

    def has_ended() -> bool:
        rows.append(_row(coord, "uni-v1"))
        return "COMPLETE" in rows[-1]

    until(has_ended)
    assert any("was stopped, waits for its 2nd start" in row for row in rows), rows
    assert re.search(r"2nd start|3rd start", rows[-1])
    assert "COMPLETE" in _row(coord, "uni-v2")
    straight = _oof(coord, 2)

    log = coord("logs", "--exp", "base", *UNI, "--version", "1").stdout
    assert log.count("begun at the start") == 1
    assert log.count("\nsaved\n") == log.count("begun at a saved step") >= 1
    assert _oof(coord, 1) == straight


def test_the_states_of_many_runs_are_one_question(steps: MakeSteps, slurm_cluster: Engine, tmp_path: Path) -> None:
    """A line of `questions` is one start of the far side's program: the login node is not asked run by run."""
    questions, program = tmp_path / "questions", tmp_path / "python"
    program.write_text(f'#!/bin/sh\n[ "$1" = -I ] && echo question >>{questions}\nexec {sys.executable} "$@"\n')
    program.chmod(0o755)
    coord = steps(python=program)
    slurm_cluster("sbatch", "--exclusive", "--output=/dev/null", "--wrap=sleep 600")
    coord("sweep", "base", "--grid", "train.steps=3,4,5,6", *UNI)
    questions.unlink()
    shown = coord("status").stdout
    assert "QUEUED" in shown
    assert "4 queued" in shown
    assert questions.read_text() == "question\n"


def _row(coord: Coord, run: str) -> str:
    return next(line for line in coord("status").stdout.splitlines() if run in line)


@pytest.mark.slow
def test_a_preempted_run_goes_on(steps: MakeSteps, slurm_cluster: Engine, tmp_path: Path) -> None:
    coord = steps('partition = "gpu"')
    coord("push", "--exp", "base", *UNI, "--set", "train.seconds=0.2", "--set", "train.steps=200")
    log = tmp_path / "root" / "kernels" / "ada" / "steps-base" / "v1" / "log.jsonl"
    until(lambda: log.exists() and "begun" in log.read_text())
    begun = time.monotonic()
    slurm_cluster("sbatch", "--partition=urgent", "--exclusive", "--output=/dev/null", "--wrap=sleep 1")
    until(lambda: "saved" in log.read_text() or time.monotonic() - begun > 40)
    assert "COMPLETE" in _wait(coord)
    text = coord("logs", "--exp", "base", *UNI).stdout
    assert text.count("begun at a saved step") == 1
    attempts = (log.parent / "attempts.jsonl").read_text()
    assert attempts.count('"started"') == 2
    assert '"TERM"' in attempts
