"""Names that are compared without case: owners, slugs, competitions, data sets, kernels, models.

Seen: huggingface/huggingface_hub#1453 (a hub that answers for a name in other letters, and a client that took the two
for different things); here, a competition in other letters ended in "UNIQUE constraint failed: submissions.id".
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import sqlite3
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from coordinator.errors import MetadataError, SubmissionError
from coordinator.kernel.build import assemble
from coordinator.kernel.work import work_to_do
from coordinator.ledger import submissions, sweeps
from coordinator.ledger.ledger import Ledger
from coordinator.ledger.migrations import MIGRATIONS
from coordinator.ledger.work import work_of
from coordinator.maintenance.ledger.of_targets import check
from coordinator.maintenance.ledger.problem import Problem
from coordinator.project.experiment import resolve
from coordinator.project.project import Project, find_project
from coordinator.project.settings import KernelSettings, Settings, SubmissionSettings
from coordinator.runs.push_several import push_several
from coordinator.submissions.overview import scores_overview
from coordinator.submissions.scores import refresh
from coordinator.target.competitions import Standing, SubmissionState
from coordinator.target.protocol import RunState
from coordinator.workspace import Workspace
from model_src.data.inputs import find_source
from tests.coordinator.sample_runs import BARE, COMPLETE
from tests.coordinator.targets import MemoryTarget
from tests.field.submitting import CaselessCompetitions, fetched_run, submitted

KINDS = [
    ("dataset_sources", "Ada/Chest-X"),
    ("dataset_sources", "ADA/Chest-X/3"),
    ("competition_sources", "Sample-Competition"),
    ("kernel_sources", "Ada/G-Base"),
    ("model_sources", "Google/Gemma/PyTorch/2B/1"),
]


def _with(project: Project, *lines: str) -> Project:
    """The project with these lines in its [tool.coord.kernel]."""
    text = project.pyproject.read_text()
    table = "[tool.coord.kernel]\n"
    project.pyproject.write_text(text.replace(table, table + "".join(f"{line}\n" for line in lines)))
    return find_project(project.root)


@pytest.mark.parametrize(("kind", "name"), KINDS)
def test_a_source_in_other_letters_is_the_same_source(tiny: Project, ledger: Ledger, kind: str, name: str) -> None:
    """Of the settings and of an experiment: it is the same work, and not pushed again."""
    project = _with(tiny, f'{kind} = ["{name}"]')
    here = Workspace(project, ledger, MemoryTarget(slots=1))
    (first,) = push_several(here, ["base"], [], force=False, wait_for_slot=False)
    assert first.run is not None
    assert first.run.metadata[kind] == [name.lower()]
    done = ledger.update(first.run.id, state=RunState.COMPLETE)
    project.experiment_file("other").write_text(f"base: base\nkernel:\n  {kind}: [{name.swapcase()}]\n")
    (again,) = push_several(here, ["other"], [], force=False, wait_for_slot=False)
    assert again.run == done


@pytest.mark.parametrize(("kind", "name"), KINDS)
def test_a_source_is_named_once_in_any_letters(tiny: Project, kind: str, name: str) -> None:
    """Kaggle would take the second for the first."""
    project = _with(tiny, f'{kind} = ["{name}", "{name.lower()}"]')
    named = name.lower().removesuffix("/3")  # two versions would be one data set, too
    with pytest.raises(MetadataError, match=f'{kind}: "{named}" is named twice'):
        assemble(project, resolve(project, "base"))


def test_a_template_of_the_projects_own(tiny: Project) -> None:
    """The names that it writes itself are in the form of all others."""
    plain = assemble(_with(tiny, 'dataset_sources = ["ada/chest-x"]'), resolve(find_project(tiny.root), "base"))
    folder = tiny.root / "own"
    folder.mkdir()
    text = tiny.template("kernel-metadata.json.j2").read_text()
    (folder / "kernel-metadata.json.j2").write_text(
        text.replace("{{ kernel.dataset_sources | tojson }}", '["Ada/Chest-X"]')
    )
    tiny.pyproject.write_text(tiny.pyproject.read_text().replace("[tool.coord]\n", '[tool.coord]\ntemplates = "own"\n'))
    own = assemble(find_project(tiny.root), resolve(find_project(tiny.root), "base"))
    assert own.metadata.data["dataset_sources"] == json.loads(own.metadata.text)["dataset_sources"] == ["ada/chest-x"]
    assert work_to_do(own) == work_to_do(plain)


def test_settings_have_one_form() -> None:
    """Wherever they are read from."""
    assert Settings(owner="Ada").owner == "ada"
    assert SubmissionSettings(competition="Parity").competition == "parity"
    assert KernelSettings(dataset_sources=("A/B",)).dataset_sources == ("a/b",)
    assert KernelSettings(model_sources=("a/b/pyTorch/d",)).model_sources == ("a/b/pyTorch/d",)  # sent as written


@pytest.mark.parametrize("source", ["Ada/Chest-X", "ada/chest-x", "/Ada/Chest-X/"])
def test_the_kernel_finds_what_kaggle_mounted(tmp_path: Path, source: str) -> None:
    """Kaggle's mounts have no capitals."""
    folder = tmp_path / "input" / "datasets" / "ada" / "chest-x"
    folder.mkdir(parents=True)
    assert find_source(source, tmp_path) == folder


