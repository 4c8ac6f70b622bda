"""Names that come from a kernel, a target or a results folder, and would lead out of the project as parts of paths.

Seen: found by trying it on coord: a kernel whose experiment is `../../x` was taken into the ledger by `ledger check
--repair`, and the next fetch wrote outside the project.
"""

from __future__ import annotations

import dataclasses
import itertools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from coordinator.bundle.reader import read_kernel
from coordinator.bundle.script import stamped
from coordinator.errors import BundleError, ProjectError, UsageError
from coordinator.kernel.build import build_kernel
from coordinator.ledger import sweeps
from coordinator.ledger.ledger import Ledger
from coordinator.maintenance.ledger import rebuilt
from coordinator.maintenance.ledger.checks import Problem, check
from coordinator.project.experiment import resolve
from coordinator.project.project import Project
from coordinator.results.folder import Results
from coordinator.runs.fetch.fetch import provenance
from coordinator.runs.promote import verify
from coordinator.workspace import Workspace
from tests.coordinator.sample_runs import COMPLETE
from tests.coordinator.targets import MemoryTarget

OUTSIDE = ("../../x", "..", ".", "", "/tmp/x", "a/b", "a\\b", "a\nb", "a\0b", "\u202ea", "-x", " ", "x" * 300, "ü")
MEMBER = sweeps.Member("base--s0", "base", ("seed=0",), "base", "w")
SWEEP = sweeps.Sweep("lr", "base", "local", False, "2026-11-01T00:00:00+00:00", (MEMBER,))


def repaired(project: Project, ledger: Ledger, *targets: MemoryTarget) -> list[str]:
    """Repairs the ledger, and returns the problems that are left."""
    left = []
    for problem in check(Workspace(project, ledger), targets):
        assert isinstance(problem, Problem)
        if problem.repair is not None:
            problem.repair()
        else:
            left.append(problem.what)
    return left


def folder_with(project: Project, **changes: Any) -> Path:
    """A results folder, as a fetch leaves it, with other values in its run.json."""
    directory = project.results("base", "local", 1)
    directory.mkdir(parents=True, exist_ok=True)
    run = dataclasses.replace(COMPLETE, metadata={"code_file": "kernel.py"})
    (directory / "run.json").write_text(json.dumps({**provenance(run, []), "output": {}, **changes}))
    return directory


@pytest.mark.parametrize("name", OUTSIDE, ids=ascii)
def test_a_name_in_a_results_folder(tiny: Project, ledger: Ledger, name: str) -> None:
    """Such a run is in nobody's ledger: it is named as a problem that nothing can repair, and no path is made of it."""
    for field in ("id", "experiment", "owner", "slug", "continues"):
        folder_with(tiny, **{field: name})
        assert [found for _, found in rebuilt.fetched(Workspace(tiny, ledger))] == [None], field
    assert repaired(tiny, ledger) == ["results/base/local-v1/ has no readable run.json: its run is not known"]
    assert ledger.runs() == []


@pytest.mark.parametrize(
    "changes",
    [
        {"metadata": {"code_file": "../../x"}},
        {"metadata": {"code_file": "run.json"}},
        {"metadata": {"code_file": ""}},
        {"metadata": {"code_file": 5}},
        {"files": {"../../x.py": "0" * 64}},
        {"files": {"/etc/passwd": "0" * 64}},
        {"files": {"a.py": 5}},
        {"files": []},
        {"experiment": 5},
        {"id": None},
        {"version": "1"},
        {"version": True},
        {"target": "../x"},
        {"overrides": "seed=1"},
        {"overrides": [1]},
        {"message": None},
        {"git": 5},
        {"timeout_seconds": "long"},
        {"created_at": "yesterday"},
        {"created_at": "2026-11-01T00:00:00"},
        {"started_at": 5},
        {"config": []},
        {"config": {"a": json.loads("[" * 100 + "]" * 100)}},
        {"config": {"a": [[]] * 200_000}},
        {"lacks": 5},
        {"state": "lost"},
    ],
    ids=lambda changes: ascii(changes)[:50],
)
def test_a_value_in_a_results_folder(tiny: Project, ledger: Ledger, changes: dict[str, Any]) -> None:
    """Values of other kinds would end later commands; here they end nothing."""
    folder_with(tiny, **changes)
    assert repaired(tiny, ledger) == ["results/base/local-v1/ has no readable run.json: its run is not known"]
    assert ledger.runs() == []


