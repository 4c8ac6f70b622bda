"""Values of a metrics.json or a log that another program wrote, and that no reader expects.

Seen: https://github.com/aimhubio/aim/issues/2629 and https://github.com/treeverse/vscode-dvc/issues/2733 (one NaN, and
no run is shown); on coord `"primary": 0.72` was dropped without a word, `"mode": "maximize"` ended `coord best` for the
whole project, `1e308` and `10**400` were tracebacks.
"""

from __future__ import annotations

import dataclasses
import io
import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from coordinator.cli.tables import results as results_table
from coordinator.cli.tables.status import StatusTable
from coordinator.comparison.compare import compare_experiments
from coordinator.comparison.ranking import best
from coordinator.errors import CoordError
from coordinator.handover.record import record_of
from coordinator.kernel.build import build_kernel
from coordinator.ledger import export, listing
from coordinator.ledger.ledger import Ledger, Run
from coordinator.maintenance.ledger import of_results
from coordinator.maintenance.ledger.problem import Problem
from coordinator.project.experiment import resolve
from coordinator.project.project import Project
from coordinator.report.make import Contents
from coordinator.report.write import write_report
from coordinator.results.events import event_of
from coordinator.results.review import reported
from coordinator.runs.dry_run import dry_run_kernel
from coordinator.runs.entries import StatusLine
from coordinator.runs.refresh import refresh_run
from coordinator.runs.status import Status, current_status, open_targets
from coordinator.target.protocol import LogRecord, RunState, SessionState
from coordinator.text import to_json
from coordinator.workspace import Workspace
from tests.coordinator.fetching import SUMMARY, fetched
from tests.coordinator.finished_runs import finished
from tests.coordinator.sample_runs import ON_KAGGLE
from tests.coordinator.targets import MemoryTarget

HUGE = 10**400
CONFIG = {"seed": 0}
DEEP: Any = 5
for _ in range(60):
    DEEP = {"a": [DEEP]}


def sound_runs(project: Project) -> None:
    """Two configs, older than the run that is fetched."""
    finished(project, "base", 1, [0.4, 0.6], created_at="2026-10-01T00:00:00+00:00")
    finished(project, "base", 2, [0.3, 0.5], sets=["optim.lr=0.5"], created_at="2026-10-02T00:00:00+00:00")


def rank_and_show(project: Project, ledger: Ledger) -> None:
    """The commands that read the newest run first."""
    here = Workspace(project, ledger, MemoryTarget())
    rows, _ = best(here)
    assert [row["mean"] for row in rows if row["run"].startswith("base local-")] == [0.5, 0.4]
    listing.rows(ledger, sort="value")
    show_each(ledger.runs()[:1])


def show_each(runs: Sequence[Run]) -> None:
    console = Console(file=io.StringIO(), width=100)
    console.print(StatusTable([StatusLine((run,)) for run in runs], Status(tuple(runs), {})))
    for run in runs:
        console.print(results_table.results(run.label, run.reported, "images"))


def use_everything(project: Project, ledger: Ledger) -> None:
    """Every command that reads what all runs reported."""
    rank_and_show(project, ledger)
    compare_experiments(Workspace(project, ledger, MemoryTarget()), ["base@local-v1", "base@local-v2"])
    contents = Contents(every=True, pictures=3)
    write_report(Workspace(project, ledger, MemoryTarget()), project.root / "report.html", contents)
    export.as_csv(export.with_all(ledger))
    export.as_json(export.with_all(ledger))
    with open_targets(project) as targets:
        to_json(current_status(targets, ledger, ledger.runs()).to_json())
    show_each(ledger.runs())
    for run in ledger.runs():
        _ = record_of(project, run).fingerprint


def with_(part: str, value: object) -> str:
    return json.dumps({**SUMMARY, part: value})


PRIMARY: dict[str, Any] = SUMMARY["primary"]
METRIC: dict[str, Any] = SUMMARY["metrics"][0]
MODE = 'without "max" or "min" it is not compared'
UNUSED = "and is not used"


