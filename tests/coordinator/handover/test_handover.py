"""`coord export`: runs handed over to MLflow, TensorBoard and Weights & Biases, read back with their own libraries."""

from __future__ import annotations

import dataclasses
import importlib
import json
import math
import os
import struct
import sys
import unittest.mock
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from coordinator.errors import CoordError, DependencyError, RunNotFound, UsageError
from coordinator.handover.choice import ended
from coordinator.handover.destination import Outcome
from coordinator.handover.record import Record, record_of
from coordinator.handover.to_mlflow import MlflowStore, safe_keys
from coordinator.handover.to_tensorboard import TensorboardFolder
from coordinator.handover.to_wandb import WandbFolder
from coordinator.ledger.ledger import Ledger, Run
from coordinator.project.project import Project
from coordinator.results.summary import Summary
from coordinator.target.protocol import RunState
from tests.coordinator.command import Coord, delete_kernels
from tests.coordinator.sample_runs import BARE

LIBRARIES = ("mlflow", "tensorboard", "wandb")

SUMMARY = {
    "schema": 1,
    "status": "complete",
    "run_id": "0123456789abcdef",
    "started": "2026-11-01T00:00:10+00:00",
    "seconds": 60.0,
    "primary": {"name": "cv/dice", "mode": "max", "value": 0.75},
    "metrics": [
        {
            "name": "cv/dice",
            "mode": "max",
            "folds": [{"fold": 0, "value": 0.7, "n": 4}, {"fold": 1, "value": 0.8, "n": 4}],
            "mean": 0.75,
            "sd": 0.07,
            "n": 8,
        },
        {"name": "cv/loss", "mode": "min", "folds": [], "mean": None, "sd": None, "n": 0},
    ],
    "baselines": [{"name": "all-empty", "metric": "cv/dice", "value": 0.5}],
    "stages": {"train": 50.0},
}
RUN = dataclasses.replace(
    BARE,
    id="0123456789abcdef",
    experiment="base",
    slug="tiny-base",
    version=3,
    url="https://www.kaggle.com/code/ada/tiny-base",
    git="0123456789abcdef0123456789abcdef01234567",
    config={
        "seed": 0,
        "optim": {"lr": 0.1, "name": "sgd"},
        "train": {"tags": ["a"], "resume": None, "note": "x" * 7000},
    },
    state=RunState.COMPLETE,
    summary=Summary.parse(SUMMARY),
)
EVENTS = [
    {"event": "start", "time": 0.0},
    {"event": "epoch", "time": 1.0, "fold": 0, "epoch": 1, "metrics": {"val/dice": 0.5, "train/loss": 2.0}},
    {"event": "epoch", "time": 2.5, "fold": 0, "epoch": 2, "metrics": {"val/dice": 0.7, "train/loss": None}},
    {"event": "epoch", "time": 3.0, "fold": 1, "epoch": 1, "metrics": {"val/dice": 0.6, "train/loss": math.inf}},
    {"event": "epoch", "time": 4.0, "seed": 1, "fold": 1, "epoch": 1, "metrics": {"val/dice": 0.8, "µ: (é)": 1.5}},
    {"event": "end", "time": 60.0, "metrics": {"cv/dice": 0.75}},
]
START = 1793491210000
"""Milliseconds: what the summary says about its start."""


def _png(width: int, height: int) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    pixels = zlib.compress(b"".join(b"\0" + bytes(width) for _ in range(height)))
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def _results(project: Project, run: Run, events: list[dict[str, Any]]) -> Path:
    directory = project.results(run.experiment, run.target, run.results_version)
    (directory / "worst").mkdir(parents=True)
    (directory / "run.json").write_text(json.dumps({"id": run.id}))
    (directory / "metrics.json").write_text(json.dumps(SUMMARY))
    (directory / "metrics.jsonl").write_text("".join(json.dumps(event) + "\n" for event in events))
    (directory / "oof.csv").write_text("ImageId,fold,dice\n")
    (directory / "worst" / "01 [a].png").write_bytes(_png(3, 2))
    (directory / "fold0.pth").write_bytes(b"weights")
    return directory


@pytest.fixture
def results(tiny: Project) -> Path:
    return _results(tiny, RUN, EVENTS)


