"""A continued run has the same weights and metrics, bit for bit, as one that was not stopped."""

from __future__ import annotations

import functools
import itertools
import json
import os
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from model_src import config as settings
from model_src.data.folds import make_folds
from model_src.data.inputs import InputMissing
from model_src.identity import identify
from model_src.output.report import Report
from model_src.train import cross_validate, prepare, run_experiment
from model_src.training import resume
from model_src.training.checkpoint import DamagedCheckpoint, load_checkpoint, save_checkpoint
from model_src.training.run import Run
from model_src.training.stopping import OutOfTime, Stop
from tests.model_src.session_root import TINY, attach, changed, started, train

QUICK = changed(
    TINY,
    data={"limit": 8},
    evaluate={
        "oracle": False,
        "ablation": False,
        "worst": 0,
        "score_thresholds": [0.5],
        "mask_thresholds": [0.5],
        "min_areas": [1000],
    },
    train={"epochs": 2, "batch_size": 1, "patience": 0, "checkpoint_every": 0},
    augment={"preset": "more"},
)
"""Two folds of two epochs, with two steps in the first and four in the second, without the analysis."""

pytestmark = pytest.mark.usefixtures("narrow_here")

Experiment = Callable[..., Path]


@pytest.fixture
def experiment(sample_data: Path, monkeypatch: pytest.MonkeyPatch) -> Experiment:
    """Runs an experiment in this process in a session root, and returns the root."""

    def do(root: Path, config: Mapping[str, Any], earlier: Path | None = None, **how: Any) -> Path:
        return experiment_in(root, config, sample_data, earlier, monkeypatch, **how)

    return do


def experiment_in(
    root: Path,
    config: Mapping[str, Any],
    data: Path,
    earlier: Path | None,
    monkeypatch: pytest.MonkeyPatch,
    clock: Callable[[], float] = time.monotonic,
    work: Callable[[Run], object] = run_experiment,
) -> Path:
    """One run in `root`, with the output of the run in the root `earlier` attached as a kernel's."""
    if not (root / "input").exists():
        attach(root, data)
    if earlier is not None:
        (root / "input" / "notebooks" / "ann").mkdir(parents=True)
        (root / "input" / "notebooks" / "ann" / "siim-tiny").symlink_to(earlier / "working")
    (root / "working").mkdir(exist_ok=True)
    (root / "config.json").write_text(json.dumps(config))
    monkeypatch.chdir(root / "working")
    monkeypatch.setenv("COORD_KAGGLE_ROOT", str(root))
    with Report(Path(), experiment="tiny", run_id="1", digest="2") as report:
        try:
            work(prepare(settings.load(root / "config.json"), report, Stop(clock)))
        except OutOfTime as reason:
            report.incomplete(str(reason))
    return root


