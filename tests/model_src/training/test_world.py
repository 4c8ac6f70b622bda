"""Several processes: the same run as one process that computes the same parts."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.distributed.elastic.multiprocessing.errors import ProcessFailure

from model_src.config import TrainConfig
from model_src.training.checkpoint import load_checkpoint
from model_src.training.world import cause, join, processes
from tests.model_src.session_root import LOADED, PROGRAM, PROJECT, TINY, attach, changed, command, started, train
from tests.warm import run_warm

PARTED = changed(
    TINY,
    folds={"n": 2, "holdout": 0.2},
    train={"epochs": 2, "batch_size": 3, "micro_batches": 2, "validation_loss": True, "average_best": 2, "ema": 0.5},
    augment={"preset": "little"},
    evaluate={"worst": 0, "score_thresholds": [0.1, 0.5], "mask_thresholds": [0.3, 0.5], "min_areas": [500, 2000]},
    predict={"tta": "hflip", "weights": "average"},
)
"""Batches of 3 in parts of 2 and 1, so that the parts have different weights; the last batch is smaller.

Every process has one thread (see tests/conftest.py): how many threads add up a sum changes its last digits.
"""


def read(root: Path, name: str) -> Any:
    """A JSON file of the run's output."""
    return json.loads((root / "working" / name).read_text())


def epochs(root: Path) -> list[dict[str, Any]]:
    """The metrics of each epoch."""
    events = map(json.loads, (root / "working" / "metrics.jsonl").read_text().splitlines())
    return [event["metrics"] for event in events if event["event"] == "epoch"]


def assert_same(one: Path, two: Path) -> None:
    """Weights, metrics and files are equal, bit for bit."""
    assert epochs(one) == epochs(two)
    for fold in range(2):
        first, second = (load_checkpoint(root / "working" / f"fold{fold}.pth") for root in (one, two))
        for name, value in first["model"].items():
            assert value.numpy().tobytes() == second["model"][name].numpy().tobytes(), name
    for name in ("oof.csv", "submission.csv", "thresholds.csv", "oracle.csv", "folds.csv"):
        assert (one / "working" / name).read_bytes() == (two / "working" / name).read_bytes(), name
    first, second = read(one, "metrics.json"), read(two, "metrics.json")
    for part in ("primary", "metrics", "choice", "ablation", "oracle"):
        assert first[part] == second[part], part


