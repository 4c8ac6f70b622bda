"""Sweeps: recorded before anything is pushed, pushed as sessions become free, gone on with after anything."""

from __future__ import annotations

import dataclasses
import io
import json
import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from coordinator.bundle.bootstrap import stamp_of
from coordinator.cli.tables import sweeps as sweep_tables
from coordinator.clock import Clock
from coordinator.errors import CoordError, ExperimentError, Later, NotSent, TargetError, UsageError
from coordinator.files import held
from coordinator.ledger import sweeps
from coordinator.ledger.ledger import Ledger, Run
from coordinator.ledger.sweeps import Sweep
from coordinator.project.project import Project
from coordinator.results.events import Event
from coordinator.results.summary import Summary
from coordinator.runs.fetch.fetch import provenance
from coordinator.sweeps.estimates import Estimate
from coordinator.sweeps.plan import Plan, Variation, begin, plan_sweep
from coordinator.sweeps.progress import sweep_progress
from coordinator.sweeps.push import resume
from coordinator.target.protocol import AcceleratorQuota, RunState, SessionState
from coordinator.workspace import Workspace
from tests.coordinator.command import Coord, until
from tests.coordinator.targets import MemoryTarget

GRID = ("optim.lr=0.1,0.2", "train.epochs=1,2")
NAMES = [f"base--lr{lr}-epochs{epochs}" for lr in ("0.1", "0.2") for epochs in (1, 2)]


def _target() -> MemoryTarget:
    """With room for two sessions, which are complete when a test ends them."""
    return MemoryTarget(slots=2, session=SessionState(RunState.COMPLETE))


@dataclass
class Sweeper:
    """Sweeps in the tiny project, on a time that passes only by waiting."""

    project: Project
    ledger: Ledger
    target: MemoryTarget = field(default_factory=_target)
    said: list[str] = field(default_factory=list)
    pushed: list[Run] = field(default_factory=list)
    event: Callable[[], object] = lambda: None
    passed: float = 0.0

    def plan(self, *grid: str, seeds: int | None = None, **options: Any) -> Plan:
        varied = Variation(grid or GRID, seeds)
        return plan_sweep(Workspace(self.project, self.ledger), "base", varied, target="local", **options)

    def begin(self, *grid: str) -> Sweep:
        return begin(self.ledger, self.plan(*grid), is_named=False)

    def resume(self, sweep: Sweep, *, wait: bool = False, retry: bool = False) -> list[CoordError]:
        clock = Clock(seconds=lambda: 2e9 + self.passed, sleep=self.sleep)
        return resume(
            Workspace(self.project, self.ledger, self.target, clock=clock, say=self.said.append),
            sweep,
            wait=wait,
            retry=retry,
            pushed=self.pushed.append,
        )

    def sleep(self, seconds: float) -> None:
        self.passed += seconds
        self.event()

    @property
    def versions(self) -> dict[str, int]:
        """How many versions each kernel has."""
        return {slug: len(sources) for slug, sources in self.target.sources.items()}

    def all_done(self, sweep: Sweep, state: RunState = RunState.COMPLETE) -> None:
        """Every session ends, and coord sees that."""
        self.target.running.clear()
        self.target.session = SessionState(state)
        for run in self.ledger.runs():
            if run.state.is_active and run.version:
                self.ledger.update(run.id, state=state)


@pytest.fixture
def sweeper(tiny: Project) -> Iterator[Sweeper]:
    with Ledger(tiny.ledger) as ledger:
        yield Sweeper(tiny, ledger)


def _slugs(names: list[str]) -> set[str]:
    return {"tiny-" + name.replace("--", "-").replace(".", "-") for name in names}


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
    """To a ledger that lost it, from what the run.json of any of its runs says; what is no sweep is none."""
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
    """By their names, also in another process, with `--set` on top."""
    sweeper.begin()
    found = sweeps.find_experiment(sweeper.project, NAMES[3], ["seed=7"])
    assert (found.config["optim"]["lr"], found.config["train"]["epochs"], found.config["seed"]) == (0.2, 2, 7)
    again = sweeps.find_experiment(sweeper.project, NAMES[3])
    assert again == sweeps.find_experiment(sweeper.project, NAMES[3], again.overrides)
    with pytest.raises(ExperimentError, match=r'there is no experiment "base--lr0\.3"'):
        sweeps.find_experiment(sweeper.project, "base--lr0.3")