ODD = (
    (with_("primary", 0.72), "primary is 0.72, not an object, and is not used"),
    (with_("primary", "cv/dice"), 'primary is "cv/dice", not an object'),
    (with_("primary", [PRIMARY]), "not an object"),
    (with_("primary", {"value": 0.7, "mode": "max"}), "primary has no name"),
    (with_("primary", {**PRIMARY, "mode": "maximize"}), f'the mode of primary is "maximize": {MODE}'),
    (with_("primary", {**PRIMARY, "mode": "MAX"}), MODE),
    (with_("primary", {**PRIMARY, "mode": "higher"}), MODE),
    (with_("primary", {**PRIMARY, "mode": 1}), MODE),
    (with_("primary", {**PRIMARY, "mode": None}), MODE),
    (with_("primary", {"name": "cv/dice", "value": 0.7}), f"the mode of primary is missing: {MODE}"),
    (with_("primary", {**PRIMARY, "mode": "min"}), 'the mode of cv/dice is "max", and elsewhere in the file "min"'),
    (with_("primary", {**PRIMARY, "value": "0.72"}), 'primary.value is "0.72", not a number'),
    (with_("primary", {**PRIMARY, "value": True}), "primary.value is true, not a number"),
    (with_("primary", {**PRIMARY, "value": [0.7]}), "primary.value is [0.7], not a number"),
    (with_("primary", {**PRIMARY, "value": 1e308}), "primary.value is 1e+308, not a number up to 1e100"),
    (with_("primary", {**PRIMARY, "value": HUGE}), "primary.value is 10000"),
    (with_("primary", {**PRIMARY, "value": -HUGE}), "primary.value is -10000"),
    (with_("primary", {"name": "other", "mode": "max", "value": float("nan")}), "NaN and infinity are none"),
    (with_("primary", {"name": "other", "mode": "max", "value": float("inf")}), "NaN and infinity are none"),
    (with_("metrics", {"cv/dice": 0.7}), 'metrics is {"cv/dice": 0.7}, not a list'),
    (with_("metrics", [0.7]), "metrics[0] is 0.7, not an object"),
    (with_("metrics", [{**METRIC, "name": ""}]), "metrics[0] has no name"),
    (with_("metrics", [{**METRIC, "mode": "minimize"}]), MODE),
    (with_("metrics", [{**METRIC, "mode": "min"}]), "elsewhere in the file"),
    (with_("metrics", [METRIC, {**METRIC, "mean": 0.9}]), "metrics[1] is cv/dice again: the first one is used"),
    (with_("metrics", [{**METRIC, "mean": "high"}]), ".mean is"),
    (with_("metrics", [{**METRIC, "sd": 1e308}]), ".sd is 1e+308"),
    (with_("metrics", [{**METRIC, "n": HUGE}]), ".n is 10000"),
    (with_("metrics", [{**METRIC, "folds": {"0": 0.7}}]), "metrics[0].folds is"),
    (with_("metrics", [{**METRIC, "folds": [0.7]}]), "metrics[0].folds[0] is 0.7"),
    (with_("metrics", [{**METRIC, "folds": [{"fold": 0, "value": "x"}]}]), "metrics[0].folds[0].value"),
    (with_("baselines", {"all-empty": 0.5}), "baselines is"),
    (with_("baselines", [0.5]), "baselines[0] is 0.5"),
    (with_("baselines", [{"name": "x", "metric": "cv/dice", "value": 1e300}]), "baselines[0].value is 1e+300"),
    (with_("repeats", [0.5, 0.6]), "repeats is [0.5, 0.6], not an object"),
    (with_("repeats", {"metric": "cv/dice", "mode": "up", "values": []}), MODE),
    (with_("seconds", HUGE), "seconds is 1000"),
    (with_("seconds", 1e308), "seconds is 1e+308, not a number"),
    (with_("seconds", "12:30"), 'seconds is "12:30", not a number'),
    (with_("stages", {"train": 1e308}), "stages.train is 1e+308"),
    (with_("stages", [5]), "stages is [5], not an object"),
    (with_("thresholds", 0.5), "thresholds is 0.5, not an object"),
    (with_("config", "x"), 'config is "x", not an object'),
    (with_("devices", "T4"), 'devices is "T4", not a list'),
    (with_("status", "done"), 'status is "done", and only "complete" makes a finished run'),
    (with_("status", ["complete"]), 'status is ["complete"], not a text'),
    (json.dumps({**SUMMARY, "x": DEEP}), "it is nested too deeply"),
    ("[" * 100_000, "cannot be read as JSON"),
    (json.dumps([SUMMARY]), "is not a JSON object"),
    ("0.72", "is not a JSON object"),
    ("", "cannot be read as JSON"),
    ('{"run_id": "r7", "primary": {"value": 0.7', "cannot be read as JSON"),
    ("{'run_id': 'r7'}", "cannot be read as JSON"),
    ('{"x": ' + "9" * 5000 + "}", "cannot be read as JSON"),
    ('{"x": 1e999}', "cannot be read as JSON"),
    ('{"x": "\\ud800"}', "cannot be read as JSON"),
)


