"""Work that read an earlier version of what it attaches: it is pushed again, and its predictions are not submitted.

Seen: found by trying it on coord: after a new version of an attached kernel, the experiment was "the same and complete:
not pushed again", and `coord submit` sent the old predictions.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from coordinator.cli.tables.status import StatusTable
from coordinator.errors import ExperimentError, SubmissionError
from coordinator.kernel.work import Source
from coordinator.ledger.ledger import Ledger, Run
from coordinator.ledger.sources import outdated_in
from coordinator.maintenance.ledger.rebuilt import fetched
from coordinator.project.project import Project, find_project
from coordinator.runs.entries import StatusLine
from coordinator.runs.fetch.fetch import provenance
from coordinator.runs.push_several import push_several
from coordinator.runs.status import OpenTargets, current_status
from coordinator.sweeps.plan import Variation, begin, plan_sweep
from coordinator.sweeps.push import SweepOptions, resume
from coordinator.target.protocol import RunState, SessionState
from coordinator.workspace import Workspace
from tests.coordinator.sample_runs import BARE
from tests.coordinator.targets import MemoryCompetitions, MemoryTarget
from tests.field.submitting import fetched_run, submitted

READS = {"kernel_sources": ["ada/stage-1"]}


@pytest.fixture
def second(tiny: Project) -> Project:
    """The project, whose experiments attach the kernel of `stage-1`."""
    table = "[tool.coord.kernel]\n"
    tiny.pyproject.write_text(tiny.pyproject.read_text().replace(table, f'{table}kernel_sources = ["ada/stage-1"]\n'))
    return find_project(tiny.root)


def stage(day: int, state: RunState = RunState.COMPLETE, **changes: Any) -> Run:
    """A version of the attached kernel, numbered by the day of November on which it was pushed."""
    at = f"2026-11-{day:02}T00:00:00+00:00"
    made = {"id": f"stage-{day}", "experiment": "stage-1", "slug": "stage-1", "version": day, "state": state}
    return dataclasses.replace(BARE, **{**made, "created_at": at, "fetched_at": at, **changes})


def pushed(project: Project, ledger: Ledger, target: MemoryTarget) -> Run:
    """The run that a push of `base` gives, complete then."""
    (result,) = push_several(Workspace(project, ledger, target), ["base"], [], force=False, wait_for_slot=False)
    assert result.run is not None, result.error
    target.running.clear()
    return ledger.update(result.run.id, state=RunState.COMPLETE)


@pytest.mark.parametrize(
    ("before", "after", "is_other_work"),
    [
        ([stage(1)], [], False),
        ([stage(1)], [stage(2)], True),
        ([], [stage(1)], True),  # of a version that was there, nothing was known
        ([stage(1)], [stage(2, RunState.ERROR), stage(3, RunState.CANCELLED)], False),  # Kaggle attaches complete ones
        ([stage(1)], [stage(2, RunState.REFUSED, version=None)], False),
        ([stage(1)], [stage(2, slug="another")], False),
        ([stage(1)], [stage(2, owner="bob")], False),
        ([stage(1)], [stage(2, target="kaggle")], False),
        ([stage(1)], [stage(2, version=0)], False),  # merged: it is no version of a kernel
        ([stage(1)], [stage(2, owner="Ada")], True),
        ([stage(5)], [stage(6, version=1)], True),  # the kernel was deleted, and counts from 1 again
    ],
)
def test_a_new_version_of_an_attached_kernel(
    second: Project, ledger: Ledger, before: Sequence[Run], after: Sequence[Run], is_other_work: bool
) -> None:
    """The same experiment is pushed again if it would read something else; the run says what it read."""
    target = MemoryTarget(slots=1)
    for run in before:
        ledger.add(run)
    first = pushed(second, ledger, target)
    assert [each.version for each in first.reads] == [run.version for run in before]
    for run in after:
        ledger.add(dataclasses.replace(run, created_at=f"2999{run.created_at[4:]}"))
    assert bool(outdated_in(ledger, first)) is is_other_work
    again = pushed(second, ledger, target)
    assert (again.id != first.id) is is_other_work
    assert outdated_in(ledger, again) == ()
    assert pushed(second, ledger, target).id == again.id


def test_the_target_is_asked_about_an_attached_kernel_that_ran(second: Project, ledger: Ledger) -> None:
    """The ledger may not know yet that it has ended: otherwise the next push would be other work for no reason."""
    ledger.add(stage(1, RunState.RUNNING))
    target = MemoryTarget(slots=1, session=SessionState(RunState.COMPLETE))
    assert pushed(second, ledger, target).reads == (Source("ada/stage-1", 1),)


def test_the_run_that_continues_its_own_kernel_is_not_outdated(tiny: Project, ledger: Ledger) -> None:
    """It reads the version before it, which `continues` names; its own version is no news to it."""
    ledger.add(stage(1))
    own = stage(2, metadata=READS, continues="stage-1")
    ledger.add(own)
    assert outdated_in(ledger, own) == ()


@pytest.mark.parametrize(
    ("reads", "what"),
    [
        ((Source("ada/stage-1", 1),), "it read v1 of ada/stage-1, which has v2 now"),
        ((), "it read an earlier version of ada/stage-1, which has v2 now"),  # of an older coord
    ],
)
def test_outdated_predictions_are_not_submitted(
    tiny: Project, ledger: Ledger, reads: tuple[Source, ...], what: str
) -> None:
    """Nothing is sent; with --force they are."""
    ledger.add(stage(1, id="s1", created_at="2026-10-01T00:00:00+00:00"))
    run = fetched_run(tiny, ledger, metadata={**READS, "competition_sources": ["parity"]}, reads=reads)
    contest = MemoryCompetitions()
    submitted(tiny, ledger, run, contest)
    ledger.add(stage(2))
    with pytest.raises(SubmissionError, match=what) as refused:
        submitted(tiny, ledger, run, contest)
    assert "coord push --exp base" in str(refused.value.hint)
    assert len(contest.sent) == 1
    assert submitted(tiny, ledger, run, contest, force=True).ref == 2


def test_what_its_source_read_counts_too(tiny: Project, ledger: Ledger) -> None:
    """The hint has the pushes in their order."""
    ledger.add(stage(1, id="s1", created_at="2026-10-01T00:00:00+00:00"))
    two: dict[str, Any] = {
        "experiment": "stage-2",
        "slug": "stage-2",
        "metadata": READS,
        "reads": (Source("ada/stage-1", 1),),
    }
    ledger.add(stage(1, id="t1", created_at="2026-10-02T00:00:00+00:00", **two))
    metadata = {"kernel_sources": ["ada/stage-2"], "competition_sources": ["parity"]}
    run = fetched_run(tiny, ledger, metadata=metadata, reads=(Source("ada/stage-2", 1),))
    ledger.add(stage(2))
    with pytest.raises(SubmissionError) as refused:
        submitted(tiny, ledger, run, MemoryCompetitions())
    way = "it read v1 of ada/stage-2, which read v1 of ada/stage-1, which has v2 now"
    assert refused.value.what.endswith(way)
    assert "(coord push --exp stage-2, then coord push --exp base)" in str(refused.value.hint)


def test_status_tells_it(tiny: Project, ledger: Ledger) -> None:
    """For people and as JSON."""
    ledger.add(stage(1))
    run = fetched_run(tiny, ledger, metadata=READS, reads=(Source("ada/stage-1", 1),))
    now = current_status(OpenTargets(tiny), ledger, [run])
    assert now.to_json()[0]["outdated"] == []
    ledger.add(stage(2))
    now = current_status(OpenTargets(tiny), ledger, [run])
    assert now.to_json()[0]["outdated"] == [{"reference": "ada/stage-1", "read": 1, "newest": 2, "through": []}]
    from rich.console import Console

    console = Console(width=160)
    with console.capture() as shown:
        console.print(StatusTable([StatusLine((each,)) for each in now.runs], now))
    assert "outdated; " in shown.get()
    assert "read v1 of ada/stage-1, which has v2 now" in shown.get()


def test_a_sweep_does_not_mix_versions(second: Project, ledger: Ledger) -> None:
    """Its experiments are compared with each other: with another version it is another sweep."""
    ledger.add(stage(1))
    here = Workspace(second, ledger, MemoryTarget(slots=2))
    plan = plan_sweep(here, "base", Variation(grid=["seed=1,2"]), target="local")
    sweep = begin(ledger, plan, is_named=False)
    ledger.add(stage(2))
    with pytest.raises(ExperimentError, match="the version of an attached kernel have changed"):
        resume(here, sweep, options=SweepOptions(wait=False), pushed=lambda run: None)


def test_results_keep_what_was_read(tiny: Project, ledger: Ledger, tmp_path: Path) -> None:
    """A lost ledger gets it back from run.json; one of an older coord has none."""
    run = fetched_run(tiny, ledger, metadata=READS, reads=(Source("ada/stage-1", 1),))
    file = tiny.results(run.experiment, run.target, 1) / "run.json"
    told = provenance(run, [])
    for written, expected in ((told, run.reads), ({k: v for k, v in told.items() if k != "reads"}, ())):
        file.write_text(json.dumps(written))
        ((_, found),) = fetched(Workspace(tiny, ledger))
        assert found is not None
        assert found.run.reads == expected
    file.write_text(json.dumps({**told, "reads": [{"reference": 1}]}))
    assert [found for _, found in fetched(Workspace(tiny, ledger))] == [None]
