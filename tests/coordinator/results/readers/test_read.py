"""Metrics of programs that were not written for coord: files and lines as their libraries write them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from coordinator.project.result_settings import MetricsSettings, PrimaryMetric
from coordinator.results import Summary
from coordinator.results.readers import LineReader, read_results

AUC = PrimaryMetric("val_auc", "max")

# As lightning's CSVLogger writes it: a row for training and one for validation of the same epoch, with empty cells.
LIGHTNING = "epoch,step,train_loss,val_auc\n0,9,0.7,\n0,9,,0.61\n1,19,0.5,\n1,19,,0.72\n"
KERAS = "epoch,auc,loss,val_auc,val_loss\n0,0.6,0.7,0.61,0.6\n1,0.7,0.5,0.72,0.55\n"
FASTAI = "epoch,train_loss,valid_loss,val_auc,time\n0,0.7,0.6,0.61,00:12\n1,0.5,0.55,0.72,00:12\n"
TRAINER = {
    "global_step": 20,
    "log_history": [
        {"epoch": 1.0, "eval_val_auc": 0.61, "step": 10},
        {"epoch": 2.0, "eval_val_auc": 0.72, "step": 20},
        {"epoch": 2.0, "train_runtime": 3.5, "step": 20},
    ],
}
LIGHTGBM = (
    "[10]\tvalid_0's auc: 0.61\tvalid_0's binary_logloss: 0.6\n"
    "[20]\tvalid_0's auc: 0.72\tvalid_0's binary_logloss: 0.5\n"
)
# With early stopping it goes back to the best round, and prints that again.
STOPPED = "[10]\tvalid_0's auc: 0.61\nEarly stopping, best iteration is:\n[8]\tvalid_0's auc: 0.72\n"
XGBOOST = "[0]\tval-auc:0.61000\tval-logloss:0.6\n[10]\tval-auc:0.72000\tval-logloss:0.5\n"
CATBOOST = (
    "0:\tlearn: 0.6\ttest: 0.61\tbest: 0.61 (0)\ttotal: 2ms\tremaining: 5ms\n"
    "9:\tlearn: 0.8\ttest: 0.72\tbest: 0.72 (9)\ttotal: 9ms\tremaining: 0us\n"
)
COORD = (
    'COORD {"event": "fold", "fold": 0, "metrics": {"val_auc": 0.7}}\n'
    'COORD {"event": "fold", "fold": 1, "metrics": {"val_auc": 0.74}}\n'
)


def read(
    place: Path, files: Mapping[str, str], log: str = "", settings: MetricsSettings | None = None
) -> tuple[Summary | None, list[str]]:
    for name, text in files.items():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_text(text, encoding="utf-8")
    return read_results(place, log.splitlines(), settings or MetricsSettings(primary=AUC))


def of(name: str, **more: Any) -> MetricsSettings:
    return MetricsSettings(primary=PrimaryMetric(name, "max"), **more)


@pytest.mark.parametrize(
    ("files", "log", "settings", "value"),
    [
        ({"lightning_logs/version_0/metrics.csv": LIGHTNING}, "", of("val_auc"), 0.72),
        ({"history.csv": KERAS}, "", of("val_auc"), 0.72),
        ({"training.log": KERAS}, "", of("val_auc"), 0.72),
        ({"history.csv": KERAS.replace(",", ";")}, "", of("val_auc"), 0.72),
        ({"models/history.csv": FASTAI}, "", of("val_auc"), 0.72),
        ({"out/trainer_state.json": json.dumps(TRAINER)}, "", of("eval_val_auc"), 0.72),
        ({"metrics.json": '{"val_auc": 0.72, "note": "x"}'}, "", of("val_auc"), 0.72),
        ({"metrics.json": '{"val": {"auc": "0.72"}}'}, "", of("val.auc"), 0.72),
        ({"result.json": '{"val_auc": 0.72}'}, "", of("val_auc", file="result.json"), 0.72),
        ({}, LIGHTGBM, of("valid_0/auc"), 0.72),
        ({}, XGBOOST, of("val-auc"), 0.72),
        ({}, CATBOOST, of("test"), 0.72),
        ({}, COORD, of("val_auc"), 0.72),
        ({}, "epoch 1 auc 0.61\nepoch 2 auc 0.72\n", of("auc", line=r"epoch (?P<epoch>\d+) auc (?P<auc>[\d.]+)"), 0.72),
        ({}, "best auc = 0.72\n", of("auc", line=(r"nothing (?P<x>\d)", r"(?P<name>\w+) = (?P<value>[\d.]+)")), 0.72),
    ],
)
def test_what_libraries_leave(
    tmp_path: Path, files: dict[str, str], log: str, settings: MetricsSettings, value: float
) -> None:
    summary, _ = read(tmp_path, files, log, settings)
    assert summary is not None
    assert summary.primary is not None
    assert (summary.primary.name, summary.primary.mode) == (settings.primary.name, "max")  # type: ignore[union-attr]
    assert summary.primary_value == pytest.approx(value)


@pytest.mark.parametrize(
    ("files", "log", "settings"),
    [
        (
            {f"fold{k}/metrics.csv": LIGHTNING.replace("0.72", v) for k, v in ((0, "0.7"), (1, "0.8"))},
            "",
            of("val_auc"),
        ),
        ({f"logs/fold_{k}.csv": KERAS.replace("0.72", v) for k, v in ((0, "0.7"), (1, "0.8"))}, "", of("val_auc")),
        (
            {
                f"lightning_logs/version_{k}/metrics.csv": LIGHTNING.replace("0.72", v)
                for k, v in ((0, "0.7"), (1, "0.8"))
            },
            "",
            of("val_auc"),
        ),
        ({"log.csv": "fold,epoch,val_auc\n0,0,0.6\n0,1,0.7\n1,0,0.6\n1,1,0.8\n"}, "", of("val_auc")),
        (
            {f"fold{k}.json": json.dumps({"val_auc": v}) for k, v in ((0, 0.7), (1, 0.8))},
            "",
            of("val_auc", file="*.json"),
        ),
        (
            {
                f"fold-{k}/checkpoint-20/trainer_state.json": json.dumps(TRAINER).replace("0.72", v)
                for k, v in ((0, "0.7"), (1, "0.8"))
            },
            "",
            of("eval_val_auc"),
        ),
        ({}, LIGHTGBM.replace("0.72", "0.7") + "fold done\n" + LIGHTGBM.replace("0.72", "0.8"), of("valid_0/auc")),
        ({}, STOPPED.replace("0.72", "0.7") + STOPPED.replace("0.72", "0.8"), of("valid_0/auc")),
        ({}, "fold 0 | auc 0.7\nfold 1 | auc 0.8\n", of("auc", line=r"fold (?P<fold>\d+).*auc (?P<auc>[\d.]+)")),
        ({}, COORD.replace("0.74", "0.8"), of("val_auc")),
    ],
)
def test_folds(tmp_path: Path, files: dict[str, str], log: str, settings: MetricsSettings) -> None:
    """A cross-validation table, whatever says the fold: a folder, a file's name, a column, a group, a new beginning."""
    summary, _ = read(tmp_path, files, log, settings)
    assert summary is not None
    primary = summary.primary_first[0]
    assert primary.by_fold == {"0": pytest.approx(0.7), "1": pytest.approx(0.8)}
    assert primary.mean == pytest.approx(0.75)
    assert primary.sd == pytest.approx(0.0707, abs=1e-3)