@pytest.fixture
def read(tiny: Project, results: Path) -> Record:
    return record_of(tiny, RUN)


def test_a_run_as_other_tools_see_runs(read: Record) -> None:
    """Config and origin as text, each epoch of each fold and repeat under its own name, small files only."""
    assert read.params["optim.lr"] == 0.1
    assert read.params["optim.name"] == "sgd"
    assert read.params["train.tags"] == '["a"]'
    assert read.params["train.resume"] == "null"
    assert read.tags["coord.run_id"] == RUN.id
    assert read.tags["coord.mode"] == "max"
    assert read.tags["coord.version"] == "3"
    assert "coord.message" not in read.tags
    points = {(key, epoch): (value, time - START) for key, value, epoch, time in read.points()}
    assert points["fold0/val/dice", 2] == (0.7, 2500)
    assert points["fold1/val/dice", 1] == (0.6, 3000)
    assert points["seed1/fold1/val/dice", 1] == (0.8, 4000)
    assert math.isnan(points["fold0/train/loss", 2][0])
    assert points["fold1/train/loss", 1][0] == math.inf
    assert len(points) == 8
    assert read.final == {
        "cv/dice": 0.75,
        "cv/dice_sd": 0.07,
        "fold0/cv/dice": 0.7,
        "fold1/cv/dice": 0.8,
        "baseline/all-empty": 0.5,
        "seconds/total": 60.0,
        "seconds/train": 50.0,
    }
    names = [file.name for file in read.files]
    assert names == ["metrics.json", "metrics.jsonl", "oof.csv", "run.json", "worst/01 [a].png"]
    assert (read.started, read.ended) == (START, START + 60_000)
    assert read.warnings == ()


def test_what_is_missing_of_a_run_is_told(tiny: Project, results: Path) -> None:
    """A broken line, values that are no numbers, folds of a run that died; nothing of a run that was not fetched."""
    fold = {"event": "fold", "fold": 0, "metrics": {"cv/dice": 0.7, "cv/loss": None}}
    odd = {"event": "epoch", "epoch": 1, "time": "noon", "metrics": {"a": True, "b": 10**400}}
    (results / "metrics.jsonl").write_text(f'{json.dumps(fold)}\n{json.dumps(odd)}\n[1]\n{{"event": "ep')
    dead = dataclasses.replace(RUN, state=RunState.ERROR, summary=None, started_at="2026-11-01T00:00:20+00:00")
    found = record_of(tiny, dead)
    assert found.final == {"fold0/cv/dice": 0.7}
    assert [(key, epoch, time) for key, _, epoch, time in found.points()] == [
        ("a", 1, START + 10_000),
        ("b", 1, START + 10_000),
    ]
    assert found.warnings == ("2 lines of its metrics.jsonl cannot be read",)
    bare = record_of(tiny, dataclasses.replace(RUN, version=4, summary=None))
    assert (bare.rows, bare.files, bare.final) == ((), (), {})
    assert bare.warnings == ("its results are not here: coord fetch-results --exp base --version 4",)


def test_results_are_those_of_the_run(tiny: Project, results: Path) -> None:
    """Another run's folder of that version is not taken; one that a fetch moved aside is found."""
    other = dataclasses.replace(RUN, id="fedcba9876543210")
    assert record_of(tiny, other).files == ()
    results.rename(results.with_name(f"{results.name}-{RUN.id[:8]}"))
    assert next(file.name for file in record_of(tiny, RUN).files) == "metrics.json"


def test_a_merged_run_goes_like_any_other(tiny: Project) -> None:
    """It has results and figures, but no kernel of its own."""
    merged = dataclasses.replace(RUN, version=0, url="", message="merged from 2 runs, one a fold")
    _results(tiny, merged, [])
    found = record_of(tiny, merged)
    assert found.final["cv/dice"] == 0.75
    assert found.label == "base local-v0"
    assert "oof.csv" in [file.name for file in found.files]


def test_keys_that_mlflow_takes() -> None:
    """What is fine stays, the rest is replaced, and two names never become one key."""
    names = ["a b", "fold0/val/dice", "a:b", "a_b", "../x", "a//b", "/a", ".", "", "é" * 300, "ü" * 300]
    keys = safe_keys(names)
    assert keys["fold0/val/dice"] == "fold0/val/dice"
    assert keys["a b"] == "a b"
    assert keys["a_b"] == "a_b"
    assert keys["a:b"].startswith("a_b-")
    assert keys["../x"] == "_/x"
    assert len(set(keys.values())) == len(names)
    assert max(map(len, keys.values())) == 250