@pytest.fixture(scope="module")
def uninterrupted(sample_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The root of a run that was not stopped."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        return experiment_in(tmp_path_factory.mktemp("whole"), QUICK, sample_data, None, monkeypatch)


def summary(root: Path) -> dict[str, Any]:
    """metrics.json."""
    return dict(json.loads((root / "working" / "metrics.json").read_text()))


def epochs(root: Path, seed: int | None = None) -> list[tuple[int, int, int, dict[str, float]]]:
    """Fold, epoch, step and metrics of each reported epoch, of the first repeat or of the one with this seed."""
    events = map(json.loads, (root / "working" / "metrics.jsonl").read_text().splitlines())
    return [
        (e["fold"], e["epoch"], e["step"], e["metrics"])
        for e in events
        if e["event"] == "epoch" and e.get("seed") == seed
    ]


load_once = functools.cache(load_checkpoint)


def assert_same_fold(one: Path, other: Path) -> None:
    """Two checkpoints of finished folds have the same weights, to the last bit. The first one does not change."""
    first, second = load_once(one), load_checkpoint(other)
    assert (first["epoch"], first["value"], first["finished"]) == (second["epoch"], second["value"], True)
    assert first.keys() == second.keys()
    for weights in first.keys() & {"model", "average"}:
        assert first[weights].keys() == second[weights].keys()
        for name, value in first[weights].items():
            assert value.numpy().tobytes() == second[weights][name].numpy().tobytes(), name


def assert_same(one: Path, other: Path, *, folds: Sequence[int] = (0, 1)) -> None:
    """Weights, out-of-fold rows, submission and metrics of two runs are equal, bit for bit.

    The second run, which may have fewer folds, is complete, and no state is left.
    """
    for fold in folds:
        assert_same_fold(one / "working" / f"fold{fold}.pth", other / "working" / f"fold{fold}.pth")
    assert [each for each in epochs(one) if each[0] in folds] == epochs(other)
    assert summary(other)["status"] == "complete"
    assert not list((other / "working").glob("resume*"))
    if len(folds) == 2:
        for name in ("oof.csv", "submission.csv"):
            assert (one / "working" / name).read_bytes() == (other / "working" / name).read_bytes()
        assert summary(one)["metrics"] == summary(other)["metrics"]


@pytest.mark.parametrize("place", [(1, 0, 1, 1), (2, 0, 1, 2), (4, 0, 2, 2), (9, 1, 2, 1)], ids=str)
def test_run_that_is_continued_is_the_run_that_was_not_stopped(
    experiment: Experiment, uninterrupted: Path, tmp_path: Path, place: tuple[int, int, int, int]
) -> None:
    """Stopped in an epoch, at its end, at the end of the fold, in the other fold; continued from the attached output.

    A place is the steps that are done, and the fold, epoch and step in the epoch where that is.
    """
    stopped_after, *rest = place
    where = dict(zip(("fold", "epoch", "step"), rest, strict=True))
    first = experiment(tmp_path / "first", changed(QUICK, train={"stop_after_steps": stopped_after}))
    left = summary(first)
    assert (left["status"], left["error"]) == ("incomplete", None)
    assert left["stopped"] == {"reason": f"stop_after_steps is {stopped_after}", **where}
    second = experiment(tmp_path / "second", changed(QUICK, train={"resume_from": "ann/siim-tiny"}), first)
    assert summary(second)["resumed"] == {"from": "ann/siim-tiny", **where}
    assert_same(uninterrupted, second)


def test_moving_average_goes_on_where_it_was(experiment: Experiment, tmp_path: Path) -> None:
    """Stopped within an epoch and continued: the average, which is evaluated and kept, is the same, bit for bit.

    So are focal loss and strong augmentation. Kept weights are not those of the last step.
    """
    config = changed(
        QUICK,
        folds={"run": [0]},
        model={"mask_loss": {"focal": 1.0}},
        train={"ema": 0.75, "validation_loss": True},
        augment={"preset": "strong"},
        predict={"tta": "hflip"},
    )
    whole = experiment(tmp_path / "whole", config)
    first = experiment(tmp_path / "first", changed(config, train={"stop_after_steps": 3}))
    second = experiment(tmp_path / "second", changed(config, train={"resume_from": "ann/siim-tiny"}), first)
    assert summary(second)["resumed"] == {"from": "ann/siim-tiny", "fold": 0, "epoch": 2, "step": 1}
    assert_same(whole, second, folds=[0])
    last = load_checkpoint(second / "working" / "fold0.state.pth")
    kept = [last["ema"]["module.rpn.head.cls_logits.weight"], last["model"]["rpn.head.cls_logits.weight"]]
    assert not torch.equal(*kept)


def test_each_fold_starts_from_its_own_weights(
    experiment: Experiment, uninterrupted: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """From those of an earlier run on smaller images; other folds, which would leak, are refused before the training.

    A run that predicts mirrored images and was not trained on any says so.
    """
    own = {"weights": "fold{fold}.pth", "weights_source": "ann/siim-tiny"}
    larger = changed(
        QUICK,
        data={"image_size": 96},
        model=own,
        train={"epochs": 1},
        augment={"preset": "none"},
        predict={"tta": "hflip"},
    )
    experiment(tmp_path / "larger", larger, uninterrupted)
    told = capsys.readouterr().out
    for fold in (0, 1):
        assert f"tensors loaded from fold{fold}.pth" in told
    assert "was trained on all images but those of its own fold" not in told
    assert "the models were never trained on a mirrored image" in told
    with pytest.raises(
        ValueError, match=r"fold0.pth was trained on other images than fold 0 .* set folds.n, folds.seed"
    ):
        experiment(tmp_path / "leaking", changed(larger, folds={"seed": 11}), uninterrupted)
    assert not list((tmp_path / "leaking" / "working").glob("fold*.pth"))


def test_damaged_state_gives_way_to_the_one_before(
    experiment: Experiment, uninterrupted: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A truncated state, or one with a wrong bit, is ignored with a message; the result is the same."""
    config = changed(QUICK, folds={"run": [1]})
    experiment(tmp_path, changed(config, train={"checkpoint_every": 1, "stop_after_steps": 2}))
    working = tmp_path / "working"
    bits = bytearray((working / "resume.pth").read_bytes())
    bits[len(bits) // 2] ^= 1
    (working / "resume.pth").write_bytes(bits)
    with pytest.raises(DamagedCheckpoint, match="is damaged"):
        load_checkpoint(working / "resume.pth")
    experiment(tmp_path, changed(config, train={"resume_from": ".", "time_limit_seconds": 0.001}))
    assert "resume.pth is damaged or was not written completely: ignored" in capsys.readouterr().out
    assert summary(tmp_path)["resumed"] == {"from": ".", "fold": 1, "epoch": 1, "step": 1}
    assert "s of the limit of 0 s are over" in summary(tmp_path)["stopped"]["reason"]
    for name in ("resume.pth", "resume.previous.pth"):
        (working / name).write_bytes((working / name).read_bytes()[:-100_000])
    experiment(tmp_path, changed(config, train={"resume_from": "."}))
    assert summary(tmp_path)["resumed"] is None
    assert_same(uninterrupted, tmp_path, folds=[1])


def test_processes_that_are_killed_and_asked_to_end(sample_data: Path, uninterrupted: Path, tmp_path: Path) -> None:
    """SIGKILL between two states, SIGTERM at a step, a limit of steps, then to the end: the same results.

    Started with the same setting each time, `resume_from: .`, the first time with nothing to go on from.
    """
    attach(tmp_path, sample_data)

    def config(**settings: Any) -> dict[str, Any]:
        return changed(QUICK, folds={"run": [1]}, train={"resume_from": ".", **settings})

    def end(until: str, number: int, **settings: Any) -> int | None:
        with started(tmp_path, config(**settings)) as process:
            for line in process.output:
                if until in line:
                    os.kill(process.id, number)
                    break
        return process.returncode

    # The result must not depend on the step at which the signals arrive.
    assert end("step 1/4", signal.SIGKILL, checkpoint_every=1, log_every=1) == -signal.SIGKILL
    assert (tmp_path / "working" / "resume.pth").exists()
    assert end("continues in epoch", signal.SIGTERM) == 128 + signal.SIGTERM
    assert summary(tmp_path)["error"]["type"] == "SystemExit"
    assert train(tmp_path, config(stop_after_steps=1)).returncode == 0
    assert summary(tmp_path)["status"] == "incomplete"
    assert train(tmp_path, config()).returncode == 0
    assert_same(uninterrupted, tmp_path, folds=[1])


def leaping(name: str, text: str = "", *, times: int = 1, spare: int = 0) -> Callable[[], float]:
    """A clock for a run of 10 000 s in the working directory: it advances by a second at each call.

    When a file has a text `times` times, and after `spare` more calls, only the last seconds of the run are left.
    """
    looks = itertools.count()
    spared = itertools.count()

    def read() -> float:
        path = Path(name)
        is_there = path.exists() and path.read_text(errors="replace").count(text) >= times
        return next(looks) + (9_990 if is_there and next(spared) >= spare else 0)

    return read


def test_run_without_time_for_its_ending_is_continued(
    experiment: Experiment, uninterrupted: Path, tmp_path: Path
) -> None:
    """All folds are finished, without time for the rest: incomplete; the continued run has the same results.

    A run that continues with too little time reports how much it needs. Neither trains anything.
    """
    limited = changed(QUICK, train={"time_limit_seconds": 10_000})
    first = experiment(tmp_path / "first", limited, clock=leaping("metrics.jsonl", '"event": "fold"', times=2))
    left = summary(first)
    assert (left["status"], left["error"], left["stages"].keys()) == ("incomplete", None, {"data", "train", "evaluate"})
    assert "s of the limit of 10000 s are left" in left["stopped"]["reason"]
    assert len(left["metrics"][0]["folds"]) == 2
    assert not (first / "working" / "submission.csv").exists()
    limited["train"]["resume_from"] = "ann/siim-tiny"
    second = experiment(tmp_path / "second", limited, first, clock=leaping("metrics.jsonl", '"event": "fold"', times=2))
    assert summary(second)["status"] == "incomplete"
    assert "is too short for it even when nothing is left to train" in summary(second)["stopped"]["reason"]
    third = experiment(tmp_path / "third", limited, second)
    assert_same(uninterrupted, third)
    assert ["train" in summary(root)["stages"] for root in (first, second, third)] == [True, False, False]


@pytest.mark.parametrize(
    ("spare", "said"),
    [(0, "bottlenecks are not analysed: it takes about"), (1, "the time is over after 1 of 4 images")],
)
def test_bottleneck_is_left_out_without_time_for_it(
    experiment: Experiment, tmp_path: Path, capsys: pytest.CaptureFixture[str], spare: int, said: str
) -> None:
    """The run is complete without the analysis, which is not begun, or stopped when it takes too long."""
    config = changed(
        QUICK, folds={"run": [0]}, evaluate={"oracle": True}, train={"epochs": 1, "time_limit_seconds": 10_000}
    )
    root = experiment(tmp_path, config, clock=leaping("submission.csv", spare=spare))
    assert summary(root)["status"] == "complete"
    assert summary(root)["oracle"] is None
    assert said in capsys.readouterr().out
    assert {path.name for path in (root / "working").iterdir()} >= {"submission.csv", "thresholds.csv"}
    assert not (root / "working" / "oracle.csv").exists()


def test_repeats_are_runs_with_other_seeds_on_the_same_folds(
    experiment: Experiment, uninterrupted: Path, tmp_path: Path
) -> None:
    """The first is the run without repeats; the second is a run with the next seed, even if it is stopped.

    Stopped by a limit of steps in a fold of the repeat, then by its time before that, finally complete.
    """
    twice = changed(QUICK, repeat=2)
    first = experiment(tmp_path / "first", changed(twice, train={"stop_after_steps": 12 + 4 + 1}))
    where = {"seed": 4, "fold": 1, "epoch": 1, "step": 1}
    assert summary(first)["stopped"] == {"reason": "stop_after_steps is 17", **where}
    assert (summary(first)["status"], summary(first)["repeats"]) == ("incomplete", None)
    files = ("submission.csv", "oof.csv")
    for name in files:
        assert (first / "working" / name).read_bytes() == (uninterrupted / "working" / name).read_bytes()

    on = changed(twice, train={"resume_from": "ann/siim-tiny"})
    limited = changed(on, train={"time_limit_seconds": 10_000})
    second = experiment(tmp_path / "second", limited, first, clock=leaping("submission.csv"))
    assert summary(second)["status"] == "incomplete"
    assert '"stopped before seed 4, fold 0: it takes about ' in (second / "working" / "metrics.jsonl").read_text()

    third = experiment(tmp_path / "third", on, second)
    assert summary(third)["resumed"] == {"from": "ann/siim-tiny", **where}
    assert_same(uninterrupted, third)

    def on_the_first_folds(this: Run) -> None:
        cross_validate(this, make_folds(replace(this.config, seed=3), this.data))

    alone = experiment(tmp_path / "alone", changed(QUICK, seed=4), work=on_the_first_folds)
    for fold in (0, 1):
        assert_same_fold(alone / "working" / f"fold{fold}.pth", third / "working" / f"fold{fold}.seed4.pth")
    assert epochs(alone) == epochs(third, seed=4) != epochs(third)
    assert (alone / "working" / "oof.csv").read_bytes() == (third / "working" / "oof.seed4.csv").read_bytes()
    values = [summary(root)["primary"]["value"] for root in (uninterrupted, alone)]
    assert summary(third)["repeats"] == {
        "metric": "cv/dice",
        "mode": "max",
        "values": [{"seed": 3, "value": values[0]}, {"seed": 4, "value": values[1]}],
        "mean": pytest.approx(sum(values) / 2),
        "sd": pytest.approx(abs(values[0] - values[1]) / 2**0.5),
        "n": 2,
    }


def test_more_epochs_of_a_finished_run_are_a_run_of_that_many(experiment: Experiment, tmp_path: Path) -> None:
    """A finished run is continued for one more epoch, stopped in it, and continued to the end: the same weights,
    metrics and mean of the best epochs as without a stop, also in the fold that the stopped run did not reach.

    The average is the mean of both epochs, whichever is the best.
    """
    config = changed(QUICK, train={"average_best": 2}, predict={"weights": "average"})
    again = changed(config, train={"resume_from": "ann/siim-tiny"})
    whole = experiment(tmp_path / "whole", config)
    first = experiment(tmp_path / "first", changed(config, train={"epochs": 1}))
    second = experiment(tmp_path / "second", changed(again, train={"stop_after_steps": 2}), first)
    where = {"fold": 0, "epoch": 2}
    assert summary(second)["resumed"] == {"from": "ann/siim-tiny", **where, "step": 0}
    assert summary(second)["stopped"] == {"reason": "stop_after_steps is 2", **where, "step": 2}
    third = experiment(tmp_path / "third", again, second)
    assert summary(third)["resumed"] == {"from": "ann/siim-tiny", **where, "step": 2}
    assert_same(whole, third)

    state, kept = load_checkpoint(second / "working" / "resume.pth"), load_checkpoint(whole / "working" / "fold0.pth")
    ((number, value, earlier),) = state["progress"]["best"]
    assert (number, value) == (1, kept["history"][0]["metrics"]["val/dice"])
    assert sorted(kept["averaged"]) == [1, 2]
    later = state["model"]
    assert any(not torch.equal(earlier[name], later[name]) for name in earlier)
    for name, tensor in kept["average"].items():
        both = [each[name].numpy() for each in (earlier, later)]
        best = kept["model"][name].numpy()
        assert np.array_equal(best, both[kept["epoch"] - 1])
        mean = np.mean(both, axis=0, dtype=np.float64).astype(np.float32)
        assert np.array_equal(tensor.numpy(), mean if tensor.is_floating_point() else best)


def test_fold_that_had_stopped_goes_on_with_more_patience(experiment: Experiment, tmp_path: Path) -> None:
    """The same as with this patience from the start; with more epochs only, it would have stopped as before."""
    # All instances are ignored, so the dice is constant, and the first epoch stays the best.
    config = changed(QUICK, folds={"run": [0]}, train={"epochs": 9, "patience": 1}, predict={"score_threshold": 1.0})
    stopped = experiment(tmp_path / "stopped", config)
    assert [epoch for _, epoch, _, _ in epochs(stopped)] == [1, 2]
    patient = changed(config, train={"patience": 2})
    on = experiment(tmp_path / "on", changed(patient, train={"resume_from": "ann/siim-tiny"}), stopped)
    assert [epoch for _, epoch, _, _ in epochs(on)] == [1, 2, 3]
    assert_same(experiment(tmp_path / "whole", patient), on, folds=[0])


def test_state_of_another_config_is_refused(experiment: Experiment, tmp_path: Path) -> None:
    """The message names each different value; settings that do not change weights may differ."""
    config = changed(QUICK, folds={"run": [0]}, train={"stop_after_steps": 1})
    first = experiment(tmp_path / "first", config)
    other = changed(
        config,
        optim={"lr": 0.1},
        seed=3,
        train={"resume_from": "ann/siim-tiny", "epochs": 3, "batch_size": 2, "log_every": 1},
    )
    with pytest.raises(ValueError, match=r"optim\.lr was 0\.005, is 0\.1; train\.batch_size was 1, is 2$"):
        experiment(tmp_path / "other", other, first)
    fewer = changed(config, train={"resume_from": "ann/siim-tiny"}, data={"limit": 10})
    with pytest.raises(ValueError, match=r"data\.limit was 8, is 10; the labelled images or their folds"):
        experiment(tmp_path / "fewer", fewer, first)


def test_best_epoch_is_the_monitored_metrics(experiment: Experiment, tmp_path: Path) -> None:
    """With the validation loss as the monitored metric, the fold keeps the epoch with the lowest one."""
    config = changed(
        QUICK,
        folds={"run": [0]},
        train={"epochs": 3, "monitor": "val/loss_positive", "monitor_mode": "min", "validation_loss": False},
        predict={"score_threshold": 1.0},
    )
    root = experiment(tmp_path, config)
    losses = {epoch: metrics["val/loss_positive"] for _, epoch, _, metrics in epochs(root)}
    assert len({metrics["val/dice"] for *_, metrics in epochs(root)}) == 1
    assert len(set(losses.values())) == 3
    kept = load_checkpoint(root / "working" / "fold0.pth")
    assert (kept["epoch"], kept["value"]) == min(losses.items(), key=lambda item: item[1])


def test_last_states_take_no_more_room_than_they_may(tmp_path: Path) -> None:
    """A state that does not fit is not written, and an older one of the fold is removed; replacing one fits."""

    def save(fold: int, *, mib: float) -> bool:
        state = {"fold": fold, "suffix": "", "progress": {"best": []}, "model": {"weight": torch.zeros(1 << 18)}}
        return resume.save_last(tmp_path, state, gib=mib / 1024)

    assert [save(0, mib=2.5), save(0, mib=2.5), save(1, mib=2.5), save(2, mib=2.5)] == [True, True, True, False]
    assert not save(1, mib=0)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["fold0.state.pth"]


def test_state_of_a_repeat_is_not_the_first_ones(tmp_path: Path) -> None:
    """Though the fold has the same number: a damaged fold of the first repeat starts again."""
    config = settings.Config()
    first = identify(config, 0, [])
    repeat = identify(replace(config, seed=1), 0, [], suffix=".seed1")
    save_checkpoint(tmp_path / "resume.pth", {**repeat, "progress": {"epoch": 1, "step": 1}})
    said: list[str] = []
    assert resume.unfinished_fold(tmp_path, first, said.append) == {}
    assert resume.unfinished_fold(tmp_path, repeat, said.append).items() >= repeat.items()
    assert said == []


def test_nothing_to_continue_from(tmp_path: Path) -> None:
    """An attached output without a state is an error that lists its content; an empty working directory is not."""
    output = tmp_path / "input" / "notebooks" / "ann" / "siim-tiny"
    output.mkdir(parents=True)
    (output / "metrics.json").touch()
    said: list[str] = []
    with pytest.raises(InputMissing, match=r"(?s)ann/siim-tiny has left no state to continue from.*metrics\.json"):
        resume.find_earlier("ann/siim-tiny", root=tmp_path, say=said.append)
    with pytest.raises(InputMissing, match="bob/siim-other is not attached"):
        resume.find_earlier("bob/siim-other", root=tmp_path, say=said.append)
    (output / "deeper").mkdir()
    (output / "deeper" / "fold0.pth").touch()
    assert resume.find_earlier("ann/siim-tiny", root=tmp_path, say=said.append) == output / "deeper"
    assert said == []


@pytest.mark.parametrize("name", ["fold0.pth", "resume.pth", "resume.previous.pth"])
@pytest.mark.parametrize("differs", ["config", "pictures"])
def test_fold_of_another_run_is_not_gone_on_with(tmp_path: Path, name: str, differs: str) -> None:
    """Whether it was finished or not: its config or its images are not the same."""
    config = settings.to_dict(settings.Config(train=settings.TrainConfig(epochs=2)))
    identity = {"fold": 0, "suffix": "", "config": config, "pictures": "ab"}
    history = [{"epoch": epoch, "metrics": {"val/dice": 0.5}} for epoch in (1, 2)]
    finished = {"finished": True, "epoch": 2, "value": 0.5, "history": history}
    save_checkpoint(tmp_path / name, {**identity, **finished, "progress": {"epoch": 1, "step": 1}})
    others: dict[str, dict[str, Any]] = {
        "config": {"config": changed(config, optim={"lr": 0.1})},
        "pictures": {"pictures": "cd"},
    }

    def look(wanted: dict[str, Any]) -> dict[str, Any]:
        if name == "fold0.pth":
            return resume.finished_fold(tmp_path, wanted, tmp_path, print)
        return resume.unfinished_fold(tmp_path, wanted, print)

    assert look(identity)
    with pytest.raises(ValueError, match=rf"{name} belongs to another run and can't be continued"):
        look({**identity, **others[differs]})


def test_the_state_before_the_last_is_kept(tmp_path: Path) -> None:
    """A machine that loses power while the last one is written leaves the one before."""
    for step in (1, 2, 3):
        resume.save_progress(tmp_path, {"step": step})
    kept = {path.name: load_checkpoint(path)["step"] for path in tmp_path.iterdir()}
    assert kept == {"resume.pth": 3, "resume.previous.pth": 2}


def test_state_that_is_carried_over_is_on_the_disk(tmp_path: Path, flushed: list[bytes]) -> None:
    """Before it gets its name: a third run may continue from it. What this run has replaced is left as it is."""
    earlier, output = tmp_path / "earlier", tmp_path / "output"
    earlier.mkdir()
    output.mkdir()
    (earlier / "fold0.pth").write_bytes(b"earlier")
    (earlier / "fold1.pth").write_bytes(b"also earlier")
    (output / "fold1.pth").write_bytes(b"newer")
    resume.carry_over(earlier, output)
    assert flushed == [b"earlier"]
    assert {path.name: path.read_bytes() for path in output.iterdir()} == {
        "fold0.pth": b"earlier",
        "fold1.pth": b"newer",
    }


def test_finished_fold_without_its_last_state_is_not_trained_on(tmp_path: Path) -> None:
    """This is an error that names the setting to keep it; so is a fold with more epochs than train.epochs."""
    config = settings.to_dict(settings.Config(train=settings.TrainConfig(epochs=2)))
    identity = {"fold": 0, "suffix": "", "config": config, "pictures": "ab"}
    history = [{"epoch": epoch, "metrics": {"val/dice": 0.5}} for epoch in (1, 2)]
    save_checkpoint(
        tmp_path / "fold0.pth", {**identity, "finished": True, "epoch": 2, "value": 0.5, "history": history}
    )

    def found(epochs: int) -> tuple[bool, bool]:
        """Whether a run with `epochs` finds the fold finished, or a state to continue it from."""
        wanted = {**identity, "config": changed(config, train={"epochs": epochs})}
        output = tmp_path / "output"
        output.mkdir(exist_ok=True)
        done = resume.finished_fold(tmp_path, wanted, output, print)
        return bool(done), not done and bool(resume.unfinished_fold(tmp_path, wanted, print))

    assert found(2) == (True, False)
    with pytest.raises(
        ValueError, match=r"fold0\.pth.* finished after epoch 2 .* epoch 3: .*train\.keep_state_gib keeps it"
    ):
        found(3)
    with pytest.raises(ValueError, match=r"fold0\.pth .* in epoch 2 already: train\.epochs can't be 1"):
        found(1)
    with pytest.raises(ValueError, match=r"fold0\.pth.* finished after epoch 2 .* epoch 3: "):
        resume.check_earlier(tmp_path, settings.from_dict(changed(config, train={"epochs": 3})))
    with pytest.raises(ValueError, match=r"fold0\.pth belongs to another run .*: optim\.lr was 0\.001, is 0\.1$"):
        resume.check_earlier(tmp_path, settings.from_dict(changed(config, optim={"lr": 0.1})))
    resume.check_earlier(tmp_path, settings.from_dict(changed(config, train={"epochs": 3}, folds={"run": [1]})))
    progress = {"epoch": 3, "step": 0, "best": []}
    save_checkpoint(tmp_path / "resume.pth", {**identity, "progress": progress})
    with pytest.raises(ValueError, match=r"resume\.pth .* in epoch 2 already: train\.epochs can't be 1"):
        resume.unfinished_fold(tmp_path, {**identity, "config": changed(config, train={"epochs": 1})}, print)
