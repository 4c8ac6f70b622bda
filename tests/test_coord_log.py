"""coord_log: what a program reports with it, how coord reads that, and that it needs the standard library only."""

from __future__ import annotations

import ast
import csv
import json
import math
import sys
from pathlib import Path

import pytest

from coord_log import Log
from coordinator.project import MetricsSettings
from coordinator.results import log_lines
from coordinator.results.events import event_of
from coordinator.results.readers import read_results
from coordinator.target import LogRecord
from tests.paths import ROOT


class Tensor:
    """Looks like a tensor of one element."""

    def __init__(self, value: float) -> None:
        self._value = value

    def item(self) -> float:
        return self._value


def test_only_the_standard_library() -> None:
    tree = ast.parse((ROOT / "coord_log.py").read_text(encoding="utf-8"))
    found = {
        name.partition(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in ([node.module or ""] if isinstance(node, ast.ImportFrom) else [each.name for each in node.names])
    }
    assert found <= sys.stdlib_module_names | {"__future__"}


def test_a_whole_program(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The events are in the log, even behind a progress bar; the summary has the folds, their mean and direction."""
    log = Log(tmp_path)
    for fold, auc in enumerate((0.7, 0.8)):
        print("50%", end="", flush=True)
        log(fold=fold, epoch=1, auc=Tensor(auc - 0.1), loss=math.nan)
        log.fold(fold, auc=auc)
        log.oof(["a", "b"], [0, 1], [0.2, 0.9], fold=fold)
    log("nearly done")
    log.final(auc=0.75, mode="max", config={"lr": 0.1})
    printed = capsys.readouterr().out
    events = [event for line in log_lines([LogRecord("stdout", 0.0, printed)]) if (event := event_of(line))]
    assert [event.kind for event in events] == ["epoch", "fold", "epoch", "fold", "message", "end"]
    assert str(events[1]) == "fold 0: auc 0.7000"
    assert (tmp_path / "metrics.jsonl").read_text().count("\n") == len(events)
    summary, remarks = read_results(tmp_path, [], MetricsSettings())
    assert remarks == []
    assert summary is not None
    assert (summary.primary_value, summary.config["lr"]) == (0.75, 0.1)
    metric = summary.metrics[0]
    assert (metric.mode, metric.by_fold, metric.images) == ("max", {"0": 0.7, "1": 0.8}, 4)
    with (tmp_path / "oof.csv").open(newline="") as file:
        rows = list(csv.reader(file))
    assert rows[:2] == [["id", "fold", "target", "prediction"], ["a", "0", "0", "0.2"]]
    assert len(rows) == 5


def test_predictions_of_several_classes(tmp_path: Path) -> None:
    Log(tmp_path).oof([1], None, [[0.1, 0.9]])
    assert (tmp_path / "oof.csv").read_text().splitlines() == ["id,fold,prediction_0,prediction_1", "1,0,0.1,0.9"]


def test_identity_of_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the bootstrap sets is in the summary, so that a result is attributed to its run."""
    monkeypatch.setenv("COORD_RUN_ID", "r1")
    monkeypatch.setenv("COORD_BUNDLE_DIGEST", "sha256:1")
    Log(tmp_path).final(loss=1, mode="min")
    found = json.loads((tmp_path / "metrics.json").read_text())
    assert (found["run_id"], found["digest"]) == ("r1", "sha256:1")


@pytest.mark.parametrize("rank", ["1", "7"])
def test_only_the_first_of_several_processes_reports(
    tmp_path: Path, rank: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RANK", rank)
    log = Log(tmp_path)
    log(epoch=1, auc=0.5)
    log.oof([1], [1], [1])
    log.final(auc=0.5, mode="max")
    assert (capsys.readouterr().out, list(tmp_path.iterdir())) == ("", [])


def test_mistakes(tmp_path: Path) -> None:
    log = Log(tmp_path)
    with pytest.raises(TypeError, match="auc is no number: 'high'"):
        log(auc="high")
    with pytest.raises(ValueError, match='mode must be "max" or "min"'):
        log.final(auc=1, mode="maximize")
    with pytest.raises(ValueError, match="needs a metric"):
        log.final(mode="max")
    with pytest.raises(ValueError, match="2 ids, 1 targets and 2 predictions"):
        log.oof([1, 2], [1], [1, 2])
    log.oof([1], [1], [1])
    with pytest.raises(ValueError, match="earlier rows had the columns"):
        log.oof([2], None, [1])
