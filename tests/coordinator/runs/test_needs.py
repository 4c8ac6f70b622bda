"""Before a push: the runs that an experiment needs are there, and it is said which versions are read."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import pytest

from coordinator.clock import Clock
from coordinator.errors import CoordError, ExperimentError, Later, NoAnswer, RunFailed, RunNotFound, TargetError
from coordinator.finding import Level
from coordinator.kernel.metadata import KernelMetadata
from coordinator.ledger.ledger import Ledger, Run
from coordinator.ledger.sources import outdated_in
from coordinator.maintenance.doctor.of_project import check_needs
from coordinator.project.experiment import resolve
from coordinator.project.project import Project
from coordinator.results.summary import Summary
from coordinator.runs.needs import ready_needs
from coordinator.runs.push_several import push_several
from coordinator.sweeps.plan import Variation, begin, plan_sweep
from coordinator.sweeps.push import SweepOptions, resume
from coordinator.target.protocol import Pushed, RunState, SessionState
from coordinator.workspace import Workspace
from tests.coordinator.bundle.programs import write_files
from tests.coordinator.runs.needing import version
from tests.coordinator.targets import MemoryTarget

COMPLETE, RUNNING, ERROR, CANCELLED = RunState.COMPLETE, RunState.RUNNING, RunState.ERROR, RunState.CANCELLED


@dataclass
class Time:
    """It passes only while somebody sleeps; `during` is called then."""

    now: float = 1_000_000.0
    during: Callable[[float], None] = lambda now: None
    waits: list[float] = field(default_factory=list)

    def seconds(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.waits.append(seconds)
        self.during(self.now)


def infer(project: Project, needs: str) -> None:
    write_files(project.experiments, {"infer.yaml": f"base: base\nconfig: {{seed: 7}}\nneeds: {needs}\n"})


class Here:
    """A project with the experiment `infer`, and runs of what it needs."""

    def __init__(
        self,
        project: Project,
        ledger: Ledger,
        runs: Sequence[Run],
        needs: str = "{weights: base}",
        target: MemoryTarget | None = None,
    ) -> None:
        infer(project, needs)
        for run in runs:
            ledger.add(run)
        self.said, self.target, self.clock = list[str](), target or MemoryTarget(slots=9), Time()
        self.ledger, self.project = ledger, project
        clock = Clock(self.clock.seconds, sleep=self.clock.sleep)
        self.workspace = Workspace(project, ledger, self.target, clock, self.said.append)

    def ready(self, *, wait: bool = False) -> tuple[str, ...]:
        return ready_needs(self.workspace, resolve(self.project, "infer"), wait=wait)

    def push(self, name: str = "infer") -> Run:
        (result,) = push_several(self.workspace, [name], [], force=False, wait_for_slot=False)
        if result.error is not None:
            raise result.error
        assert result.run is not None
        self.target.running.clear()
        return self.ledger.update(result.run.id, state=COMPLETE)


READ_1 = "reads base local-v1 as weights"


@pytest.mark.parametrize(
    ("runs", "needs", "texts"),
    [
        ([version(1)], "{weights: base}", [READ_1]),
        ([version(1)], "base", ["reads base local-v1 as base"]),
        ([version(1)], "{weights: base@v1}", [READ_1]),
        ([version(1), version(2)], "{weights: base@v2}", ["reads base local-v2 as weights"]),
        (
            [version(1), version(2, ERROR)],
            "{weights: base}",
            [READ_1, "warning: base local-v2 has failed, so v1 is read"],
        ),
        (
            [version(1, summary=Summary.parse({"status": "incomplete"}))],
            "{weights: base}",
            [READ_1, "warning: base local-v1 ended before it was finished"],
        ),
        ([version(1, RUNNING), version(2)], "{weights: base}", ["reads base local-v2 as weights"]),
        (
            [version(1, lacks=("ada/x",))],
            "{weights: base}",
            [READ_1, "warning: base local-v1 ran without ada/x"],
        ),
        (
            [version(1), version(3, experiment="crash")],
            "[base, crash]",
            ["reads base local-v1 as base", "reads crash local-v3 as crash"],
        ),
    ],
)
def test_what_is_read_is_said(
    tiny: Project, ledger: Ledger, runs: Sequence[Run], needs: str, texts: Sequence[str]
) -> None:
    """The newest complete version of each, and what about it one may not expect."""
    here = Here(tiny, ledger, runs, needs)
    here.target.session = SessionState(RUNNING)
    assert list(here.ready()) == texts


def test_a_version_by_its_number_does_not_wait_for_a_newer_one(tiny: Project, ledger: Ledger) -> None:
    """But it may be read all the same, if it ends in time."""
    here = Here(tiny, ledger, [version(1), version(2, RUNNING)], "{weights: base@v1}")
    here.target.session = SessionState(RUNNING)
    first, second = here.ready(wait=True)
    assert first == READ_1
    assert second.startswith("warning: base local-v2 is running (")
    assert second.endswith("): if it is complete before this session begins, that one is read")
    assert here.clock.waits == []


MAKE = "coord push --exp base"
REFUSED = dataclasses.replace(version(1, RunState.REFUSED), version=None)


@pytest.mark.parametrize(
    ("runs", "needs", "kind", "what", "hint"),
    [
        ([], "base", RunNotFound, "infer needs base: it has no run on local", f"Make one: {MAKE}"),
        ([version(1, target="kaggle")], "base", RunNotFound, "it has no run on local", MAKE),
        ([version(1, owner="bob")], "base", RunNotFound, "it has no run on local", MAKE),
        (
            [version(1, RUNNING)],
            "{weights: base}",
            Later,
            "infer needs base (weights): base local-v1 is running (",
            "--wait-for-needs",
        ),
        (
            [version(1), version(2, RUNNING)],
            "base",
            Later,
            "), and v1 would be read",
            "or name the version that is there, base@v1",
        ),
        (
            [version(1, ERROR, message="out of memory")],
            "base",
            RunFailed,
            "base local-v1 has failed (out of memory), and no version of it is complete",
            "coord logs --exp base",
        ),
        ([version(1, CANCELLED)], "base", RunFailed, "base local-v1 was cancelled, and no", f"Push it again: {MAKE}"),
        ([REFUSED], "base", RunFailed, "was refused, and no", MAKE),
        ([version(1).as_merged()], "base", RunNotFound, "merged from runs of split folds", "Run all folds in one"),
        (
            [version(1, git="abc-dirty"), version(2)],
            "base@v1",
            ExperimentError,
            "local gives the newest complete version of a kernel, and that is v2",
            "Push base again at its commit, abc, and name the version that this makes, or leave out @v1",
        ),
        ([version(2)], "base@v1", ExperimentError, "and that is v2", "Push base again as it was then"),
        (
            [version(1)],
            "base@v3",
            ExperimentError,
            "base@v3: there is no v3 yet; the newest complete one is v1",
            f"{MAKE}, or leave out @v3",
        ),
        ([], "base@v3", ExperimentError, "there is no v3 yet; it has no complete version", MAKE),
        (
            [version(1), version(2, ERROR)],
            "base@v2",
            ExperimentError,
            "has no output to attach; the newest complete one is v1",
            "and name that version",
        ),
        ([version(1), version(2, RUNNING)], "base@v2", Later, "base local-v2 is running", "--wait-for-needs"),
    ],
)
def test_what_cannot_be_read(
    tiny: Project, ledger: Ledger, runs: Sequence[Run], needs: str, kind: type[CoordError], what: str, hint: str
) -> None:
    """One message, with the commands."""
    here = Here(tiny, ledger, runs, needs)
    here.target.session = SessionState(RUNNING)
    with pytest.raises(kind) as refused:
        here.ready()
    assert type(refused.value) is kind
    assert what in refused.value.what
    assert hint in str(refused.value.hint)


def test_several_problems_are_one_message(tiny: Project, ledger: Ledger) -> None:
    """What is only late is no excuse for what is missing."""
    here = Here(tiny, ledger, [version(1, RUNNING)], "[base, crash]")
    here.target.session = SessionState(RUNNING)
    with pytest.raises(RunNotFound) as refused:
        here.push()
    first, late, missing = refused.value.what.splitlines()
    assert not any("push" in each for each in here.target.asked)
    assert not ledger.runs(experiment="infer")
    assert first == "infer has 2 needs that can't be read:"
    assert late.startswith("  base: base local-v1 is running (")
    assert missing == "  crash: it has no run on local"
    assert str(refused.value.hint).splitlines()[1] == "Make one: coord push --exp crash"


def test_a_target_other_than_the_usual_one_is_named(tiny: Project, ledger: Ledger) -> None:
    """The command can be pasted."""
    here = Here(tiny, ledger, [])
    here.target.name = "kaggle"
    with pytest.raises(RunNotFound) as refused:
        here.push()
    assert str(refused.value.hint).splitlines() == [
        "Make one: coord push --exp base --target kaggle",
        "Or all of it: coord push --exp infer --with-needs --target kaggle",
    ]


def test_a_kernel_that_another_machine_pushed(tiny: Project, ledger: Ledger) -> None:
    """The ledger has no run of it, but it is there: that is said, and no reason to refuse."""
    here = Here(tiny, ledger, [])
    here.target.sources["tiny-base"] = ["# a kernel"]
    assert here.push().reads == ()
    assert "warning: base (weights) has a kernel on local, but no run in this ledger" in here.said


def test_an_output_that_the_target_does_not_give(tiny: Project, ledger: Ledger) -> None:
    """Its kernel was deleted, say: the session has started without it, and what has to be pushed is named."""

    class Strict(MemoryTarget):
        def push(self, metadata: KernelMetadata, source: str, *, timeout_seconds: int | None) -> Pushed:
            pushed = super().push(metadata, source, timeout_seconds=timeout_seconds)
            return dataclasses.replace(pushed, refused_sources=("ada/tiny-base", "ada/scans"))

    here = Here(tiny, ledger, [version(1)], target=Strict(slots=9))
    with pytest.raises(TargetError, match="infer local-v1 has started without ada/tiny-base, ada/scans") as refused:
        here.push()
    first, second = str(refused.value.hint).splitlines()
    assert first == "Its kernel may have been deleted: coord push --exp base, and then infer again"
    assert second.startswith("ada/scans: Make it known to the local Kaggle: coord local add-dataset ada/scans DIR")


def test_the_target_is_asked_before_it_is_said_that_a_need_runs(tiny: Project, ledger: Ledger) -> None:
    """It may have ended since; what was read is then recorded with its name."""
    here = Here(tiny, ledger, [version(1, RUNNING)])
    here.target.session = SessionState(COMPLETE)
    run = here.push()
    assert READ_1 in here.said
    assert {name: str(source) for name, source in run.needs_read.items()} == {"weights": "ada/tiny-base v1"}


@pytest.mark.parametrize("ends_as", [COMPLETE, ERROR])
def test_it_waits_for_what_runs(tiny: Project, ledger: Ledger, ends_as: RunState) -> None:
    """The time is shown, not too often; a need that fails in the end is an error, with its command."""
    here = Here(tiny, ledger, [version(1, RUNNING)])
    here.target.session, start = SessionState(RUNNING), here.clock.now

    def pass_on(now: float) -> None:
        if now > start + 600:
            here.target.session = SessionState(ends_as)

    here.clock.during = pass_on
    here.target.failures["state"] = [NoAnswer("the line is dead")]
    if ends_as is COMPLETE:
        assert here.ready(wait=True) == (READ_1,)
    else:
        with pytest.raises(RunFailed, match="base local-v1 has failed, and no version of it is complete"):
            here.ready(wait=True)
    assert here.said[0].startswith("waiting for base local-v1 (running)")
    assert here.said[0].endswith("(Ctrl-C: infer is not pushed)")
    assert here.said[5].startswith("waiting for base local-v1 (running), for 5 min now")
    assert 9 <= len(here.said) <= 11
    assert max(here.clock.waits) == 2.0


def test_ctrl_c_while_it_waits(tiny: Project, ledger: Ledger) -> None:
    """Nothing was pushed, and the message says so."""
    here = Here(tiny, ledger, [version(1, RUNNING)])
    here.target.session = SessionState(RUNNING)

    def interrupt(now: float) -> None:
        raise KeyboardInterrupt

    here.clock.during = interrupt
    with pytest.raises(KeyboardInterrupt, match="infer is not pushed; what it needs goes on"):
        here.ready(wait=True)
    assert [run.state for run in ledger.runs()] == [RUNNING]


def test_a_target_that_stays_silent_ends_the_wait(tiny: Project, ledger: Ledger) -> None:
    """After ten minutes."""
    here = Here(tiny, ledger, [version(1, RUNNING)])
    here.target.reachable = False
    with pytest.raises(NoAnswer):
        here.ready(wait=True)
    assert 600 <= sum(here.clock.waits) < 700


def test_a_new_version_is_other_work(tiny: Project, ledger: Ledger) -> None:
    """The same experiment is pushed again, and only then."""
    here = Here(tiny, ledger, [version(1)])
    first = here.push()
    assert here.push().id == first.id
    ledger.add(version(2, created_at="2999-01-01T00:00:00+00:00"))
    assert [str(each) for each in outdated_in(ledger, first)] == ["read v1 of ada/tiny-base, which has v2 now"]
    second = here.push()
    assert second.id != first.id
    assert outdated_in(ledger, second) == ()
    assert here.push().id == second.id


def test_a_need_of_a_need(tiny: Project, ledger: Ledger) -> None:
    """With a new version at the start of the chain everything after it is outdated, until it is pushed in order."""
    here = Here(tiny, ledger, [version(1)])
    write_files(tiny.experiments, {"last.yaml": "base: base\nneeds: {of: infer}\n"})
    middle, last = here.push(), here.push("last")
    ledger.add(version(2, created_at="2999-01-01T00:00:00+00:00"))
    assert [each.to_json() for each in outdated_in(ledger, last)] == [
        {"reference": "ada/tiny-base", "read": 1, "newest": 2, "through": ["ada/tiny-infer v1"]}
    ]
    way = "read v1 of ada/tiny-infer, which read v1 of ada/tiny-base, which has v2 now"
    assert [str(each) for each in outdated_in(ledger, last)] == [way]
    assert here.push("last").id == last.id  # it would read the same
    assert here.said[-1] == f"warning: last local-v1 is outdated all the same: it {way}"
    again = here.push()
    assert again.id != middle.id
    assert [str(each) for each in outdated_in(ledger, last)] == ["read v1 of ada/tiny-infer, which has v2 now"]
    assert outdated_in(ledger, here.push("last")) == ()


def test_kernels_that_attach_each_other(tiny: Project, ledger: Ledger) -> None:
    """No experiments with needs can, but kernel_sources may: the search ends."""
    for number, (name, other) in enumerate((("a", "b"), ("b", "a")), start=1):
        ledger.add(version(number, experiment=name, metadata={"kernel_sources": [f"ada/tiny-{other}"]}))
    assert outdated_in(ledger, ledger.get("b-2")) == ()
    assert len(outdated_in(ledger, ledger.get("a-1"))) == 1


def test_a_sweep_of_an_experiment_with_needs(tiny: Project, ledger: Ledger) -> None:
    """All its experiments read the same; one that runs anew is not mixed in."""
    here = Here(tiny, ledger, [version(1)])
    plan = plan_sweep(Workspace(tiny, ledger), "infer", Variation(grid=["seed=1,2"]), target="local")
    sweep = begin(ledger, plan, is_named=False)
    pushed: list[Run] = []
    assert resume(here.workspace, sweep, options=SweepOptions(wait=False), pushed=pushed.append) == []
    assert [{name: source.version for name, source in run.needs_read.items()} for run in pushed] == 2 * [{"weights": 1}]
    assert all(run.metadata["kernel_sources"] == ["ada/tiny-base"] for run in pushed)
    for run in pushed:
        ledger.update(run.id, state=COMPLETE)
    ledger.add(version(2, RUNNING, created_at="2999-01-01T00:00:00+00:00"))
    here.target.session = SessionState(RUNNING)
    more = plan_sweep(here.workspace, "infer", Variation(grid=["seed=1,2,3"]), target="local")
    assert [each.done is not None for each in more.planned] == [True, True, False]
    with pytest.raises(Later, match="base local-v2 is running"):
        resume(
            here.workspace, begin(ledger, more, is_named=False), options=SweepOptions(wait=False), pushed=pushed.append
        )


def test_the_doctor_looks_for_complete_runs(tiny: Project, ledger: Ledger) -> None:
    """With the command for each that is missing."""
    Here(tiny, ledger, [version(1), version(1, RUNNING, experiment="crash")], "[base, crash]")
    found = list(check_needs(tiny, [resolve(tiny, "infer")], "local"))
    assert [(each.level, each.what, each.remedy) for each in found] == [
        (
            Level.WARNING,
            "infer needs crash, which has no complete run on local",
            "coord push --exp crash --target local",
        )
    ]
    ledger.update("crash-1", state=COMPLETE)
    (found_now,) = check_needs(tiny, [resolve(tiny, "infer")], "local")
    assert (found_now.level, found_now.what) == (Level.OK, "complete runs on local of base, crash")
    assert list(check_needs(tiny, [resolve(tiny, "base")], "local")) == []