@pytest.mark.parametrize("name", OUTSIDE, ids=ascii)
def test_a_folder_of_another_run_moves_aside(tiny: Project, name: str) -> None:
    """Whatever its id is, it moves beside its own place."""
    directory = folder_with(tiny, id=name)
    results = Results(directory)
    results.make_room({"id": "r2"})
    assert results.run_id() == "r2"
    assert {path.parent for path in tiny.root.rglob("run.json")} == {
        directory,
        *directory.parent.glob("local-v1-*"),
    }
    assert len(list(directory.parent.iterdir())) == 2


def kernel(project: Project, run_id: str = "first") -> str:
    return stamped(build_kernel(project, resolve(project, "base", [])).script.text, run_id=run_id, git="abc")


KERNEL_NAMES: dict[str, Callable[[str, str], str]] = {
    "experiment": lambda text, name: text.replace('experiment="base"', f"experiment={name!r}"),
    "run": lambda text, name: text.replace("run=first", f"run={name}"),
}


@pytest.mark.parametrize("name", ["../../x", "..", "/tmp/x", "a/b", "a\\b", "x" * 300])
@pytest.mark.parametrize("part", list(KERNEL_NAMES))
def test_a_name_in_a_kernel(tiny: Project, ledger: Ledger, part: str, name: str) -> None:
    """The kernel is named as a problem, with the value, and the sound ones are taken in."""
    text = kernel(tiny)
    odd = KERNEL_NAMES[part](text, name)
    assert odd != text
    left = repaired(tiny, ledger, MemoryTarget({"tiny-base": [odd, kernel(tiny, "second")]}))
    assert [run.id for run in ledger.runs()] == ["second"]
    (problem,) = left
    assert problem.startswith("ada/tiny-base v1 on local has values that coord does not write: ")
    assert repr(name) in problem


@pytest.mark.parametrize(
    "path", ["../../x", "..", ".", "", "/tmp/x", "a\\b", "a\nb", "a\0b", "\u202ea", "x" * 300], ids=ascii
)
def test_a_path_in_a_kernel(tiny: Project, ledger: Ledger, path: str) -> None:
    """The kernel cannot be read: no source of it is unpacked, promoted or compared."""
    text = kernel(tiny)
    odd = text.replace('"tiny_model/engine.py"', repr(path))
    assert odd != text
    with pytest.raises(BundleError, match="files cannot be read"):
        read_kernel(odd.encode(), "kernel.py")
    repaired(tiny, ledger, MemoryTarget({"tiny-base": [odd]}))
    assert ledger.runs() == []


@pytest.mark.parametrize("name", OUTSIDE, ids=ascii)
def test_names_of_a_sweep(name: str) -> None:
    """A sweep in a run.json is read as a whole or not at all."""
    said = SWEEP.to_json()
    assert sweeps.from_json(json.loads(json.dumps(said))) == SWEEP
    for field in ("name", "base"):
        assert sweeps.from_json({**said, field: name}) is None
    for field in ("experiment", "base", "whole", "run_id"):
        member = {**said["members"][0], field: name}
        assert sweeps.from_json({**said, "members": [member]}) is None or (field in ("whole", "run_id") and not name)


def test_no_path_of_a_project_leads_out_of_it(tiny: Project) -> None:
    """Whoever asks for one: an error that says which name it was."""
    paths: tuple[Callable[[str], Path], ...] = (
        tiny.build,
        tiny.dry_run,
        lambda name: tiny.results(name, "local", 1),
        lambda name: tiny.results("base", f"../{name}", 1),
        lambda name: tiny.build_lock(f"/{name}"),
        lambda name: tiny.push_lock("local", f"../{name}"),
        lambda name: tiny.fetch_lock(f"../{name}"),
        lambda name: tiny.submit_lock("local", f"../{name}"),
        lambda name: tiny.sweep_lock(f"../{name}"),
    )
    for path, name in itertools.product(paths, OUTSIDE):
        with pytest.raises(ProjectError, match="can be no name of a file"):
            path(name)


@pytest.mark.parametrize(
    "changes",
    [
        {"files": {"../x": "0"}},
        {"files": ["kernel.py"]},
        {"sources": ["a/../../x"]},
        {"sources": [5]},
        {"code_file": "../../kernel.py"},
        {"code_file": "/etc/passwd"},
        {"code_file": None},
        {"schema": 2},
    ],
    ids=ascii,
)
def test_names_in_a_frozen_folder(tmp_path: Path, changes: dict[str, Any]) -> None:
    """`coord promote --verify` reads no file outside of it."""
    manifest = {"schema": 1, "files": {}, "sources": [], "code_file": "kernel.py", "digest": "", **changes}
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(UsageError, match="is not a folder of coord promote"):
        verify(tmp_path)