def test_pushed_as_sessions_become_free(sweeper: Sweeper) -> None:
    """Two at once, each exactly once, in their order."""
    sweep = sweeper.begin()

    def end_one() -> None:
        sweeper.target.running[:1] = []

    sweeper.event = end_one
    assert sweeper.resume(sweep, wait=True) == []
    assert sweeper.versions == dict.fromkeys(_slugs(NAMES), 1)
    assert [run.experiment for run in sweeper.pushed] == NAMES
    assert len(sweeper.ledger.runs()) == 4
    assert sweeper.resume(sweep) == []
    assert len(sweeper.pushed) == 4


def test_the_session_limit_is_later_if_nobody_waits(sweeper: Sweeper) -> None:
    """It says what is left and how to go on; `resume` pushes the rest, nothing twice."""
    sweep = sweeper.begin()
    with pytest.raises(Later, match="2 of 4 are left") as caught:
        sweeper.resume(sweep)
    assert (caught.value.exit_code, caught.value.hint) == (75, "Continue with: coord sweep resume base--lr-epochs")
    assert sweep_progress(Workspace(sweeper.project, sweeper.ledger), sweep).counts == {"waiting": 2, "queued": 2}
    sweeper.all_done(sweep)
    sweeper.resume(sweep)
    assert sweeper.versions == dict.fromkeys(_slugs(NAMES), 1)
    assert sweep_progress(Workspace(sweeper.project, sweeper.ledger), sweep).counts == {"queued": 2, "complete": 2}


@pytest.mark.parametrize("arrives", [True, False])
@pytest.mark.parametrize("is_over", [True, False])
def test_a_kill_in_the_middle_of_a_push_doubles_nothing(sweeper: Sweeper, arrives: bool, is_over: bool) -> None:
    """Whether the push arrived or not, and even if its session has ended by the time that the sweep goes on."""
    sweep = sweeper.begin()
    (slug,) = _slugs(NAMES[1:2])
    sweeper.target.push_plan = {slug: [(arrives, KeyboardInterrupt())]}
    with pytest.raises(KeyboardInterrupt):
        sweeper.resume(sweep)
    if is_over:
        sweeper.target.running.clear()
    sweeper.target.slots = 9
    sweeper.resume(sweep)
    assert sweeper.versions == dict.fromkeys(_slugs(NAMES), 1)
    stamped = [stamp_of(sources[0])["run"] for sources in sweeper.target.sources.values()]
    assert sorted(stamped) == sorted(run.id for run in sweeper.ledger.runs() if run.version)


def test_one_that_is_refused_does_not_stop_the_others(sweeper: Sweeper) -> None:
    """It is reported at the end, and pushed again by the next `resume`."""
    sweep, sweeper.target.slots = sweeper.begin(), 9
    (slug,) = _slugs(NAMES[:1])
    sweeper.target.push_plan = {slug: [(False, TargetError("the title is taken"))]}
    (refused,) = sweeper.resume(sweep)
    assert refused.what == "the title is taken"
    assert [run.experiment for run in sweeper.pushed] == NAMES[1:]
    assert sweep_progress(Workspace(sweeper.project, sweeper.ledger), sweep).counts == {"waiting": 1, "queued": 3}
    sweeper.resume(sweep)
    assert [run.experiment for run in sweeper.pushed] == [*NAMES[1:], NAMES[0]]


@pytest.mark.parametrize("error", [Later("the quota is spent"), NotSent("no connection")])
def test_what_would_happen_to_all_stops_it(sweeper: Sweeper, error: CoordError) -> None:
    """No quota, no connection: the others are not tried, and the hint has the command to continue."""
    sweep = sweeper.begin()
    (slug,) = _slugs(NAMES[:1])
    sweeper.target.push_plan = {slug: [(False, error)]}
    with pytest.raises(type(error), match=error.what) as caught:
        sweeper.resume(sweep)
    assert caught.value.hint is not None
    assert "coord sweep resume base--lr-epochs" in caught.value.hint
    assert sweeper.target.sources == {}


