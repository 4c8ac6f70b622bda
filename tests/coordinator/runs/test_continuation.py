"""`coord continue`: a new version that attaches the output of the previous one and continues from its checkpoint."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.console import Console

from coordinator.cli.tables.status import StatusTable
from coordinator.errors import CoordError, ProjectError, RunFailed, RunNotFound, UsageError
from coordinator.ledger import chains
from coordinator.ledger.ledger import Ledger, Run
from coordinator.project.experiment import resolve
from coordinator.project.init import init_project
from coordinator.project.project import Project, find_project
from coordinator.runs.continuation import choose, continuation_of, continue_run
from coordinator.runs.entries import StatusLine
from coordinator.runs.status import Status
from coordinator.target.protocol import RunState
from coordinator.workspace import Workspace
from tests.coordinator.command import Coord, delete_kernels
from tests.coordinator.targets import RUNNING_SESSION, MemoryTarget

TARGET = MemoryTarget()  # runs that have ended are asked about no more


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A small project whose model can continue from a checkpoint."""
    init_project(tmp_path / "new", "minimal", owner="ada")
    return find_project(tmp_path / "new")


@pytest.fixture
def ledger(project: Project) -> Iterator[Ledger]:
    with Ledger(project.ledger) as opened:
        yield opened


def run(ledger: Ledger, version: int, state: RunState = RunState.COMPLETE, **fields: object) -> Run:
    """A version of the kernel new-base in the ledger; its config is the default one."""
    config = {"epochs": 20, "lr": 0.5, "source": "sample-competition", "folds": 3, "seed": 0, "resume_from": None}
    values = {"overrides": [], "continues": None, "experiment": "base", "config": config, **fields}
    made = Run(
        id=f"r{version}",
        target="local",
        owner="ada",
        slug="new-base",
        version=version,
        digest="sha256:0",
        metadata={},
        state=state,
        created_at=f"2026-11-23T10:00:0{version}+00:00",
        **values,  # type: ignore[arg-type]
    )
    ledger.add(made)
    return made


def test_it_goes_on_where_it_stopped(project: Project) -> None:
    """5 epochs continued to 9 give exactly the weights of 9; the ledger, `status` and run.json have the chain."""
    coord = Coord(project.root, {**os.environ, "COORD_TARGET": "local"})
    coord("dry-run", "--exp", "base")  # makes the data
    coord.here("local", "add-competition", "sample-competition", ".coord/sample-data")
    coord.here("push", "--exp", "base", "--set", "epochs=5", "--wait")
    going_on = ("continue", "--exp", "base", "--wait", "--set")
    assert "going on from base local-v1, epochs 5 -> 9" in coord.here(*going_on, "epochs=9").output
    assert "continues v1" in coord.here("status").output
    assert [len(each["chain"]) for each in json.loads(coord.here("status", "--json").output)] == [2, 0]
    assert "--set resume_from=ada/new-base" in (project.root / "build" / "base" / "kernel.py").read_text()
    coord.here("fetch-results")
    with Ledger(project.ledger) as ledger:
        second, first = ledger.runs()
    assert second.continues == first.id
    assert second.metadata["kernel_sources"] == ["ada/new-base"]
    told = json.loads((project.results("base", "local", 2) / "run.json").read_text())
    assert told["continues"] == first.id

    coord.here("push", "--exp", "base", "--set", "epochs=9", "--wait")
    roots = [coord.session_root("new-base", version) / "working" for version in (1, 2, 3)]
    left = [json.loads((root / "fold1.json").read_text())["weights"] for root in roots]
    assert left[0] != left[1] == left[2]
    for value, why in (("lr=0.1", "lr was 0.5, is 0.1"), ("epochs=9", "epochs must be more than the 9 that are done")):
        refused = coord.here(*going_on, value, code=2)
        assert f"base local-v3 can't be continued with this config: {why}" in refused.output

    delete_kernels(project.local_kaggle)


def test_the_earlier_kernel_is_attached_and_its_settings_are_kept(project: Project, ledger: Ledger) -> None:
    """The earlier run's `--set` values stay, new ones are added; the kernel's own output is attached."""
    config = {"epochs": 5, "lr": 0.25, "source": "sample-competition", "folds": 3, "seed": 0, "resume_from": None}
    earlier = run(ledger, 1, overrides=["lr=0.25", "epochs=5"], config=config)
    found = continuation_of(Workspace(project, ledger, TARGET), earlier, ["epochs=9", "epochs=30"])
    assert found.experiment.overrides == ("lr=0.25", "epochs=30", "resume_from=ada/new-base")
    assert found.experiment.kernel.kernel_sources == ("ada/new-base",)
    assert found.experiment.kernel.competition_sources == ("sample-competition",)
    assert [(change.path, change.base, change.value) for change in found.changes] == [("epochs", 5, 30)]


def test_naming_the_kernel_attaches_it_once(project: Project) -> None:
    """A kernel that is set by hand is attached; a path, and a kernel that is attached already, change nothing."""
    assert resolve(project, "base").kernel.kernel_sources == ()
    assert resolve(project, "base", ["resume_from=bob/other"]).kernel.kernel_sources == ("bob/other",)
    assert resolve(project, "base", ["resume_from=."]).kernel.kernel_sources == ()
    for kind in ("kernel_sources", "dataset_sources"):
        project.experiment_file("own").write_text(
            f"base: base\nconfig: {{resume_from: bob/other}}\nkernel: {{{kind}: [bob/other]}}\n"
        )
        kernel = resolve(project, "own").kernel
        assert (*kernel.kernel_sources, *kernel.dataset_sources) == ("bob/other",)