def test_which_runs_go(tiny: Project) -> None:
    """Oldest first; not those that are active or never became a version; a name without runs has a near one."""
    later = dataclasses.replace(RUN, id="r5", version=4, created_at="2026-11-02T00:00:00+00:00")
    active = dataclasses.replace(later, id="r6", version=5, state=RunState.RUNNING)
    refused = dataclasses.replace(RUN, id="r7", version=None, state=RunState.REFUSED)
    other = dataclasses.replace(RUN, id="r8", experiment="crash", slug="tiny-crash", state=RunState.ERROR)
    with Ledger(tiny.ledger) as ledger:
        for run in (later, active, refused, other, RUN):
            ledger.add(run)
        runs, left = ended(ledger)
        assert {run.id for run in runs} == {RUN.id, "r5", "r8"}
        assert runs[-1].id == "r5"
        assert [run.id for run in left] == ["r6"]
        assert [run.id for run in ended(ledger, ["crash"])[0]] == ["r8"]
        with pytest.raises(RunNotFound, match='did you mean "crash"'):
            ended(ledger, ["base", "crush"])


# MLflow: a database, read back by its client.


@pytest.fixture
def mlflow(tmp_path: Path) -> Iterator[str]:
    pytest.importorskip("mlflow.tracking", reason="pip install 'coord[mlflow]'")
    pytest.importorskip("sqlalchemy", reason="pip install 'coord[mlflow]'")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path)  # nothing may land in the repository
        patch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
        patch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
        patch.setenv("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
        yield f"sqlite:///{tmp_path}/store/mlflow.db"


def _client(uri: str) -> Any:
    return importlib.import_module("mlflow.tracking").MlflowClient(tracking_uri=uri)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of SQLAlchemy's 2.1, about MLflow
def test_mlflow_has_the_run_once(mlflow: str, tiny: Project, read: Record, tmp_path: Path) -> None:
    """Parameters, tags, histories and files; nothing twice; what was missing is added, and people's notes stay."""
    store = MlflowStore(mlflow, "tiny")
    taken = store.take(read)
    assert taken.outcome is Outcome.NEW
    client = _client(mlflow)
    run = client.get_run(taken.place)
    assert run.info.run_name == "base local-v3"
    assert (run.info.status, run.info.start_time, run.info.end_time) == ("FINISHED", START, START + 60_000)
    assert run.data.params["optim.lr"] == "0.1"
    assert run.data.params["train.note"] == "x" * 5997 + "..."
    assert run.data.tags["coord.run_id"] == RUN.id
    assert run.data.tags["mlflow.source.git.commit"] == RUN.git
    assert run.data.metrics["cv/dice"] == 0.75

    def history(key: str) -> list[tuple[int, float, int]]:
        return [(each.step, each.value, each.timestamp - START) for each in client.get_metric_history(taken.place, key)]

    assert history("fold0/val/dice") == [(1, 0.5, 1000), (2, 0.7, 2500)]
    assert history("seed1/fold1/__ ___") == [(1, 1.5, 4000)]
    assert math.isnan(history("fold0/train/loss")[1][1])
    assert {file.path for file in client.list_artifacts(taken.place)} >= {"metrics.json", "oof.csv", "worst"}
    assert [file.path for file in client.list_artifacts(taken.place, "worst")] == ["worst/01 [a].png"]
    assert run.info.artifact_uri.startswith((tmp_path / "store").as_uri())

    assert MlflowStore(mlflow, "tiny").take(read) == dataclasses.replace(taken, outcome=Outcome.UNCHANGED)
    client.set_tag(taken.place, "mlflow.note.content", "the good one")
    # As a kill in the middle leaves it, and with an epoch more.
    client.delete_tag(taken.place, "coord.export")
    grown = dataclasses.replace(read, rows=(*read.rows, dataclasses.replace(read.rows[0], epoch=3)))
    assert store.take(grown) == dataclasses.replace(taken, outcome=Outcome.UPDATED)
    assert sorted(step for step, *_ in history("fold0/val/dice")) == [1, 2, 3]
    assert len(history("fold0/train/loss")) == 3
    assert len(history("fold1/train/loss")) == len(history("cv/dice")) == 1
    assert client.get_run(taken.place).data.tags["mlflow.note.content"] == "the good one"
    (experiment,) = [each for each in client.search_experiments() if each.name == "tiny"]
    assert len(client.search_runs([experiment.experiment_id])) == 1

    bare = record_of(tiny, dataclasses.replace(RUN, id="r9", version=9, summary=None, config={}, state=RunState.ERROR))
    assert client.get_run(store.take(bare).place).info.status == "FAILED"
    client.delete_experiment(experiment.experiment_id)
    with pytest.raises(CoordError, match='"tiny" was deleted'):
        MlflowStore(mlflow, "tiny")


def test_mlflow_that_does_not_answer_is_one_line_without_the_password(mlflow: str) -> None:
    """A refused connection, and a kind of store that MLflow does not know."""
    with pytest.raises(CoordError, match="Connection refused") as caught:
        MlflowStore("http://ada:secret@127.0.0.1:1", "tiny")
    assert "secret" not in caught.value.what
    assert "127.0.0.1:1" in caught.value.what
    with pytest.raises(CoordError, match="MLflow at nothing://"):
        MlflowStore("nothing://here", "tiny")


def test_a_place_where_no_database_can_be_is_told_at_once(mlflow: str, tmp_path: Path) -> None:
    """MLflow itself would try for minutes, and then show where in its sources it gave up."""
    (tmp_path / "file").write_text("no database")
    for path in ("file/mlflow.db", "file"):
        with pytest.raises(CoordError, match=r"MLflow at sqlite:///.*: (Not a directory|File exists|file is not a)"):
            MlflowStore(f"sqlite:///{tmp_path}/{path}", "tiny")


# TensorBoard: event files, read back by its accumulator.


def _accumulated(folder: str) -> Any:
    module = importlib.import_module("tensorboard.backend.event_processing.event_accumulator")
    found = module.EventAccumulator(folder, size_guidance={"scalars": 0, "images": 0, "tensors": 0})
    found.Reload()
    return found


def test_tensorboard_reads_the_run_once(read: Record, tmp_path: Path) -> None:
    """Curves by fold, the summary, config and pictures; nothing is written twice, and a new state replaces the old."""
    pytest.importorskip("tensorboard.compat", reason="pip install 'coord[tensorboard]'")
    board = TensorboardFolder(tmp_path / "tb")
    taken = board.take(read)
    assert taken == dataclasses.replace(taken, outcome=Outcome.NEW, place=f"{tmp_path}/tb/base/local-v3-01234567")
    found = _accumulated(taken.place)
    assert [(each.step, round(each.value, 6)) for each in found.Scalars("fold0/val/dice")] == [(1, 0.5), (2, 0.7)]
    assert found.Scalars("fold0/val/dice")[1].wall_time == START / 1000 + 2.5
    assert math.isnan(found.Scalars("fold0/train/loss")[1].value)
    assert found.Scalars("seed1/fold1/µ: (é)")[0].value == 1.5
    assert found.Scalars("cv/dice")[0].value == 0.75
    (image,) = found.Images("worst/01 [a].png")
    assert (image.width, image.height) == (3, 2)
    assert image.encoded_image_string == _png(3, 2)
    plugin = importlib.import_module("tensorboard.plugins.hparams.plugin_data_pb2").HParamsPluginData
    parsed = plugin.FromString(found.summary_metadata["_hparams_/session_start_info"].plugin_data.content)
    assert parsed.session_start_info.hparams["optim.lr"].number_value == 0.1
    text = found.Tensors("coord")[0].tensor_proto.string_val[0].decode()
    assert f"| coord.run_id | {RUN.id} |" in text

    (file,) = Path(taken.place).iterdir()
    before = file.read_bytes()
    assert TensorboardFolder(tmp_path / "tb").take(read).outcome is Outcome.UNCHANGED
    file.unlink()
    board.take(read)
    assert file.read_bytes() == before  # no clock, no host name
    grown = dataclasses.replace(read, rows=(*read.rows, dataclasses.replace(read.rows[0], epoch=3)))
    assert board.take(grown).outcome is Outcome.UPDATED
    assert len(list(Path(taken.place).iterdir())) == 1
    assert [each.step for each in _accumulated(taken.place).Scalars("fold0/val/dice")] == [1, 2, 3]
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match=r"--tensorboard .*file: Not a directory"):
        TensorboardFolder(tmp_path / "file").take(read)