def test_what_failed_is_pushed_again_if_that_is_asked_for(sweeper: Sweeper) -> None:
    """An error stays one; --retry makes a new version."""
    sweep, sweeper.target.slots = sweeper.begin(), 9
    sweeper.resume(sweep)
    sweeper.all_done(sweep, RunState.ERROR)
    sweeper.resume(sweep)
    assert set(sweeper.versions.values()) == {1}
    sweeper.resume(sweep, retry=True)
    assert set(sweeper.versions.values()) == {2}


def test_a_sweep_does_not_go_on_with_other_sources(sweeper: Sweeper) -> None:
    """Its runs could not be compared; a comment in pyproject.toml is no difference."""
    sweep = sweeper.begin()
    with sweeper.project.pyproject.open("a") as file:
        file.write("\n# a comment\n")
    sweeper.target.slots = 1
    with pytest.raises(Later):
        sweeper.resume(sweep)
    engine = sweeper.project.root / "tiny_model" / "engine.py"
    engine.write_text(engine.read_text().replace("0.05", "0.06"))
    with pytest.raises(ExperimentError, match="is not what it was when the sweep"):
        sweeper.resume(sweep)
    assert len(sweeper.pushed) == 1


def test_one_process_at_a_time_works_on_a_sweep(sweeper: Sweeper) -> None:
    """A second one would push the same."""
    sweep = sweeper.begin()
    with (
        held(sweeper.project.sweep_lock(sweep.name), wait=False),
        pytest.raises(CoordError, match="another process is pushing"),
    ):
        sweeper.resume(sweep)


def test_work_that_was_done_is_not_done_again(sweeper: Sweeper) -> None:
    """By whatever experiment: lr 0.1 with 3 epochs is `base` itself. A repeat is for `force`."""
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
    assert set(sweeper.versions) == _slugs(["base--lr0.1", "base--lr0.2", "base--epochs4"])
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
    """Whatever its experiment is called; should it fail, --retry pushes the sweep's own, once."""
    first = sweeper.begin("optim.lr=0.1,0.2")
    sweeper.resume(first)
    planned = sweeper.plan("train.epochs=3,4")
    assert [each.done.label if each.done else None for each in planned.planned] == ["base--lr0.1 local-v1", None]
    (slug,) = _slugs(["base--epochs3"])
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
    """From earlier runs; nothing of it is written."""
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
    """The share of the week, whether it is enough, and how like the runs are that the time is known from."""
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


def test_what_the_logs_say_is_shown(sweeper: Sweeper) -> None:
    """Before anything is fetched: where a run is and how long it still takes, what a complete one has reached, and why
    one failed. The others of the first sweep ever are thought to take as long as those that run."""
    sweep, sweeper.target.slots = sweeper.begin(), 9
    sweeper.resume(sweep)
    runs = {run.experiment: run for run in sweeper.ledger.runs()}
    epoch = {"event": "epoch", "fold": 0, "epoch": 1, "epochs": 4, "time": 30.0, "metrics": {"val/dice": 0.5}}
    end = {"event": "end", "time": 100.0, "status": "complete", "metrics": {"cv/dice": 0.7, "baseline/empty": 0.6}}
    changes: list[dict[str, Any]] = [
        {"state": RunState.RUNNING, "started_at": "2026-11-01T00:00:00+00:00", "last_event": Event.parse(epoch)},
        {"state": RunState.QUEUED},
        {"state": RunState.COMPLETE, "last_event": Event.parse({**end, "status": "incomplete"})},
        {"state": RunState.ERROR, "message": "no GPU\nand more"},
    ]
    for name, change in zip(NAMES, changes, strict=True):
        sweeper.ledger.update(runs[name].id, **change)
    moment = datetime(2026, 11, 1, 0, 0, 50, tzinfo=UTC)
    now = sweep_progress(Workspace(sweeper.project, sweeper.ledger), sweep, moment)
    assert [each.about for each in now.members] == [
        "fold 0, epoch 1/4: val/dice 0.5000",
        "",
        "stopped before its end",
        "no GPU",
    ]
    assert [each.left for each in now.members] == [70.0, 120.0, None, None]
    assert [each.metric for each in now.members] == [None] * 4
    assert now.left == 120.0
    sweeper.ledger.update(runs[NAMES[2]].id, last_event=Event.parse(end))
    assert sweep_progress(Workspace(sweeper.project, sweeper.ledger), sweep, moment).members[2].metric == (
        "cv/dice",
        0.7,
    )


