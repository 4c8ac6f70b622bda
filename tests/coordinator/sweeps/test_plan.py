"""Plans of sweeps: recorded before anything is pushed, with the work that was done before, and with their cost."""

from __future__ import annotations

import dataclasses
import io
import json
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from coordinator.cli.tables import sweeps as sweep_tables
from coordinator.errors import ExperimentError, UsageError
from coordinator.ledger import sweeps
from coordinator.ledger.ledger import Ledger
from coordinator.project.project import Project
from coordinator.results.summary import Summary
from coordinator.runs.fetch.fetch import provenance
from coordinator.sweeps.estimates import Estimate
from coordinator.sweeps.plan import Variation, begin, plan_sweep
from coordinator.sweeps.progress import sweep_progress
from coordinator.target.protocol import AcceleratorQuota, RunState
from coordinator.workspace import Workspace
from tests.coordinator.sweeps.sweeper import NAMES, Sweeper, slugs


def test_a_sweep_is_recorded_before_anything_is_pushed(sweeper: Sweeper) -> None:
    """The same request again is the same sweep; another with its name is refused, or gets a number."""
    sweep = sweeper.begin()
    assert (sweep.name, [member.experiment for member in sweep.members]) == ("base--lr-epochs", NAMES)
    assert sweeps.find_sweep(sweeper.ledger, sweep.name) == sweep
    assert sweeper.begin() == sweep
    assert sweeper.ledger.runs() == []
    assert sweeper.begin("optim.lr=0.1,0.3", "train.epochs=1,2").name == "base--lr-epochs-2"
    other = sweeper.plan("optim.lr=0.4", name="base--lr-epochs")
    with pytest.raises(UsageError, match='there is another sweep "base--lr-epochs"'):
        begin(sweeper.ledger, other, is_named=True)
    with pytest.raises(UsageError, match=r'no sweep "base--lr-epoch" \(did you mean "base--lr-epochs"\?\)'):
        sweeps.find_sweep(sweeper.ledger, "base--lr-epoch")


def test_a_sweep_can_be_given_back(sweeper: Sweeper, tmp_path: Path) -> None:
    """The run.json of any of its runs restores it in a ledger that has lost it; invalid values give None."""
    sweep = sweeper.begin("optim.lr=0.1,0.2")
    sweeper.resume(sweep)
    sweeper.all_done(sweep)
    begun = sweeper.begin("optim.lr=0.1,0.3", "train.epochs=3")
    (run,) = sweeper.ledger.runs(experiment="base--lr0.1")
    assert sweeps.sweeps_of(sweeper.ledger, run) == [begun, sweep]
    assert begun.members[0].run_id == run.id
    said = json.loads(json.dumps(provenance(run, [begun, sweep])))["sweeps"]
    with Ledger(tmp_path / "other.sqlite") as other:
        for each in filter(None, map(sweeps.from_json, reversed(said))):
            sweeps.add(other, each)
        assert sweeps.all_sweeps(other) == [begun, sweep]
    first = said[0]["members"][0]
    for broken in (None, {}, {**said[0], "members": [1]}, {**said[0], "members": [{**first, "work": 3}]}):
        assert sweeps.from_json(broken) is None
    assert sweeps.from_json({key: value for key, value in said[0].items() if key != "base"}) is None


def test_its_experiments_are_experiments_like_any_other(sweeper: Sweeper) -> None:
    """They are found by name, also by another process, and `--set` can be added."""
    sweeper.begin()
    found = sweeps.find_experiment(sweeper.project, NAMES[3], ["seed=7"])
    assert (found.config["optim"]["lr"], found.config["train"]["epochs"], found.config["seed"]) == (0.2, 2, 7)
    again = sweeps.find_experiment(sweeper.project, NAMES[3])
    assert again == sweeps.find_experiment(sweeper.project, NAMES[3], again.overrides)
    with pytest.raises(ExperimentError, match=r'there is no experiment "base--lr0\.3"'):
        sweeps.find_experiment(sweeper.project, "base--lr0.3")


def test_work_that_was_done_is_not_done_again(sweeper: Sweeper) -> None:
    """Whatever the experiment is called: lr 0.1 with 3 epochs is `base` itself. `force` repeats it."""
    first = sweeper.begin("optim.lr=0.1,0.2")
    sweeper.resume(first)
    sweeper.all_done(first)
    planned = sweeper.plan("optim.lr=0.1,0.2,0.3")
    assert [each.done.label if each.done else None for each in planned.planned] == [
        "base--lr0.1 local-v1",
        "base--lr0.2 local-v1",
        None,
    ]
    second = sweeper.begin("train.epochs=3,4")
    assert second.members[0].run_id is not None
    sweeper.resume(second)
    assert set(sweeper.versions) == slugs(["base--lr0.1", "base--lr0.2", "base--epochs4"])
    by_name = {
        each.member.experiment: each
        for each in sweep_progress(Workspace(sweeper.project, sweeper.ledger), second).members
    }
    run = by_name["base--epochs3"].run
    assert run is not None
    assert run.label == "base--lr0.1 local-v1"

    for run in sweeper.ledger.runs():
        sweeper.ledger.update(run.id, created_at="2026-01-01T00:00:00+00:00", state=RunState.COMPLETE)
    sweeper.target.running.clear()
    repeat = begin(sweeper.ledger, sweeper.plan("optim.lr=0.1,0.2", force=True), is_named=False, force=True)
    assert repeat.name == "base--lr-2"
    sweeper.resume(repeat)
    assert sweeper.versions["tiny-base-lr0-1"] == 2