def test_the_last_epoch_counts_unless_the_settings_say_best(tmp_path: Path) -> None:
    worse = KERAS + "2,0.8,0.3,0.65,0.9\n"
    last, _ = read(tmp_path, {"history.csv": worse})
    best, _ = read(tmp_path, {}, "", MetricsSettings(primary=AUC, epoch="best"))
    least, _ = read(tmp_path, {}, "", MetricsSettings(primary=PrimaryMetric("val_loss", "min"), epoch="best"))
    assert [each and each.primary_value for each in (last, best, least)] == [0.65, 0.72, 0.55]


def test_coords_own_form_comes_first(tmp_path: Path) -> None:
    own = {"schema": 1, "primary": {"name": "cv/dice", "mode": "max", "value": 0.9}, "metrics": []}
    summary, remarks = read(tmp_path, {"metrics.json": json.dumps(own), "history.csv": KERAS}, COORD)
    assert summary is not None
    assert (summary.primary_name, remarks) == ("cv/dice", [])


@pytest.mark.parametrize(
    ("files", "log", "settings", "words"),
    [
        ({"history.csv": KERAS}, "", MetricsSettings(), "which metric counts is not known"),
        ({"history.csv": KERAS}, "", of("auc_val"), 'the primary metric "auc_val" is not in csv: history.csv'),
        ({"metrics.json": "[1]"}, "", of("auc"), "is not a JSON object"),
        ({"metrics.json": "{"}, "", of("auc"), "cannot be read as JSON"),
        ({"metrics.json": '{"note": "x", "auc": 1}'}, "", of("auc"), "these are no numbers and are not read: note"),
        ({}, "nothing", of("auc", read="csv"), 'the reader "csv" of [tool.coord.metrics] found no metrics'),
    ],
)
def test_what_cannot_be_read_is_said(
    tmp_path: Path, files: dict[str, str], log: str, settings: MetricsSettings, words: str
) -> None:
    _, remarks = read(tmp_path, files, log, settings)
    assert words in " ".join(remarks)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\0",
        "epoch\n",
        'epoch,x\n"',
        "epoch,x\n1",
        "epoch,x\n1,2,3\n",
        "\ud800".encode("utf-8", "surrogatepass").decode("latin-1"),
    ],
)
@pytest.mark.parametrize("name", ["metrics.json", "history.csv", "trainer_state.json", "metrics.jsonl"])
def test_no_file_is_an_error(tmp_path: Path, name: str, text: str) -> None:
    summary, _ = read(tmp_path, {name: text})
    assert summary is None or summary.primary is None