def test_other_seeds_keep_the_folds(repository: Project, tmp_path: Path) -> None:
    """Where the project says which setting does that: here `folds.seed`, which is the first of the seeds for all."""
    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        planned = plan_sweep(Workspace(repository, ledger), "smoke", Variation(seeds=2), target="local")
    found = [each.combination for each in planned.planned]
    assert [each.name for each in found] == ["smoke--s0", "smoke--s1"]
    assert [(each.experiment.config["seed"], each.experiment.config["folds"]["seed"]) for each in found] == [
        (0, 0),
        (1, 0),
    ]


# The commands


@pytest.fixture
def coord(coord: Coord) -> Coord:
    """`coord` in the tiny project, whose sessions are not isolated."""
    with (coord.root / "pyproject.toml").open("a") as file:
        file.write('\n[tool.coord.local]\nisolation = "none"\n')
    return coord


def test_the_whole_way(coord: Coord) -> None:
    """A plan, a sweep on the local Kaggle as sessions become free, its status, one of its runs fetched, the plan."""
    grid = ("--exp", "base", "--grid", "optim.lr=0.1,0.2", "--seeds", "2")
    shown = coord.here("sweep", *grid, "--plan").stdout
    assert "sweep base--lr-s2 on local: 4 to run" in shown
    assert max(map(len, shown.splitlines())) <= 80
    coord.here("sweep", *grid)
    states = until(
        lambda: (
            (now := json.loads(coord.here("sweep", "status", "base--lr-s2", "--json").stdout))["counts"]
            == {"complete": 4}
            and now
        ),
        "the end of the sweep",
    )
    assert [each["experiment"] for each in states["experiments"]][:2] == ["base--lr0.1-s0", "base--lr0.1-s1"]
    coord.here("fetch-results", "--exp", "base--lr0.2-s1")
    folder = coord.root / "results" / "base--lr0.2-s1" / "local-v1"
    assert (folder / "oof.csv").is_file()
    (sweep,) = json.loads((folder / "run.json").read_text())["sweeps"]
    assert [member["experiment"] for member in sweep["members"]] == [e["experiment"] for e in states["experiments"]]
    shown = coord.here("sweep", "status", "base--lr-s2").stdout
    assert "sweep base--lr-s2 on local: 4 complete" in shown
    assert "0.7550" in shown
    assert max(map(len, shown.splitlines())) <= 80
    assert "0 to run, 4 done already" in coord.here("sweep", *grid, "--plan").stdout
    assert "all of it is pushed" in coord.here("sweep", *grid).stderr
    shown = coord.here("sweep", "status").stdout
    assert "4 complete" in shown
    assert max(map(len, shown.splitlines())) <= 80
    (listed,) = json.loads(coord.here("sweep", "status", "--json").stdout)
    assert (listed["sweep"], listed["counts"]) == ("base--lr-s2", {"complete": 4})
    assert len(json.loads(coord.here("status", "--json").stdout)) == 4
    assert '"optim.lr"' in coord.here("show", "--exp", "base--lr0.2-s1", "--json").stdout


def test_several_experiments_are_pushed_one_after_the_other(coord: Coord) -> None:
    """Past one that is refused; what a complete run has done is shown, and run again with --force."""
    (coord.root / "experiments" / "bad.yaml").write_text("base: base\nconfig: {optim: {lr: -1}}\n")
    (coord.root / "experiments" / "same.yaml").write_text("base: base\nabout: the same work\n")
    done = coord.here("push", "--exp", "bad", "--exp", "base", "--exp", "crash", "--json", code=1)
    assert 'experiment "bad" has 1 problem' in done.stderr
    assert [run["experiment"] for run in json.loads(done.stdout)] == ["base", "crash"]
    (coord.root / "experiments" / "also.yaml").write_text("base: slow\nabout: the same work\n")
    coord.here("push", "--exp", "slow")
    going = coord.here("push", "--exp", "also")
    assert going.stdout == "http://127.0.0.1:7788/code/ada/tiny-slow\n"
    assert "slow local-v1 does the same and is " in going.stderr
    (coord.session_root("tiny-slow", 1) / "go").touch()
    until(lambda: "RUN" not in (out := coord.here("status").stdout) and "QUEUED" not in out, "the end of the runs")
    same = coord.here("push", "--exp", "same", "--exp", "base", "--wait")
    assert same.stdout == "http://127.0.0.1:7788/code/ada/tiny-base\n" * 2
    assert "base local-v1 has done the same and is complete: not pushed again (--force repeats it)" in same.stderr
    assert coord.here("push", "--exp", "same", "--force").stdout.endswith("/tiny-same\n")


