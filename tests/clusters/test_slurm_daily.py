"""The daily loop on Slurm, as commands; a run that its limit stops, and one that a more urgent job stops, go on."""

from __future__ import annotations

import hashlib
import json
import os
import re
import signal
import sys
from pathlib import Path

import psutil
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
    coord("push", "--exp", "base", *UNI, "--set", "train.steps=10000", "--set", "train.seconds=0.1")
    assert "base uni-v2 was cancelled" in coord("cancel", "--exp", "base", *UNI).stdout
    assert f"{ssh_host.name}:" in coord("doctor", *UNI, "--json").stdout


@pytest.mark.parametrize("way", ["here", "ssh"])
def test_what_ends_a_log_that_is_followed_leaves_nothing_behind(
    steps: MakeSteps, request: pytest.FixtureRequest, way: str
) -> None:
    """Ctrl-C, or a kill of coord: neither ssh nor the program on the far side goes on; the run does, with its log."""
    host = request.getfixturevalue("ssh_host") if way == "ssh" else None
    coord = steps(*([f'host = "{host.name}"'] if host else []))
    coord("push", "--exp", "base", *UNI, "--set", "train.steps=10000", "--set", "train.seconds=0.1")
    command = ("logs", "--exp", "base", *UNI, "--follow")
    with coord.start(*command) as interrupted, coord.start(*command) as killed:
        begun = []
        for follower in (interrupted, killed):
            assert follower.stdout is not None
            while "begun" not in follower.stdout.readline():
                pass
            begun += psutil.Process(follower.pid).children(recursive=True)
        begun += [each for each in host.engine.processes() if "-I" in each.cmdline()] if host else []
        assert len(begun) == (4 if host else 2), begun
        os.killpg(interrupted.pid, signal.SIGINT)
        killed.kill()
        _, said = interrupted.communicate(timeout=60)
    assert (interrupted.returncode, said.splitlines()[-1]) == (130, "interrupted")
    _, alive = psutil.wait_procs(begun, timeout=10)
    assert alive == []
    coord("cancel", "--exp", "base", *UNI)
    log = coord("logs", "--exp", "base", *UNI).stdout
    assert (log.count("begun at the start"), log.count("saved")) == (1, 1)


@pytest.mark.slow
def test_a_time_limit_is_no_end(steps: MakeSteps) -> None:
    """Warned, saved, requeued by its own job: one run with two starts, one log, and the results of one start."""
    coord = steps('time = "1"', "signal_before = 55")
    # Slurm looks at its limits every 30 s: the first start takes longer than that, and the second one none of it.
    coord("push", "--exp", "base", *UNI, "--set", "train.seconds=0.5", "--set", "train.steps=80")
    coord("push", "--exp", "base", *UNI, "--force", "--set", "train.steps=80")
    until(lambda: '"next": "requeue"' in _attempts(coord))
    until(lambda: "was stopped, waits for its 2nd start" in _row(coord, "uni-v1"))
    until(lambda: '"next": "end"' in _attempts(coord))
    assert re.search(r"COMPLETE .* 2nd start", _row(coord, "uni-v1"))
    assert "COMPLETE" in _row(coord, "uni-v2")
    straight = _oof(coord, 2)

    log = coord("logs", "--exp", "base", *UNI, "--version", "1").stdout
    assert log.count("begun at the start") == 1
    assert log.count("\nsaved\n") == log.count("begun at a saved step") == 1
    assert _oof(coord, 1) == straight


@pytest.mark.slow
@pytest.mark.clusters_only
def test_a_limit_that_is_shorter_than_the_loading(steps: MakeSteps) -> None:
    """Two starts of a program that never gets to train are enough: the run ends, and says what it needs."""
    coord = steps('time = "1"', "signal_before = 55", "requeues = 9")
    program = coord.root / "steps_model" / "train.py"
    program.write_text(program.read_text().replace("signal.signal(", "print('loads')\ntime.sleep(600)\nsignal.signal("))
    coord("push", "--exp", "base", *UNI)
    until(lambda: '"next": "requeue"' in _attempts(coord))
    waits = "start 1 had saved nothing new.*was stopped, waits for its 2nd start"
    until(lambda: re.search(waits, _row(coord, "uni-v1")) is not None)
    until(lambda: '"next": "end"' in _attempts(coord))
    (run,) = coord.json("status")
    assert run["attempts"] == 2
    assert run["message"].endswith(
        "its last 2 starts had saved nothing new when the time limit came: it needs a longer `time`"
    )
    log = coord("logs", "--exp", "base", *UNI).stdout
    assert log.count("loads") == 2
    assert log.count("the run ends, for another start would not come further") == 1


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


def _attempts(coord: Coord) -> str:
    """The own record of the first version: it is read without a command."""
    file = coord.root.parent / "root" / "kernels" / "ada" / "steps-base" / "v1" / "attempts.jsonl"
    return file.read_text(encoding="utf-8") if file.exists() else ""


def _row(coord: Coord, run: str) -> str:
    return next(line for line in coord("status").stdout.splitlines() if run in line)


@pytest.mark.slow
def test_a_preempted_run_goes_on(steps: MakeSteps, slurm_cluster: Engine, tmp_path: Path) -> None:
    coord = steps('partition = "gpu"')
    coord("push", "--exp", "base", *UNI, "--set", "train.seconds=0.1", "--set", "train.steps=50")
    log = tmp_path / "root" / "kernels" / "ada" / "steps-base" / "v1" / "log.jsonl"
    until(lambda: log.exists() and "begun" in log.read_text())
    slurm_cluster("sbatch", "--partition=urgent", "--exclusive", "--output=/dev/null", "--wrap=sleep 1")
    until(lambda: '"next": "end"' in _attempts(coord))
    assert "COMPLETE" in _wait(coord)
    text = coord("logs", "--exp", "base", *UNI).stdout
    assert text.count("begun at a saved step") == 1
    assert _attempts(coord).count('"started"') == 2
    assert '"TERM"' in _attempts(coord)