def test_the_newest_complete_run_is_gone_on_from(project: Project, ledger: Ledger) -> None:
    """After a failed continuation, the run before it is continued; a running one cannot be continued yet."""
    first = run(ledger, 1)
    failed = run(ledger, 2, RunState.ERROR)
    said: list[str] = []
    assert choose(Workspace(project, ledger, TARGET, say=said.append), failed).id == first.id
    assert said == ["base local-v2 has failed: continuing from v1"]
    assert choose(Workspace(project, ledger, TARGET, say=said.append), first).id == first.id
    merged = run(ledger, 0, message="merged from 2 runs, one a fold")  # has results, but no kernel's output
    assert continuation_of(Workspace(project, ledger, TARGET), first, ["epochs=30"]).earlier == first
    assert choose(Workspace(project, ledger, TARGET, say=said.append), failed).id == first.id
    with pytest.raises(RunFailed, match="base local-v0 was merged from the runs of its folds: it has no kernel"):
        continuation_of(Workspace(project, ledger, TARGET), merged, ["epochs=30"])
    here = Workspace(project, ledger, MemoryTarget(session=RUNNING_SESSION), say=said.append)
    running = choose(here, run(ledger, 3, RunState.QUEUED))
    with pytest.raises(RunFailed, match="base local-v3 is running: there is nothing to continue from yet"):
        continuation_of(here, running, [])


def test_a_run_that_has_needs(project: Project, ledger: Ledger) -> None:
    """They have to be there, and are attached beside the kernel's own earlier version."""
    with project.experiment_file("base").open("a") as file:
        file.write("\nneeds: folds\n")
    project.experiment_file("folds").write_text("about: makes folds\n")
    here = Workspace(project, ledger, MemoryTarget(slots=1))
    with pytest.raises(RunNotFound, match="base needs folds: it has no run on local"):
        continue_run(here, run(ledger, 1), ["epochs=30"], force=False, wait_for_slot=False)
    needed = dataclasses.replace(ledger.get("r1"), id="f1", experiment="folds", slug="new-folds", version=4)
    ledger.add(needed)
    pushed = continue_run(here, ledger.get("r1"), ["epochs=30"], force=False, wait_for_slot=False, wait_for_needs=True)
    assert pushed.metadata["kernel_sources"] == ["ada/new-base", "ada/new-folds"]
    assert {name: source.version for name, source in pushed.needs_read.items()} == {"folds": 4}


def test_what_cannot_be_continued(project: Project, ledger: Ledger) -> None:
    """Each case is one error with its reason, before anything is built."""
    old = run(ledger, 1)
    failed = run(ledger, 2, RunState.ERROR)

    def refused(kind: type[CoordError], message: str, earlier: Run, where: Project = project) -> None:
        with pytest.raises(kind, match=message):
            continuation_of(Workspace(where, ledger, TARGET), earlier, [])

    def without(setting: str | None) -> Project:
        return dataclasses.replace(
            project, settings=dataclasses.replace(project.settings, continue_setting=setting, attached=())
        )

    refused(RunFailed, "base local-v2 has failed: local attaches only the output of complete runs", failed)
    refused(ProjectError, r"\[tool.coord\] has no continue_setting", old, without(None))
    refused(ProjectError, r'names "resume_form", .* \(did you mean "resume_from"\?\)', old, without("resume_form"))
    run(ledger, 3)
    refused(UsageError, "base local-v1 can't be continued: local attaches a kernel's newest output, .* of v3", old)


@pytest.mark.parametrize(
    ("check", "kind", "message"),
    [
        (None, None, ""),
        ("model.train:refused", UsageError, "can't be continued with this config: lr was 0.5, is 0.1; epochs must"),
        ("model.train:METRIC", ProjectError, r'continue_check = "model.train:METRIC" is not a function'),
        ("model.train:gone", ProjectError, r'continue_check = "model.train:gone" cannot be imported: .*gone'),
        ("model.train:predict", ProjectError, r"continue_check failed: TypeError: "),
    ],
)
def test_the_model_source_is_asked_before_a_push(
    project: Project, ledger: Ledger, check: str | None, kind: type[CoordError] | None, message: str
) -> None:
    """What it would refuse in the kernel is refused before the push; without a check, only the kernel can refuse."""
    asking = dataclasses.replace(project, settings=dataclasses.replace(project.settings, continue_check=check))
    with pytest.raises(kind, match=message) if kind else contextlib.nullcontext():
        continuation_of(Workspace(asking, ledger, TARGET), run(ledger, 1), ["lr=0.1"])


def test_nothing_complete(project: Project, ledger: Ledger) -> None:
    """An experiment without a complete run cannot be continued."""
    with pytest.raises(RunNotFound, match="base local-v1 has failed, and no run before it is complete"):
        choose(Workspace(project, ledger, TARGET, say=print), run(ledger, 1, RunState.ERROR))


def test_chains(ledger: Ledger) -> None:
    """A run's chain has all runs that it continues; if the ledger has lost the first ones, it begins later."""
    one, two = run(ledger, 1), run(ledger, 2, continues="r1")
    three, lost = run(ledger, 3, continues="r2"), run(ledger, 4, continues="gone")
    runs = ledger.runs()
    found = chains.all_chains(runs)
    assert found == {"r2": (one, two), "r3": (one, two, three), "r4": (lost,)}
    console = Console(width=80)
    with console.capture() as shown:
        console.print(StatusTable([StatusLine((each,)) for each in runs], Status(tuple(runs), {}, found)))
    assert shown.get().count("continues") == 2
    assert "continues v1, v2" in shown.get()
