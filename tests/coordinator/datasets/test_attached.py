"""A kernel reads the version that its push waited for; a newer one makes its work another, and the run outdated."""

from __future__ import annotations

import contextlib
import dataclasses

import pytest

from coordinator.datasets.overview import all_datasets, dataset_status
from coordinator.datasets.ready import refresh_attached, wait_for_attached
from coordinator.errors import NoAccess, TargetError
from coordinator.files import held
from coordinator.kernel import Source
from coordinator.kernel.build import build_kernel
from coordinator.ledger import Ledger, add_dataset_version, dataset_versions, outdated, update_dataset_version
from coordinator.maintenance.doctor.of_project import check_ledger
from coordinator.maintenance.ledger import of_datasets
from coordinator.maintenance.ledger.problem import Problem
from coordinator.project.experiment import resolve
from coordinator.project.project import Project
from coordinator.runs.push import push_kernel
from coordinator.runs.same_work import work_now
from coordinator.target.datasets import DatasetState
from coordinator.target.kaggle.datasets import KaggleDatasets
from runner_test.faults import Fault, Kind
from runner_test.settings import Settings
from tests.coordinator.command import delete_kernels
from tests.coordinator.datasets.kaggle import NAME, Depot, depot
from tests.coordinator.sample_runs import COMPLETE

ATTACHED = {"dataset_sources": [NAME]}


def test_a_push_waits_for_the_version_that_it_attaches(tiny: Project, ledger: Ledger) -> None:
    """Its run records that it reads it. A newer version makes the work another, and the run outdated."""
    with contextlib.ExitStack() as stack:
        data = depot(tiny, ledger, stack, Settings(isolation="none", dataset_seconds=0.4, dataset_early="older"))
        stack.callback(delete_kernels, data.root)
        data.push()
        data.folder.joinpath("model.bin").write_bytes(b"new")
        data.push(wait=False)
        experiment = tiny.experiment_file("base")
        experiment.write_text(f"{experiment.read_text()}\nkernel: {{dataset_sources: [{NAME}]}}\n")
        built = build_kernel(tiny, resolve(tiny, "base"))
        run = push_kernel(data.workspace, built, force=False)
        assert f"waiting for {NAME} v2, which is attached and not ready yet" in data.said
        assert data.rows()[0].state is DatasetState.READY
        assert run.reads == (Source(f"datasets/{NAME}", 2),)
        before = work_now(data.workspace, built, "local")
        assert outdated(run, ledger.runs(), data.rows()) == ()
        data.folder.joinpath("model.bin").write_bytes(b"newer")
        data.push(wait=False)
        assert work_now(data.workspace, built, "local") != before
        (found,) = outdated(run, ledger.runs(), data.rows())
        assert str(found) == f"read v2 of datasets/{NAME}, which has v3 now"


def test_what_has_no_newer_version_is_not_outdated(data: Depot) -> None:
    """A name with a version always means that one; a version that was refused, or failed, is none."""
    each = data.push()
    run = dataclasses.replace(COMPLETE, target="local", metadata={**ATTACHED}, reads=(Source(f"datasets/{NAME}", 1),))
    for state in (DatasetState.REFUSED, DatasetState.FAILED):
        other = dataclasses.replace(each, id=state, state=state, version=2)
        assert outdated(run, [], [other, each]) == ()
    newer = dataclasses.replace(each, id="x", version=2)
    assert outdated(run, [], [newer, each])
    assert not outdated(dataclasses.replace(run, target="kaggle"), [], [newer, each])
    pinned = {"dataset_sources": [f"{NAME}/1"]}
    assert not outdated(dataclasses.replace(run, metadata=pinned), [], [newer, each])


def test_a_lost_answer_is_settled_before_a_kernel_is_pushed(data: Depot) -> None:
    """By the push of the kernel, too: the version is attached, or it is said that it never arrived."""
    each = data.push()
    ledger = data.workspace.ledger
    update_dataset_version(ledger, each, state=DatasetState.SENDING, version=None)
    wait_for_attached(data.workspace, [f"{NAME}/1"])
    assert (data.rows()[0].version, data.rows()[0].state) == (1, DatasetState.READY)
    add_dataset_version(ledger, dataclasses.replace(each, id="0a0b0c0d", state=DatasetState.SENDING, version=None))
    wait_for_attached(data.workspace, [NAME])
    assert data.said[-1] == f"{NAME}: that push never arrived; the version before it is attached"
    refresh_attached(data.workspace, [NAME])