@pytest.mark.parametrize("again", ["parity", "Parity", "PARITY"])
def test_a_competition_in_other_letters_is_the_same_one(tiny: Project, ledger: Ledger, again: str) -> None:
    """The file that was submitted is known under each spelling, and so are its scores."""
    run = fetched_run(tiny, ledger, metadata={"competition_sources": ["Parity"]})
    contest = CaselessCompetitions()
    submitted(tiny, ledger, run, contest)
    with pytest.raises(SubmissionError, match="the same file was submitted to parity"):
        submitted(tiny, ledger, run, contest, competition=again)
    assert [each.competition for each in submissions.all_submissions(ledger)] == ["parity"]
    shown = scores_overview(Workspace(tiny, ledger), competition=again)
    assert len(shown.scores) == 1


def _old_ledger(file: Path, work: str, files: dict[str, str], config: dict[str, object]) -> None:
    """A ledger of the format before, with capitals in every name, and a sweep with one run."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(file)) as connection, connection:
        for step in MIGRATIONS[:9]:
            if callable(step):
                step(connection)
            else:
                connection.executescript(step)
        metadata = {"id": "Ada/tiny-base", "dataset_sources": ["Ada/X"], "competition_sources": ["Parity"]}
        values = (COMPLETE.created_at, json.dumps(files), json.dumps(config), json.dumps(metadata))
        connection.execute(
            "INSERT INTO runs (id, experiment, target, owner, slug, version, digest, overrides, state, created_at,"
            " files, config, metadata) VALUES ('00000000000000aa', 'base', 'local', 'Ada', 'tiny-base', 1, '', '[]',"
            " 'complete', ?, ?, ?, ?)",
            values,
        )
        connection.execute(
            "INSERT INTO submissions (id, run_id, target, competition, file_name, sha256, is_upload, description,"
            " state, created_at, ref) VALUES ('000000bb', '00000000000000aa', 'local', 'Parity', 'submission.csv', '',"
            " 0, '(coord 00000000000000aa-000000bb)', 'pending', ?, 1)",
            (COMPLETE.created_at,),
        )
        connection.execute("INSERT INTO sweeps VALUES ('lr', 'base', 'local', 0, ?)", (COMPLETE.created_at,))
        connection.execute("INSERT INTO sweep_members VALUES ('lr', 0, 'base', 'base', '[]', '', ?, NULL)", (work,))
        connection.execute("PRAGMA user_version = 9")


class WithoutDatasets(MemoryTarget):
    """Has none of those that it is asked for."""

    @property
    def datasets(self) -> Any:
        return SimpleNamespace(dataset=lambda reference: None)


def test_an_old_ledger_with_capitals(tiny: Project) -> None:
    """Its run, submission and sweep are those of today's names; `ledger check --repair` finds nothing to add."""
    project = _with(tiny, 'dataset_sources = ["Ada/X"]', 'competition_sources = ["Parity"]')
    built = assemble(project, resolve(project, "base"))
    files = {file.path: file.sha256 for file in built.files}
    with_capitals = {"id": "Ada/tiny-base", "dataset_sources": ["Ada/X"], "competition_sources": ["Parity"]}
    config = dict(built.experiment.config)
    surroundings = {key: with_capitals[key] for key in ("dataset_sources", "competition_sources")}
    text = json.dumps([files, config, surroundings], sort_keys=True)  # of these, the digest of a run's work was made
    _old_ledger(project.ledger, f"sha256:{hashlib.sha256(text.encode()).hexdigest()}", files, config)
    contest = CaselessCompetitions()
    with Ledger(project.ledger) as ledger:
        run = ledger.get("00000000000000aa")
        assert (run.owner, run.sources) == ("ada", ("ada/x", "parity"))
        (sweep,) = sweeps.all_sweeps(ledger)
        assert sweeps.run_of(ledger, sweep, sweep.members[0]) == run
        assert work_of(run) == sweep.members[0].work
        here = Workspace(project, ledger, WithoutDatasets(contest=contest))
        contest.sent = [Standing(1, SubmissionState.PENDING, "(coord 00000000000000aa-000000bb)", None, None, "")]
        assert [found for found in check(here) if isinstance(found, Problem)] == []
        assert [each.ref for each in refresh(here, "parity")] == [1]


def test_a_submission_that_the_ledger_has_under_another_name(tiny: Project, ledger: Ledger) -> None:
    """Its id tells that it is the same one."""
    run = fetched_run(tiny, ledger, metadata={"competition_sources": ["parity"]})
    contest = CaselessCompetitions()
    submitted(tiny, ledger, run, contest)
    (each,) = submissions.all_submissions(ledger)
    submissions.update(ledger, each, competition="renamed", ref=None)
    refresh(Workspace(tiny, ledger, MemoryTarget(contest=contest)), "parity")
    assert len(submissions.all_submissions(ledger)) == 1


@pytest.mark.parametrize("owner", ["Ada", "ADA"])
def test_the_runs_of_an_owner_in_other_letters(ledger: Ledger, owner: str) -> None:
    """One of a version that was pushed again is retired, whatever letters the owner had in the ledger."""
    ledger.add(dataclasses.replace(BARE, version=1, state=RunState.RUNNING))
    ledger.statement("UPDATE runs SET owner = :owner WHERE id = 'r1'", {"owner": owner})
    ledger.add(dataclasses.replace(BARE, id="r2", created_at="2026-11-02T00:00:00+00:00"))
    ledger.update("r2", version=1, state=RunState.QUEUED)
    assert ledger.get("r1").state is RunState.CANCELLED
