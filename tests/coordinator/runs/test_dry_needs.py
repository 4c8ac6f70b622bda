"""A dry run of an experiment with needs: what was fetched of them stands in, or else what their own dry runs left."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from coordinator.errors import ProjectError
from coordinator.kernel.build import build_kernel
from coordinator.ledger.ledger import Ledger
from coordinator.project.experiment import resolve
from coordinator.project.need import Need
from coordinator.project.project import Project, find_project
from coordinator.runs.dry_needs import note_end, stand_in
from coordinator.runs.dry_run import dry_run_kernel
from coordinator.target.protocol import RunState
from tests.coordinator.bundle.programs import write_files
from tests.coordinator.runs.needing import version

NEED = Need("weights", "base")


def _fetch(project: Project, number: int, *names: str) -> Path:
    """A results folder as a fetch leaves it."""
    folder = project.results("base", "local", number)
    output = {name: {"size": 1, "sha256": "0"} for name in names}
    return write_files(folder, {"run.json": json.dumps({"id": f"base-{number}", "output": output})})


def _dry_run(project: Project, exit_code: int) -> Path:
    root = project.dry_run("base")
    (root / "working").mkdir(parents=True)
    note_end(root, exit_code)
    return root / "working"


def test_what_was_fetched_comes_first(tiny: Project, ledger: Ledger) -> None:
    """Of the newest complete version that is here; one line says which that is."""
    _dry_run(tiny, 0)
    for run in (version(1), version(2), version(3), version(4, RunState.ERROR), version(5).as_merged()):
        ledger.add(run)
    _fetch(tiny, 1, "x")
    second = _fetch(tiny, 2, "x")
    _fetch(tiny, 3)  # its files were not fetched
    assert stand_in(tiny, "infer", NEED) == (
        second,
        "weights is results/base/local-v2, the output of base local-v2; v3 is not fetched",
    )
    third = _fetch(tiny, 3, "x")
    assert stand_in(tiny, "infer", NEED) == (third, "weights is results/base/local-v3, the output of base local-v3")
    first, told = stand_in(tiny, "infer", dataclasses.replace(NEED, version=1))
    assert (first.name, told) == ("local-v1", "weights is results/base/local-v1, the output of base local-v1")


def test_only_runs_of_the_usual_target_count(tiny: Project, ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """And only folders that are of the run: a kernel that was deleted counts its versions from 1 again."""
    ledger.add(version(1))
    _fetch(tiny, 1, "x")
    monkeypatch.setenv("COORD_TARGET", "kaggle")
    with pytest.raises(ProjectError):
        stand_in(tiny, "infer", NEED)
    monkeypatch.delenv("COORD_TARGET")
    ledger.add(version(2, id="other"))
    _fetch(tiny, 2, "x")
    assert stand_in(tiny, "infer", NEED)[0].name == "local-v1"


def test_else_its_dry_run(tiny: Project) -> None:
    """If that was complete."""
    working = _dry_run(tiny, 0)
    told = "weights is .coord/dry-run/base/working, the output of its dry run"
    assert stand_in(tiny, "infer", NEED) == (working, told)


@pytest.mark.parametrize(
    ("exit_code", "is_complete", "what", "hint"),
    [
        (
            None,
            False,
            "here",
            "Make one here: coord dry-run --exp base\nor, after a run on local: coord fetch-results --exp base",
        ),
        (3, False, "here: its dry run ended with exit code 3", "Make one here"),
        (None, True, "here", "Fetch it: coord fetch-results --exp base\nor make one here: coord dry-run --exp base"),
    ],
)
def test_without_either(
    tiny: Project, ledger: Ledger, exit_code: int | None, is_complete: bool, what: str, hint: str
) -> None:
    """One message, with both commands; a dry run that failed or was killed left no output."""
    if exit_code is not None:
        _dry_run(tiny, exit_code)
    else:
        (tiny.dry_run("base") / "working").mkdir(parents=True)
    if is_complete:
        ledger.add(version(1))
    with pytest.raises(ProjectError) as refused:
        stand_in(tiny, "infer", NEED)
    assert refused.value.what == f"infer needs base (weights), and no output of it is {what}"
    assert str(refused.value.hint).startswith(hint)


@pytest.mark.parametrize("layout", ["2026", "2025"])
def test_it_is_mounted(tmp_path: Path, layout: str) -> None:
    """The dry run of what makes it, and then of what reads it, in both layouts."""
    files = {
        "pyproject.toml": f'[tool.coord]\nentry = "train.py"\n[tool.coord.kernel]\ntitle = "try {{experiment}}"\n'
        f'[tool.coord.local]\nlayout = "{layout}"\n',
        "train.py": "open('weights.txt', 'w').write('0.25')",
        "infer.py": "import sys; open('submission.csv', 'w').write(open(sys.argv[1]).read())",
        "experiments/train.yaml": "",
        "experiments/infer.yaml": 'entry: infer.py\nneeds: train\nargs: ["${need}/weights.txt"]\n',
    }
    project, said = find_project(write_files(tmp_path, files)), list[str]()
    for name in ("train", "infer"):
        built = build_kernel(project, resolve(project, name))
        done = dry_run_kernel(project, built, on_record=lambda _: None, say=said.append)
        assert done.exit_code == 0
    assert (done.directory / "submission.csv").read_text() == "0.25"
    assert said[-1] == "train is .coord/dry-run/train/working, the output of its dry run"