@pytest.mark.parametrize(("text", "said"), ODD, ids=lambda value: ascii(value)[:60])
def test_what_is_not_used_is_said(tmp_path: Path, text: str, said: str) -> None:
    """In a few words, with what is there: by the one function that a dry run and a fetch ask."""
    file = tmp_path / "metrics.json"
    file.write_text(text)
    _, found = reported(file)
    assert said in found[0].replace("\\", ""), found
    assert all(len(each) < 400 + len(str(file)) for each in found)


def test_a_dry_run_and_a_fetch_say_the_same(tiny: Project, ledger: Ledger) -> None:
    """And the run's other files come."""
    text = with_("primary", 0.72)
    found = fetched(tiny, ledger, {"metrics.json": text.encode(), "a.pth": b"weights"})
    assert (found.directory / "a.pth").is_file()
    assert found.run.fetched_at
    (tiny.root / "tiny_model" / "train.py").write_text(f"open('metrics.json', 'w').write({text!r})\n")
    built = build_kernel(tiny, resolve(tiny, "base", []))
    dry = dry_run_kernel(tiny, built, on_record=lambda _: None, say=lambda _: None)
    assert dry.warnings == found.warnings == ("metrics.json: primary is 0.72, not an object, and is not used",)


@pytest.mark.parametrize(
    "text", ["{", "[]", "[" * 300_000, '{"x": "' + "x" * (5 << 20) + '"}'], ids=lambda text: text[:9]
)
def test_a_file_that_cannot_be_read_stays_a_file(tiny: Project, ledger: Ledger, text: str) -> None:
    """The rest comes, the ledger has nothing of it, and neither a check of the ledger nor a rebuilt one mind it."""
    found = fetched(tiny, ledger, {"metrics.json": text.encode(), "a.pth": b"weights"})
    assert found.run.fetched_at
    assert found.run.summary is None
    assert "it stays a file, and no metrics are read from it" in found.warnings[0]
    assert (found.directory / "metrics.json").read_bytes() == text.encode()
    here = Workspace(tiny, ledger)
    assert [each for each in of_results.check(here) if isinstance(each, Problem)] == []
    ledger.statement("DELETE FROM runs", {})
    for problem in of_results.check(here):
        assert problem.repair is not None, problem
        problem.repair()
    assert ledger.get(found.run.id).summary is None


def test_one_run_breaks_nothing(tiny: Project, ledger: Ledger) -> None:
    """The newest run has each odd summary in turn, and in the end there is a run with each of them."""
    sound_runs(tiny)
    for experiment in tiny.experiments.glob("*.yaml"):  # it takes longer to read them than the runs
        experiment.unlink()
    file, others = tiny.root / "metrics.json", list[Run]()
    for number, (text, _) in enumerate(ODD):
        file.write_text(text)
        summary = reported(file)[0]
        ledger.replace(dataclasses.replace(ON_KAGGLE, config=CONFIG, summary=summary))
        rank_and_show(tiny, ledger)
        config = {**CONFIG, "seed": number}
        other = dataclasses.replace(ON_KAGGLE, id=f"odd{number}", experiment=f"odd{number}", config=config)
        others.append(dataclasses.replace(other, summary=summary, created_at="2026-10-03T00:00:00+00:00"))
    with ledger.transaction():
        for run in others:
            ledger.add(run)
    use_everything(tiny, ledger)


