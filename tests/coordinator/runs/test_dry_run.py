"""What is mounted in a dry run, and the values that it replaces."""

from __future__ import annotations

from pathlib import Path

import pytest

from coordinator.kernel.build import build_kernel
from coordinator.project.experiment import resolve
from coordinator.project.project import Project, find_project
from coordinator.runs.dry_overrides import dry_overrides, override_problems
from coordinator.runs.dry_run import dry_run_kernel
from coordinator.target import local
from tests.coordinator.bundle.programs import write_files

KERNEL = (
    '[tool.coord.kernel]\ntitle = "try {experiment}"\ncompetition_sources = ["toy"]\ndataset_sources = ["ada/far"]\n'
)
SHOWN = "print(open('/kaggle/input/competitions/toy/x.txt').read())"


def test_the_local_kaggles_sources_or_one_folder(tmp_path: Path) -> None:
    """Without the setting `input`, what the local Kaggle has is mounted, and what it lacks is told."""
    settings = '[tool.coord]\nentry = "train.py"\n[tool.coord.local]\nisolation = "none"\n' + KERNEL
    files = {
        "pyproject.toml": settings,
        "train.py": "import os\nroot = os.environ['COORD_KAGGLE_ROOT']\n" + SHOWN.replace("'/kaggle", "root + '"),
        "experiments/base.yaml": "",
        "competition/x.txt": "all of it",
        "small/x.txt": "little",
    }
    project = find_project(write_files(tmp_path, files))
    local.add_competition(project, "toy", tmp_path / "competition")
    built, said, printed = build_kernel(project, resolve(project, "base")), list[str](), list[str]()
    done = dry_run_kernel(project, built, on_record=lambda record: printed.append(record.data), say=said.append)
    assert (done.exit_code, "".join(printed)) == (0, "all of it\n")
    (warning,) = said
    assert warning.startswith("warning: nothing is mounted at input/datasets/ada/far. ")
    (tmp_path / "pyproject.toml").write_text(settings + '[tool.coord.dry_run]\ninput = "small"\n', encoding="utf-8")
    project = find_project(tmp_path)
    done = dry_run_kernel(project, built, on_record=lambda record: printed.append(record.data), say=said.append)
    assert (done.exit_code, printed[-1], said) == (0, "little\n", [warning])


@pytest.mark.parametrize("name", ["base", "lr001_step4", "smoke"])
def test_values_that_fit_only_together(repository: Project, name: str) -> None:
    """A dry run takes a smaller network and no weights; weights of the experiment's network would not fit that."""
    experiment = resolve(repository, name, [])
    assert override_problems(repository, experiment) == []
    overrides = dry_overrides(repository, experiment, [], print)
    assert (overrides["model.backbone"], overrides["model.weights"]) == ("resnet18", "none")