@pytest.mark.parametrize("value", ["1e308", "-1e308", "1e400", "inf", "nan", "10" * 400])
@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("history.csv", "fold,epoch,val_auc\n0,1,{0}\n1,1,{0}\n"),
        ("history.csv", "fold,epoch,val_auc\n{0},{0},{0}\n"),
        ("metrics.json", '{{"val_auc": "{0}", "fold": {0}}}'),
        ("trainer_state.json", '{{"global_step": {0}, "log_history": [{{"epoch": {0}, "val_auc": {0}}}]}}'),
        ("log", "fold 0: auc {0}\nfold 1: auc {0}\n"),
        ("boosting", "[1]\tauc: {0}\n[2]\tauc: {0}\n"),
    ],
)
def test_values_that_nothing_can_be_computed_with(tmp_path: Path, name: str, text: str, value: str) -> None:
    """They are no error, and no value."""
    pattern = of("auc", line=r"fold (?P<fold>\d+): auc (?P<auc>\S+)") if name == "log" else None
    content = text.format(value)
    is_log = name in ("log", "boosting")
    summary, _ = read(tmp_path, {} if is_log else {name: content}, content if is_log else "", pattern)
    assert summary is None or summary.primary_value is None


@pytest.mark.parametrize("line", ["[{}]\tauc: 0.5", "{}:\tlearn: 0.5", "fold {} auc 0.5", "epoch {} auc 0.5"])
@pytest.mark.parametrize("digits", ["9" * 5000, "9" * 300, "9" * 17])
def test_places_that_are_no_places(line: str, digits: str) -> None:
    """A number of a fold or an epoch that is too large is none."""
    pattern = r"(?:fold (?P<fold>\d+)|epoch (?P<epoch>\d+)) auc (?P<auc>\S+)"
    for settings in (MetricsSettings(), of("auc", line=pattern)):
        event = LineReader(settings).event(line.format(digits))
        assert event is None or (event.fold, event.epoch) == (None, None)


def test_the_reader_of_boosting_libraries_searches_no_expression(tmp_path: Path) -> None:
    """With `read = "boosting"` and `line`, the chosen reader wins, for the log that grows too."""
    settings = of("valid/auc", read="boosting", line=r"score (?P<auc>\S+)")
    log = "score 0.1\n[1]\tvalid-auc:0.6\n[2]\tvalid-auc:0.7\n"
    summary, remarks = read(tmp_path, {}, log, of("valid-auc", read="boosting", line=settings.line))
    assert (summary is not None and summary.primary_value, remarks) == (0.7, [])
    assert LineReader(settings).event("score 0.1") is None
    assert LineReader(settings).event("[1]\tvalid-auc:0.6") is not None


def test_a_broken_file_does_not_hide_events(tmp_path: Path) -> None:
    """What is said of metrics.json is about that file: metrics come from the events beside it."""
    event = '{"event": "epoch", "epoch": 1, "metrics": {"val_auc": 0.7}}\n'
    summary, remarks = read(tmp_path, {"metrics.json": "{", "metrics.jsonl": event})
    assert summary is not None
    assert summary.primary_value == 0.7
    assert [remark for remark in remarks if "no metrics are read from it" in remark]
    assert not [remark for remark in remarks if "there are no metrics" in remark]


def test_a_program_that_failed_is_not_complete(tmp_path: Path) -> None:
    read(tmp_path, {"history.csv": KERAS})
    summary, _ = read_results(tmp_path, [], MetricsSettings(primary=AUC), is_complete=False)
    assert summary is not None
    assert summary.is_partial


@pytest.mark.parametrize(
    ("line", "settings", "shown"),
    [
        ("[100]\tvalid_0's auc: 0.81", MetricsSettings(), "fold 0, epoch 100: valid_0/auc 0.8100"),
        (
            "fold 1 epoch 3 auc 0.5",
            of("auc", line=r"fold (?P<fold>\d) epoch (?P<epoch>\d) auc (?P<auc>[\d.]+)"),
            "fold 1, epoch 3: auc 0.5000",
        ),
        ("fold 1: auc 0.5", of("auc", line=r"fold (?P<fold>\d): auc (?P<auc>[\d.]+)"), "fold 1: auc 0.5000"),
        ("time: 12:30", MetricsSettings(), None),
        ("[100] files: 3", MetricsSettings(), None),
        ("2:\tthree", MetricsSettings(), None),
    ],
)
def test_live_lines(line: str, settings: MetricsSettings, shown: str | None) -> None:
    event = LineReader(settings).event(line)
    assert (str(event) if event else None) == shown