def test_folders_where_files_are_read(tiny: Project, ledger: Ledger) -> None:
    """A program may give a folder the name of any file that coord reads of a run."""
    sound_runs(tiny)
    names = ("oof.csv", "metrics.jsonl", "submission.csv", "folds.csv", "worst/a.png", "worst/0-b.png/c.png")
    found = fetched(tiny, ledger, {f"{name}/x": b"x" for name in names})
    assert found.warnings == ()
    rank_and_show(tiny, ledger)
    write_report(Workspace(tiny, ledger, MemoryTarget()), tiny.root / "report.html", Contents(every=True))


@pytest.mark.parametrize("mode", ["maximize", "MAX", "", "up"])
def test_a_metric_without_a_direction_is_not_ranked(tiny: Project, ledger: Ledger, mode: str) -> None:
    """Though it is the newest of two: the other one is ranked alone. If there is no other, it is said why."""
    finished(tiny, "odd", 1, [0.1, 0.3], mode=mode, sets=["optim.lr=0.5"])
    here = Workspace(tiny, ledger, MemoryTarget())
    with pytest.raises(CoordError, match=r"the direction of cv/dice is not the same for all: its mode is "):
        best(here)
    finished(tiny, "base", 1, [0.4, 0.6], created_at="2026-10-01T00:00:00+00:00")
    rows, notes = best(here)
    assert [(row["run"], row["mode"]) for row in rows] == [("base local-v1", "max")]
    assert notes == ["left out, because cv/dice has another direction there, or none: odd local-v1"]


EVENTS: tuple[dict[str, Any], ...] = (
    {"epoch": HUGE},
    {"epoch": -HUGE},
    {"epoch": 1e308},
    {"epoch": 1e99},
    {"epoch": 2**70, "epochs": HUGE, "step": HUGE, "fold": HUGE, "seed": HUGE},
    {"epoch": 1, "time": HUGE},
    {"epoch": 1, "time": 1e308},
    {"epoch": 1, "time": 1e99},
    {"epoch": 1, "time": -1e99},
    {"epoch": 1, "metrics": {"cv/dice": HUGE, "val/loss": 1e308, "x": -1e308}},
    {"epoch": 1, "metrics": {"cv/dice": float("inf"), "x": float("nan")}},
    {"epoch": 1, "metrics": {"a" * 10_000: 1, "\x1b[2J\u202e": 2, "": 3}},
    {"epoch": 1, "metrics": [[[]]], "text": {"a": 1}, "status": 5},
    {"event": "end", "status": "x" * 100_000},
    {"event": "message", "text": "\u202etxt\x9b2J"},
)


def test_events_that_no_reader_expects(tiny: Project, ledger: Ledger) -> None:
    """In the log and in metrics.jsonl: the last event in the ledger, the curves of the report, other tools."""
    sound_runs(tiny)
    sound = json.dumps({"event": "epoch", "epoch": 1, "time": 2.5, "metrics": {"cv/dice": 0.5}})
    lines = [sound, *(json.dumps({"event": "epoch", "metrics": {"x": 1}, **event}) for event in EVENTS)]
    found = fetched(tiny, ledger, {"metrics.jsonl": "\n".join(lines).encode()})
    assert found.warnings == ()
    for line in lines:
        ledger.update(found.run.id, last_event=event_of(f"COORD {line}"))
        show_each(ledger.runs())
    use_everything(tiny, ledger)
    for row in record_of(tiny, found.run).rows:
        assert abs(row.epoch) < 2**63
        assert abs(row.time) < 2**63
        assert row.prefix == ""


@pytest.mark.parametrize("seconds", [1e9, 1e300, -1e300])
def test_the_clock_of_a_log(tiny: Project, ledger: Ledger, seconds: float) -> None:
    """A record's time tells when the session started: never longer ago than a session lasts."""
    ledger.add(dataclasses.replace(ON_KAGGLE, target="local", state=RunState.RUNNING, config=CONFIG))
    target = MemoryTarget(session=SessionState(RunState.RUNNING), records=[LogRecord("stdout", seconds, "x\n")])
    run = refresh_run(Workspace(tiny, ledger, target), ledger.get(ON_KAGGLE.id))
    assert run.started_at is not None
    assert datetime.now(UTC) - datetime.fromisoformat(run.started_at) <= timedelta(hours=13)