def test_what_another_process_is_sending_is_not_given_up(data: Depot) -> None:
    """Its request may take minutes."""
    each = data.push()
    values = {"state": DatasetState.SENDING, "version": None, "id": each.id, "sent_at": "2026-01-01T00:00:00+00:00"}
    data.workspace.ledger.statement(
        "UPDATE dataset_versions SET state = :state, version = :version, sent_at = :sent_at WHERE id = :id", values
    )
    with held(data.workspace.project.dataset_lock("local", "ada", "some-data"), wait=True):
        refresh_attached(data.workspace, [NAME])
        assert data.rows()[0].state is DatasetState.SENDING
    refresh_attached(data.workspace, [NAME])
    assert data.rows()[0].state is DatasetState.READY


def test_a_version_that_failed_stops_the_push(data: Depot, monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel would read the version before, and nobody would know."""
    update_dataset_version(data.workspace.ledger, data.push(), state=DatasetState.PROCESSING)
    monkeypatch.setattr(KaggleDatasets, "state", lambda self, reference: DatasetState.FAILED)
    with pytest.raises(TargetError, match=f"{NAME} v1 is attached: .* could not process its files"):
        wait_for_attached(data.workspace, [NAME])


def test_status_and_list(data: Depot) -> None:
    """What the target has, beside what was pushed from here."""
    with pytest.raises(NoAccess):
        dataset_status(data.workspace, NAME)
    each = data.push()
    found = dataset_status(data.workspace, NAME).to_json()
    assert (found["version"], found["state"], found["is_private"], found["size"]) == (1, "ready", True, each.size)
    assert (found["digest"], found["pushed"]["id"]) == (each.digest, each.id)
    lost = dataclasses.replace(each, id="0a0b0c0d", reference="ada/gone-data", version=3)
    add_dataset_version(data.workspace.ledger, lost)
    assert [(item.reference, item.there is None) for item in all_datasets(data.workspace)] == [
        ("ada/gone-data", True),
        (NAME, False),
    ]


def test_a_ledger_that_lost_its_versions_gets_them_back(data: Depot, tiny: Project) -> None:
    """`coord ledger check` finds those that are attached, and rows that cannot be right."""
    each = data.push()
    ledger = data.workspace.ledger
    settings = dataclasses.replace(
        tiny.settings, kernel=dataclasses.replace(tiny.settings.kernel, dataset_sources=(NAME, f"{NAME}/1"))
    )
    here = dataclasses.replace(data.workspace, project=dataclasses.replace(tiny, settings=settings))
    assert list(of_datasets.check_target(here)) == []
    ledger.statement("DELETE FROM dataset_versions", {})
    (problem,) = of_datasets.check_target(here)
    assert isinstance(problem, Problem)
    assert problem.repair is not None
    problem.repair()
    (row,) = dataset_versions(ledger)
    assert (row.id, row.version, row.digest) == (each.id, 1, each.digest)

    ledger.statement("UPDATE dataset_versions SET version = NULL", {})
    (problem,) = of_datasets.check_rows(ledger)
    assert problem.repair is not None
    problem.repair()
    assert dataset_versions(ledger)[0].state is DatasetState.SENDING
    (finding,) = [each for each in check_ledger(tiny) if "data set" in each.what]
    assert finding.what == f"data set {NAME} on local was sent, and the answer is not known"
    ledger.statement("UPDATE dataset_versions SET state = 'odd'", {})
    (problem,) = of_datasets.check_rows(ledger)
    assert problem.repair is not None
    problem.repair()
    assert dataset_versions(ledger) == []


def test_a_target_that_tells_no_notes(data: Depot, monkeypatch: pytest.MonkeyPatch) -> None:
    """A lost answer is then settled by the version's number and its files."""
    data.push()
    data.folder.joinpath("model.bin").write_bytes(b"new")
    real = KaggleDatasets.dataset

    def silent(self: KaggleDatasets, reference: str) -> object:
        there = real(self, reference)
        return there and dataclasses.replace(there, versions=(), description="")

    monkeypatch.setattr(KaggleDatasets, "dataset", silent)
    data.plan(Fault("CreateDatasetVersion", Kind.RESET, when="after"))
    assert data.push().version == 2
    assert len(data.versions()) == 2