def test_without_quota_it_is_later(coord: Coord) -> None:
    """Exit code 75 for what wants a GPU, while the rest is pushed; a sweep says how to go on."""
    (coord.root / "experiments" / "gpu.yaml").write_text("base: base\nkernel: {machine_shape: NvidiaTeslaT4}\n")
    with (coord.root / "pyproject.toml").open("a") as file:
        file.write("gpu_quota_hours = 0\n")
    done = coord.here("push", "--exp", "gpu", "--exp", "base", code=75)
    assert done.stdout == "http://127.0.0.1:7788/code/ada/tiny-base\n"
    done = coord.here("sweep", "--exp", "gpu", "--seeds", "2", code=75)
    assert "Continue with: coord sweep resume gpu--s2" in done.stderr
    done = coord.here("sweep", "resume", "gpu--s2", "--json", code=75)
    assert json.loads(done.stdout)["counts"] == {"waiting": 2}
    assert "pushing them any more: coord sweep resume gpu--s2" in coord.here("sweep", "status", "gpu--s2").stdout


def test_the_local_kaggle_refuses_beyond_its_limit(coord: Coord) -> None:
    """A sweep is pushed as its sessions end, each experiment once: after --no-wait, after Ctrl-C while it waits."""
    text = "base: slow\nkernel: {machine_shape: NvidiaTeslaT4}\n"
    (coord.root / "experiments" / "gpu.yaml").write_text(text)
    with (coord.root / "pyproject.toml").open("a") as file:
        file.write("gpu_sessions = 1\n")
    done = coord.here("sweep", "--exp", "gpu", "--seeds", "3", "--no-wait", code=75)
    assert "Maximum batch GPU session count of 1 reached; 2 of 3 are left" in done.stderr
    assert "Continue with: coord sweep resume gpu--s3" in done.stderr
    with coord.start("sweep", "resume", "gpu--s3") as waiting:
        assert waiting.stderr is not None
        assert any("trying again when a session has ended" in line for line in waiting.stderr)
        os.killpg(waiting.pid, signal.SIGINT)
        assert "the rest: coord sweep resume gpu--s3" in waiting.stderr.read()
        assert waiting.wait(60) == 130
    found = json.loads(coord.here("sweep", "status", "gpu--s3", "--json").stdout)
    assert found["counts"] == {"waiting": 2, "running": 1}
    assert found["experiments"][0]["about"].startswith("fold 1, epoch 3/3: val/dice 0.7")

    def all_ended() -> bool:
        for seed in range(3):
            if (root := coord.session_root(f"tiny-gpu-s{seed}", 1)).is_dir():
                (root / "go").touch()
        return waiting.poll() is not None

    with coord.start("sweep", "resume", "gpu--s3") as waiting:
        until(all_ended, "the last push")
        assert waiting.wait(60) == 0
    runs = json.loads(coord.here("status", "--json").stdout)
    pushed = sorted((run["experiment"], run["version"]) for run in runs if run["version"])
    assert pushed == [(f"gpu--s{seed}", 1) for seed in range(3)]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "which experiment? name one with --exp"),
        (("--exp", "bse", "--seeds", "2"), 'did you mean "base"?'),
        (("--exp", "base"), "vary something"),
        (("--exp", "base", "--seeds", "1000000000"), "that is 1000000000 experiments"),
        (("--exp", "base", "--seeds", "2", "--name", "a/b"), "a sweep's name has letters"),
        (("--exp", "base", "--seeds", "2", "--name", ""), "a sweep's name has letters"),
        (("status", "x"), 'there is no sweep "x"'),
        (("resume", "x"), 'there is no sweep "x"'),
    ],
)
def test_a_command_that_makes_no_sense(coord: Coord, arguments: tuple[str, ...], message: str) -> None:
    """One clear message."""
    assert message in coord.here("sweep", *arguments, code=1 if "bse" in arguments else 2).stderr