def test_work_that_is_being_done_is_not_done_twice(sweeper: Sweeper) -> None:
    """Whatever the experiment is called; if that run fails, --retry pushes the sweep's own, once."""
    first = sweeper.begin("optim.lr=0.1,0.2")
    sweeper.resume(first)
    planned = sweeper.plan("train.epochs=3,4")
    assert [each.done.label if each.done else None for each in planned.planned] == ["base--lr0.1 local-v1", None]
    (slug,) = slugs(["base--epochs3"])
    second, sweeper.target.slots = sweeper.begin("train.epochs=3,4"), 9
    sweeper.resume(second)
    assert slug not in sweeper.versions
    (run,) = sweeper.ledger.runs(experiment="base--lr0.1")
    sweeper.ledger.update(run.id, state=RunState.ERROR)
    sweeper.resume(second)
    assert slug not in sweeper.versions
    for _ in range(2):
        sweeper.resume(second, retry=True)
        assert sweeper.versions[slug] == 1


@pytest.mark.parametrize(
    "change",
    [
        {"lacks": ("ada/data",)},
        {"stop_requested": True},
        {"state": RunState.ERROR},
        {"summary": Summary.parse({"status": "incomplete"})},
        {"metadata": {"dataset_sources": ["ada/data"]}},
        {"files": {}},
        {"files": {"tiny_model/train.py": "0"}},
        {"config": {"seed": 1}},
        {"target": "kaggle"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_only_the_same_work_counts(sweeper: Sweeper, change: dict[str, Any]) -> None:
    """Complete, with all its sources, of the same files, config, data and target."""
    sweep = sweeper.begin("optim.lr=0.1")
    sweeper.resume(sweep)
    sweeper.all_done(sweep)
    (run,) = sweeper.ledger.runs()
    assert sweeper.plan("optim.lr=0.1").to_run == ()
    sweeper.ledger.replace(dataclasses.replace(run, **change))
    assert len(sweeper.plan("optim.lr=0.1").to_run) == 1


def test_a_plan_knows_how_long_it_takes(sweeper: Sweeper) -> None:
    """The time is estimated from earlier runs; a plan writes nothing."""
    assert sweeper.plan().session_seconds is None
    sweep = sweeper.begin("train.epochs=2")
    sweeper.resume(sweep)
    sweeper.all_done(sweep)
    (run,) = sweeper.ledger.runs()
    sweeper.ledger.update(run.id, summary=Summary.parse({"seconds": 600.0, "status": "complete"}))
    planned = sweeper.plan()
    assert (planned.session_seconds, planned.wall_seconds) == (1800.0, 1200.0)
    assert [sweep.name for sweep in sweeps.all_sweeps(sweeper.ledger)] == ["base--epochs"]
    begun = sweeper.begin()
    assert sweep_progress(Workspace(sweeper.project, sweeper.ledger), begun).left == 1200.0


def test_a_plan_says_what_it_costs(sweeper: Sweeper) -> None:
    """The share of the weekly quota, whether it is enough, and how similar the runs are that the estimate is from."""
    sweep = sweeper.begin("train.epochs=2")
    sweeper.resume(sweep)
    sweeper.all_done(sweep)
    (run,) = sweeper.ledger.runs()
    sweeper.ledger.update(run.id, summary=Summary.parse({"seconds": 600.0, "status": "complete"}))
    planned = dataclasses.replace(sweeper.plan("optim.lr=0.3,0.4", seeds=2), machine="NvidiaTeslaT4")

    def shown(hours: float) -> list[str]:
        console = Console(width=80, file=io.StringIO())
        console.print(sweep_tables.plan(planned, AcceleratorQuota("gpu", 0.0, 0.0, hours * 3600)))
        assert isinstance(console.file, io.StringIO)
        return console.file.getvalue().splitlines()

    assert [line.rstrip() for line in shown(30)[-3:]] == [
        "sweep base--lr-s2 on local: 4 to run",
        "about 40 min of sessions, 20 min from start to end; by earlier runs like them",
        "that is 2% of the week's 30 GPU hours; 30.0 h are left",
    ]
    assert shown(0.5)[-1].rstrip() == "that is 133% of the week's 0.5 GPU hours; 0.5 h are left: not enough"
    assert shown(90)[-1].startswith("that is less than 1% of the week's 90 GPU hours")
    far = [dataclasses.replace(each, estimate=Estimate(60.0, 1, 9)) for each in planned.planned]
    planned = dataclasses.replace(planned, planned=tuple(far))
    assert "by earlier runs that differ in up to 9 settings: a guess" in " ".join(shown(30))


def test_other_seeds_keep_the_folds(repository: Project, tmp_path: Path) -> None:
    """If the project names the setting of the folds: here `folds.seed`, which has the first seed in all of them."""
    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        planned = plan_sweep(Workspace(repository, ledger), "smoke", Variation(seeds=2), target="local")
    found = [each.combination for each in planned.planned]
    assert [each.name for each in found] == ["smoke--s0", "smoke--s1"]
    assert [(each.experiment.config["seed"], each.experiment.config["folds"]["seed"]) for each in found] == [
        (0, 0),
        (1, 0),
    ]