@pytest.fixture(scope="module")
def alone(sample_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The root of a run of one process that computes each step in two parts."""
    root = tmp_path_factory.mktemp("alone")
    attach(root, sample_data)
    done = train(root, PARTED)
    assert done.returncode == 0, done.stderr
    return root


@pytest.mark.slow
def test_two_processes_are_as_one(sample_data: Path, alone: Path, tmp_path: Path) -> None:
    """They continue the run of a single process, each with one part of each step and every second batch."""
    attach(tmp_path, sample_data)
    done = train(tmp_path, changed(PARTED, train={"stop_after_steps": 2}))
    assert done.returncode == 0, done.stderr
    assert read(tmp_path, "metrics.json")["devices"] == ["cpu"]
    done = train(tmp_path, changed(PARTED, train={"resume_from": ".", "processes": 2}))
    assert done.returncode == 0, done.stderr
    assert_same(alone, tmp_path)
    left = read(tmp_path, "metrics.json")
    assert (left["devices"], left["resumed"]["step"]) == (["cpu", "cpu"], 2)
    assert done.stdout.count('"event": "end"') == 1
    # Only the files of the first process are kept.
    assert sorted(path.name for path in (tmp_path / "working").iterdir()) == sorted(
        path.name for path in (alone / "working").iterdir()
    )


@pytest.mark.slow
def test_started_by_torchrun(sample_data: Path, tmp_path: Path) -> None:
    """A run that torchrun has started in two processes does not start more."""
    attach(tmp_path, sample_data)
    torchrun = ("torch.distributed.run", "--standalone", "--nproc-per-node=2")
    (_, *module), settings = command(tmp_path, changed(PARTED, train={"stop_after_steps": 1, "processes": 2}))
    done = run_warm(PROGRAM[0], *torchrun, *module, cwd=settings["cwd"], env=settings["env"], loaded=LOADED)
    assert done.returncode == 0, done.stderr
    left = read(tmp_path, "metrics.json")
    assert (left["status"], left["devices"], left["stopped"]["step"]) == ("incomplete", ["cpu", "cpu"], 1)


@pytest.mark.slow
def test_what_goes_wrong_in_one_ends_all(sample_data: Path, tmp_path: Path) -> None:
    """The exit code is that of the failed process, the report has its error, and no process is left waiting."""
    attach(tmp_path, sample_data)
    done = train(tmp_path, changed(PARTED, data={"source": "ann/not-there"}, train={"processes": 2}))
    assert done.returncode == 1
    assert read(tmp_path, "metrics.json")["error"]["type"] == "InputMissing"
    assert "ann/not-there is not attached" in done.stderr


SECOND_FAILS = """
import os, signal, sys
from pathlib import Path
import torch
from model_src.output.report import Report, replace_error, described
from model_src.training.world import recorded_failures, is_launched, join, launch

if not is_launched():
    code, error = launch("program", 2)
    replace_error(Path(), error)
    sys.exit(code)
world, _ = join()
folder = Path() if world.is_first else Path("other")
with recorded_failures(world, described), Report(folder, experiment="e", run_id="r", digest="d"):
    if not world.is_first:
        {failure}
    world.add(torch.zeros(1))
"""


def test_a_process_that_was_killed_is_the_cause(tmp_path: Path) -> None:
    """Though the launcher hears of the other one first, which lost its connection."""
    ended, lost, killed = (
        ProcessFailure(local_rank=rank, pid=rank, exitcode=code, error_file=str(tmp_path / "none"))
        for rank, code in ((0, -15), (1, 1), (2, -9))
    )
    ended.timestamp, lost.timestamp, killed.timestamp = 1, 2, 3
    assert cause({0: ended, 1: lost, 2: killed}) == (2, killed)
    assert cause({0: ended, 1: lost}) == (1, lost)
    assert cause({0: ended}) == (0, ended)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("failure", "code", "told"),
    [
        ("raise ValueError('a bad image')", 1, "ValueError: a bad image"),
        ("os.kill(os.getpid(), signal.SIGKILL)", 137, "ProcessFailed: process 2 was ended by SIGKILL"),
    ],
    ids=["raises", "killed"],
)
def test_report_names_what_failed_in_another_process(failure: str, code: int, told: str, tmp_path: Path) -> None:
    """The first process sees only a broken connection to the second."""
    (tmp_path / "other").mkdir()
    (tmp_path / "program.py").write_text(SECOND_FAILS.replace("{failure}", failure))
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), str(PROJECT), os.environ["PYTHONPATH"]])}
    done = run_warm(PROGRAM[0], "program", cwd=tmp_path, env=environment, loaded=LOADED)
    assert done.returncode == code, done.stderr
    summary = json.loads((tmp_path / "metrics.json").read_text())
    assert summary["status"] == "error"
    assert f"{summary['error']['type']}: {summary['error']['message']}".startswith(told)


@pytest.mark.slow
def test_request_to_end_reaches_all(sample_data: Path, tmp_path: Path) -> None:
    """SIGTERM to the process that started them: state and report are saved, no process is left."""
    attach(tmp_path, sample_data)
    config = changed(PARTED, train={"processes": 2, "epochs": 500, "evaluate_every": 500})
    with started(tmp_path, config) as process:
        for line in process.output:
            if '"event": "epoch"' in line:
                break
        os.kill(process.id, signal.SIGTERM)
    assert process.returncode == 128 + signal.SIGTERM
    assert read(tmp_path, "metrics.json")["error"]["type"] == "SystemExit"
    assert (tmp_path / "working" / "resume.pth").exists()


@pytest.mark.parametrize(
    ("settings", "cards", "expected"),
    [
        ({}, 0, 1),
        ({}, 2, 2),
        ({"batch_size": 1}, 2, 1),
        ({"micro_batches": 1}, 2, 1),
        ({"micro_batches": 4}, 3, 2),
        ({"processes": 2}, 0, 2),
        ({"processes": 1}, 2, 1),
    ],
)
def test_number_of_processes(
    settings: dict[str, Any], cards: int, expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One per card, but each process has the same number of parts."""
    monkeypatch.setattr(torch.cuda, "device_count", lambda: cards)
    assert processes(TrainConfig(**settings)) == expected


@pytest.mark.parametrize(("settings", "cards"), [({"processes": 2}, 1), ({"processes": 4}, 3)])
def test_processes_do_not_share_a_card(settings: dict[str, Any], cards: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """NCCL refuses it later and in other words."""
    monkeypatch.setattr(torch.cuda, "device_count", lambda: cards)
    with pytest.raises(
        ValueError, match=f"{settings['processes']} processes need a graphics card each, .* has {cards}"
    ):
        processes(TrainConfig(**settings))


def test_torchrun_with_too_many_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process of theirs says so before it waits for the others."""
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    for name, value in {"RANK": "0", "WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1"}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ValueError, match="2 processes need a graphics card each"):
        join()


ONE_CARD = """
import sys
import torch
torch.cuda.device_count = lambda: 1
from model_src.train import main
sys.exit(main())
"""


def test_a_run_that_would_share_a_card_reports_it(tmp_path: Path) -> None:
    """No process is started; the report has the error."""
    (tmp_path / "program.py").write_text(ONE_CARD)
    _, settings = command(tmp_path, changed(TINY, train={"processes": 2}))
    paths = os.pathsep.join([str(tmp_path), settings["env"]["PYTHONPATH"]])
    done = run_warm("program", cwd=settings["cwd"], env={**settings["env"], "PYTHONPATH": paths}, loaded=LOADED)
    assert done.returncode == 1
    assert read(tmp_path, "metrics.json")["error"]["message"].startswith("2 processes need a graphics card each, and")
    assert "leave out train.processes" in done.stderr
