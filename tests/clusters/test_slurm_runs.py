"""Runs on a real Slurm without accounting: their states, logs and outputs, and how they end."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from coordinator.errors import NoAccess, TargetError
from coordinator.project.project import Project
from coordinator.project.settings import Settings
from coordinator.target.cluster import ShellReply
from coordinator.target.kernel_ref import KernelRef
from coordinator.target.protocol import RunState
from coordinator.target.slurm.client import Slurm
from coordinator.target.slurm.findings import findings
from tests.clusters.engines import Slurm as Engine
from tests.clusters.slurm_target import (
    SAVES,
    ended,
    kernel,
    metadata,
    push,
    reached,
    running,
    target_at,
    text_of,
    uni as uni,
    until,
)
from tests.paths import ROOT


def test_a_run_from_its_push_to_its_files(uni: Slurm) -> None:
    ref = push(uni, "import sys\nprint('hello')\nopen('oof.csv', 'w').write('a,b')\nprint('bad', file=sys.stderr)")
    assert ref == KernelRef("ada", "smoke", 1)
    state = ended(uni, ref)
    assert (state.state, state.message, len(state.attempts)) == (RunState.COMPLETE, "", 1)
    texts = ["".join(each.data for each in uni.log(ref) if each.stream == stream) for stream in ("stdout", "stderr")]
    assert texts == ["hello\n", "bad\n"]
    (file,) = uni.outputs(ref)
    read = uni.open_output(file, offset=1)
    assert (file.name, b"".join(read.chunks)) == ("oof.csv", b",b")
    read.close()
    with pytest.raises(NoAccess, match="its folder is gone"):
        uni.state(KernelRef("ada", "smoke", 2))


def test_a_failed_run_and_its_reason(uni: Slurm) -> None:
    ref = push(uni, "raise SystemExit(7)")
    assert (ended(uni, ref).state, ended(uni, ref).message) == (RunState.ERROR, "the kernel ended with code 7")


def test_what_fails_before_the_kernel_is_said(slurm_cluster: Engine, tmp_path: Path) -> None:
    assert slurm_cluster.environment
    target = target_at(tmp_path / "root", setup=("echo no such module: cuda; exit 1",))
    state = ended(target, push(target, "print()"))
    assert state.state is RunState.ERROR
    assert state.message == "its job failed before the kernel started: no such module: cuda"


def test_what_can_never_run_is_refused_and_makes_nothing(slurm_cluster: Engine, tmp_path: Path) -> None:
    for values, said in (
        ({"partition": "nope"}, "Invalid partition name specified"),
        ({"extra": ("--gres=gpu:tesla_t4:9",)}, "Requested node configuration is not available"),
        ({"extra": ("--no-such-option",)}, "unrecognized option"),
    ):
        target = target_at(tmp_path / "root", **values)
        with pytest.raises(TargetError, match="can never run such a job") as refused:
            push(target, "print()")
        assert said in refused.value.what or said == "unrecognized option"
        assert target.source("ada", "smoke") is None
    target = target_at(tmp_path / "root", shapes={"NvidiaTeslaT4": ("--gres=gpu:tesla_t4:2",)})
    with pytest.raises(TargetError, match="has no request for the machine NvidiaTeslaP100"):
        push(target, "print()", machine_shape="NvidiaTeslaP100")
    with pytest.raises(TargetError, match="does not have what the kernel attaches: dataset ada/x"):
        push(target, "print()", dataset_sources=["ada/x"])
    assert target.source("ada", "smoke") is None
    assert slurm_cluster("squeue", "-h", "-o", "%j") == ""

    ref = push(target, "import os\nprint(os.environ['CUDA_VISIBLE_DEVICES'])", machine_shape="NvidiaTeslaT4")
    assert ended(target, ref).state is RunState.COMPLETE
    assert text_of(target, ref) == "0,1\n"


def test_cancel_of_a_waiting_run(uni: Slurm, slurm_cluster: Engine) -> None:
    slurm_cluster("sbatch", "--exclusive", "--output=/dev/null", "--wrap=sleep 600")
    ref = push(uni, "print('never')")
    # "Priority", as long as the job that it waits for has not begun.
    state = reached(uni, ref, lambda state: state.message == "Slurm: Resources")
    assert state.state is RunState.QUEUED
    assert uni.cancel(ref)
    assert ended(uni, ref).state is RunState.CANCELLED
    assert uni.log(ref) == []


def test_cancel_of_a_running_run_is_for_good(uni: Slurm, slurm_cluster: Engine) -> None:
    """The kernel saves; neither a requeue by hand nor a second job brings the run back."""
    ref = push(uni, SAVES)
    running(uni, ref)
    assert uni.cancel(ref)
    state = ended(uni, ref)
    assert (state.state, [each.reason for each in state.attempts]) == (RunState.CANCELLED, ["cancelled"])
    assert "saved" in text_of(uni, ref)
    folder = Path(uni.far.root) / "kernels" / "ada" / "smoke" / "v1"
    slurm_cluster("sbatch", "--wait", "--output=/dev/null", f"--chdir={folder}", "job.sh", str(folder))
    assert text_of(uni, ref).count("begun") == 1
    assert uni.cancel(ref), "again, it is no error"


def test_a_run_is_cancelled_by_its_mark_alone(uni: Slurm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """scancel was lost: the run notices by itself."""
    text = (ROOT / "coordinator" / "target" / "cluster" / "starter.py").read_text(encoding="utf-8")
    assert "BEAT = 10.0" in text
    (tmp_path / "starter.py").write_text(text.replace("BEAT = 10.0", "BEAT = 0.5"))
    monkeypatch.setattr("coordinator.target.cluster.place._STARTER", tmp_path / "starter.py")
    ref = push(uni, SAVES)
    running(uni, ref)
    uni.far.ask("cancel", ref=["ada", "smoke", 1])
    assert ended(uni, ref).state is RunState.CANCELLED


def test_a_run_whose_job_slurm_has_forgotten(uni: Slurm, slurm_cluster: Engine) -> None:
    """No accounting, and the job is gone from squeue: its own record is what is left; without one, it says so."""
    done, gone = push(uni, "print(1)"), push(uni, SAVES, "run-2")
    ended(uni, done)
    running(uni, gone)
    folder = Path(uni.far.root) / "kernels" / "ada" / "smoke"
    for version in (1, 2):
        for name in ("job", "claim"):
            (folder / f"v{version}" / name).write_text("999")
        meta = json.loads((folder / f"v{version}" / "meta.json").read_text())
        (folder / f"v{version}" / "meta.json").write_text(json.dumps(meta | {"run": f"other-{version}"}))
    assert uni.state(done).state is RunState.COMPLETE
    assert uni.state(gone).state is RunState.RUNNING, "it has given a sign of life"
    slurm_cluster("scancel", "--full", "--signal=KILL", "--name=run-2")
    until(lambda: "run-2" not in slurm_cluster("squeue", "-h", "-o", "%j"))
    alive = folder / "v2" / "alive"
    os.utime(alive, (0, 0))
    state = uni.state(gone)
    assert (state.state, state.message) == (RunState.ERROR, "Slurm does not know its job any more: it was ended")


def test_the_doctor_looks_at_all_that_a_push_needs(slurm_cluster: Engine, tmp_path: Path) -> None:
    assert slurm_cluster.environment
    project = Project(root=tmp_path, settings=Settings(owner="ada"))
    good = target_at(tmp_path / "root").settings
    assert good is not None
    found = {finding.check: finding for finding in findings(project, "uni", good, {"json": "json"})}
    assert list(found) == ["folder", "slurm", "shared", "requests", "python", "imports"]
    assert {finding.level for finding in found.values()} == {"ok"}
    assert found["shared"].what.endswith("which is the cluster's only machine")
    assert "without accounting" in found["slurm"].what
    bad = target_at(
        tmp_path / "root", partition="nope", python="/no/python3", shapes={"gpu": ("--gres=gpu:99",)}
    ).settings
    assert bad is not None
    first = list(findings(project, "uni", bad, {}))
    assert [finding.level for finding in first] == ["problem"]
    assert "cannot be started" in first[0].what
    worse = target_at(tmp_path / "root", partition="nope", setup=("exit 3",)).settings
    assert worse is not None
    levels = [(finding.check, finding.level) for finding in findings(project, "uni", worse, {})]
    assert levels == [
        ("folder", "ok"),
        ("slurm", "ok"),
        ("shared", "ok"),
        ("requests", "problem"),
        ("python", "problem"),
    ]


def test_states_of_many_runs_are_one_question(uni: Slurm, monkeypatch: pytest.MonkeyPatch) -> None:
    refs = [push(uni, f"print({number})", f"run-{number}", slug=f"k{number}") for number in range(3)]
    until(lambda: not any(state.state.is_active for state in uni.states(refs)))
    asked: list[object] = []
    run = uni.far.shell.run

    def counted(*arguments: Any, **options: Any) -> ShellReply:
        asked.append(arguments)
        return run(*arguments, **options)

    monkeypatch.setattr(uni.far.shell, "run", counted)
    assert [state.state for state in uni.states(refs)] == [RunState.COMPLETE] * 3
    assert len(asked) == 1


def test_pushed_again_it_is_one_job(uni: Slurm, slurm_cluster: Engine) -> None:
    text = kernel("print('once')", "run-1")
    pushed = [uni.push(metadata(), text, timeout_seconds=None).ref for _ in range(3)]
    assert len(set(pushed)) == 1
    assert ended(uni, pushed[0]).state is RunState.COMPLETE
    folders = slurm_cluster("squeue", "-h", "-t", "all", "--name=run-1", "-o", "%Z").split()
    assert folders.count(f"{uni.far.root}/kernels/ada/smoke/v1") == 1