# Weights & Biases: its log of protocol buffers, in LevelDB's log format after seven bytes of header.


def _wandb_records(folder: Path) -> Iterator[Any]:
    (file,) = folder.glob("run-*.wandb")
    data, at, whole = file.read_bytes(), 7, b""
    kind_of_record = importlib.import_module("wandb.proto.wandb_internal_pb2").Record
    while at + 7 <= len(data):
        if (left := 32768 - at % 32768) < 7:
            at += left
            continue
        _, size, kind = struct.unpack("<IHB", data[at : at + 7])
        whole = (b"" if kind in (1, 2) else whole) + data[at + 7 : at + 7 + size]
        at += 7 + size
        if kind in (1, 4):  # a whole one, or its last part
            yield kind_of_record.FromString(whole)


def test_wandb_has_the_run_once(read: Record, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Config, an axis for each fold, history, summary and files offline; settings of the user's do not turn it off."""
    pytest.importorskip("wandb.sdk", reason="pip install 'coord[wandb]'")
    for name, value in {
        "MODE": "disabled",
        "RUN_ID": "mine",
        "NAME": "mine",
        "PROJECT": "mine",
        "RUN_GROUP": "mine",
    }.items():
        monkeypatch.setenv(f"WANDB_{name}", value)
    monkeypatch.setenv("WANDB_DIR", str(tmp_path / "elsewhere"))
    monkeypatch.setenv("WANDB_RESUME", "must")
    monkeypatch.setenv("WANDB_ERROR_REPORTING", "false")
    monkeypatch.chdir(tmp_path)
    wandb = WandbFolder(Path("wb"), "a/project")
    taken = wandb.take(read)
    assert taken.outcome is Outcome.NEW
    writing = [each for each in psutil.Process().children() if "wandb" in each.name()]
    assert writing == [], "the run is in its place, but its file is still being written"
    folder = Path(taken.place)
    assert folder == tmp_path / "wb" / "wandb" / folder.name
    assert folder.name.endswith(f"-{RUN.id}")
    assert [path.name for path in (tmp_path / "wb").iterdir()] == ["wandb"]

    records = list(_wandb_records(folder))
    (run,) = [each.run for each in records if each.WhichOneof("record_type") == "run"]
    assert (run.run_id, run.project, run.display_name, run.run_group) == (RUN.id, "a_project", "base local-v3", "base")
    config = {each.key: json.loads(each.value_json) for each in run.config.update}
    assert config["optim"] == {"lr": 0.1, "name": "sgd"}
    assert config["coord"]["digest"] == RUN.digest
    axes = {each.metric.name: each.metric.step_metric for each in records if each.HasField("metric")}
    assert axes["fold0/val/dice"] == "fold0/epoch"
    history = [
        {".".join(item.nested_key) or item.key: json.loads(item.value_json) for item in each.history.item}
        for each in records
        if each.HasField("history")
    ]
    assert [row["fold0/val/dice"] for row in history if "fold0/val/dice" in row] == [0.5, 0.7]
    assert [row["fold0/epoch"] for row in history if "fold0/epoch" in row] == [1, 2]
    assert [row["_timestamp"] for row in history][1] == START / 1000 + 2.5
    assert math.isnan(float(history[1]["fold0/train/loss"]))
    summary = {item.key: item.value_json for each in records for item in each.summary.update}
    assert summary["cv/dice"] == "0.75"
    saved = {item.path for each in records for item in each.files.files}
    assert saved == {file.name for file in read.files}
    assert (folder / "files" / "worst" / "01 [a].png").read_bytes() == _png(3, 2)
    assert not [path for path in folder.rglob("*") if path.is_symlink()]

    assert WandbFolder(Path("wb"), "a/project").take(read) == dataclasses.replace(taken, outcome=Outcome.UNCHANGED)
    later = dataclasses.replace(read, rows=(), started=read.started + 60_000)
    again = wandb.take(later)
    assert again.outcome is Outcome.UPDATED
    assert [str(path) for path in (tmp_path / "wb" / "wandb").iterdir()] == [again.place]


@pytest.fixture
def nothing_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """None of the three libraries, but folders of their names where Python looks."""
    with unittest.mock.patch.dict(sys.modules):
        for name in list(sys.modules):
            if name.partition(".")[0] in LIBRARIES:
                del sys.modules[name]
        for name in LIBRARIES:
            (tmp_path / name).mkdir()
        monkeypatch.setattr("sys.path", [str(tmp_path)])
        yield


@pytest.mark.parametrize("extra", LIBRARIES)
def test_what_is_not_installed_says_how_to_get_it(nothing_installed: None, tmp_path: Path, extra: str) -> None:
    """One line and the command; a folder `wandb/` or `mlflow/` beside is not taken for the library."""
    stores: dict[str, Callable[[], object]] = {
        "mlflow": lambda: MlflowStore("sqlite:///x.db", "x"),
        "tensorboard": lambda: TensorboardFolder(tmp_path),
        "wandb": lambda: WandbFolder(tmp_path, "x"),
    }
    with pytest.raises(DependencyError) as caught:
        stores[extra]()
    assert caught.value.hint == f"Run: pip install 'coord[{extra}]'"


def test_the_command(tiny: Project, results: Path, tmp_path: Path) -> None:
    """A line for each run, JSON on request; what makes no sense, and what is not there, is said."""
    pytest.importorskip("tensorboard.compat", reason="pip install 'coord[tensorboard]'")
    active = dataclasses.replace(RUN, id="r6", version=5, state=RunState.RUNNING)
    crashed = dataclasses.replace(RUN, id="r8", experiment="crash", version=1, state=RunState.ERROR, summary=None)
    with Ledger(tiny.ledger) as ledger:
        for run in (RUN, active, crashed):
            ledger.add(run)
    coord = Coord(tiny.root, dict(os.environ))
    done = coord.here("export", "--tensorboard", "tb")
    assert done.stdout.splitlines() == [
        "new       tensorboard   base local-v3",
        "new       tensorboard   crash local-v1",
    ]
    assert "base local-v5 is running: it can be exported when it has ended" in done.stderr
    assert "crash local-v1: its results are not here: coord fetch-results --exp crash --version 1" in done.stderr
    (row,) = json.loads(coord.here("export", "--tensorboard", "tb", "--exp", "base", "--json").stdout)
    assert row == {
        "run": RUN.id,
        "label": "base local-v3",
        "to": "tensorboard",
        "outcome": "unchanged",
        "place": "tb/base/local-v3-01234567",
    }
    assert "where to?" in coord.here("export", code=2).stderr
    assert "the address is empty" in coord.here("export", "--mlflow", " ", code=2).stderr
    assert "the name is empty" in coord.here("export", "--tensorboard", "tb", "--under", "", code=2).stderr
    assert 'did you mean "base"' in coord.here("export", "--tensorboard", "tb", "--exp", "bas", code=1).stderr


def test_a_run_of_the_local_kaggle_is_shown(tiny: Project) -> None:
    """Pushed, fetched, exported: the curves are what the kernel reported, its end is what the ledger has."""
    pytest.importorskip("tensorboard.compat", reason="pip install 'coord[tensorboard]'")
    coord = Coord(tiny.root, dict(os.environ))
    try:
        coord("push", "--exp", "base", "--wait")
        assert "its results are not here" in coord.here("export", "--tensorboard", "tb", "--exp", "base").stderr
        coord("fetch-results", "--exp", "base")
        (row,) = json.loads(coord.here("export", "--tensorboard", "tb", "--exp", "base", "--json").stdout)
    finally:
        delete_kernels(tiny.local_kaggle)
    assert row["outcome"] == "updated"
    found = _accumulated(str(tiny.root / row["place"]))
    assert [round(each.value, 6) for each in found.Scalars("fold1/val/dice")] == [0.66, 0.71, 0.76]
    (run,) = coord.json("status")
    assert round(found.Scalars("cv/dice")[0].value, 6) == run["summary"]["primary"]["value"] == 0.755
