"""`coord init`: what it makes is a project that works at once, and goes all the way to a score on the local Kaggle."""

from __future__ import annotations

import csv
import json
import os
from pathlib import Path
from typing import get_args

import pytest

from coordinator.errors import UsageError
from coordinator.project import init
from coordinator.project.experiment import experiment_names, resolve
from coordinator.project.project import find_project
from tests.coordinator.command import Coord
from tests.coordinator.new_project import made as made, submitted
from tests.paths import ROOT


def test_minimal_goes_to_a_score(made: Coord) -> None:
    """Made in the current folder, which is empty, its dry run passes; pushed and submitted, it scores like its CV."""
    assert (
        "coord -C . dry-run --exp base" in made.here("init", ".", "--owner", "ada", "--competition", "titanic").output
    )
    made("dry-run", "--exp", "base")
    made.here(
        *("local", "add-competition", "titanic", ".coord/sample-data"),
        *("--solution", ".coord/sample-data-solution.csv"),
    )
    made.here("push", "--exp", "base", "--wait")
    made.here("fetch-results")
    results = made.root / "results" / "base" / "local-v1"
    summary = json.loads((results / "metrics.json").read_text())
    assert summary["status"] == "complete"
    assert summary["primary"]["name"] == "cv/accuracy"
    assert summary["primary"]["value"] > summary["baselines"][0]["value"] + 0.1
    with (results / "oof.csv").open(newline="") as file:
        oof = list(csv.DictReader(file))
    values = [float(row["accuracy"]) for row in oof]
    assert list(oof[0])[:3] == ["id", "fold", "accuracy"]
    assert summary["primary"]["value"] == pytest.approx(sum(values) / len(values))
    events = [json.loads(line) for line in (results / "metrics.jsonl").read_text().splitlines()]
    last = [each["metrics"]["val/accuracy"] for each in events if each["event"] == "epoch" and each["epoch"] == 20]
    assert last == [each["value"] for each in summary["metrics"][0]["folds"]]
    scores = submitted(made, "titanic", "my-project-base")
    assert min(scores) > 0.6


def test_mask_rcnn_is_this_repository_s_model(tmp_path: Path) -> None:
    """The same sources and settings, so that the kernels are the same, but without what is of this repository alone."""
    files = init.init_project(tmp_path / "new", "mask-rcnn", owner="ada")
    here, there = find_project(ROOT), find_project(tmp_path / "new")
    assert there.settings.owner == "ada"
    assert there.settings.kernel.title == "new {experiment}"
    assert there.settings.dry_run == here.settings.dry_run
    assert there.settings.continue_setting == here.settings.continue_setting == "train.resume_from"
    assert experiment_names(there) == ["base", "smoke"]
    assert resolve(there, "smoke").config == resolve(here, "smoke").config
    sources = {str(path.relative_to(ROOT)) for path in (ROOT / "model_src").rglob("*.py")}
    assert sources < set(files)
    assert not any("__pycache__" in file or file.startswith("coordinator") for file in files)
    assert "[tool.hatch" not in there.pyproject.read_text()


@pytest.mark.parametrize("template", get_args(init.Template))
def test_each_template_without_an_owner_is_a_project(tmp_path: Path, template: init.Template) -> None:
    """The owner is left to the credentials, and every experiment resolves."""
    init.init_project(tmp_path / "2026 – größer", template)
    project = find_project(tmp_path / "2026 – größer")
    assert project.settings.owner is None
    assert [resolve(project, name).name for name in experiment_names(project)]
    assert "{{" not in (project.root / "README.md").read_text()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["2026 – größer"]


def test_what_is_there_stays(tmp_path: Path, made: Coord) -> None:
    """A folder that is not empty, or a file, is refused, and nothing changes."""
    (made.root / "notes.txt").write_text("mine")
    assert "which folder?\ncoord init NAME makes a new one" in made.here("init", code=2).output
    assert ". is not empty: notes.txt" in made.here("init", ".", "--template", "minimal", code=2).output
    assert "no Python script was found" in made.here("init", ".", code=2).output
    assert "notes.txt is a file" in made.here("init", "notes.txt", code=2).output
    assert [path.name for path in made.root.iterdir()] == ["notes.txt"]


@pytest.mark.parametrize(
    ("arguments", "written"),
    [
        (("init", "inner"), "model/train.py"),
        (("-C", "sub", "init", "../inner", "--template", "mask-rcnn"), "model_src/train.py"),
        (("init", "sub/deep/inner"), "model/train.py"),
        (("init", "sub/empty"), "model/train.py"),
        (("init", "sub"), "experiments/base.yaml"),
    ],
)
def test_a_project_in_a_project_is_made_only_if_it_is_meant(
    made: Coord, arguments: tuple[str, ...], written: str
) -> None:
    """A new folder, an empty one, a repository: one message, and nothing is made; with --nested it is."""
    made.here("init", ".")
    (made.root / "sub" / "empty").mkdir(parents=True)
    (made.root / "sub" / "train.py").write_text("print(1)\n")
    folder = made.root / ("inner" if "-C" in arguments else arguments[1])
    before = sorted(made.root.rglob("*"))
    output = made.here(*arguments, code=2).output
    assert f"{folder} lies inside another project, {made.root}" in output
    assert "--nested" in output
    assert sorted(made.root.rglob("*")) == before
    made.here(*arguments, "--nested")
    assert find_project(folder).root == folder
    assert (folder / written).is_file()


def test_a_new_repository_becomes_a_project(tmp_path: Path) -> None:
    """`git init` first is as good as afterwards; any other file is in the way."""
    (tmp_path / ".git").mkdir()
    init.init_project(tmp_path, "minimal")
    assert find_project(tmp_path).root == tmp_path
    assert list((tmp_path / ".git").iterdir()) == []


def test_nothing_is_left_where_it_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk is full in the middle: there is no half project."""

    def full(*arguments: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(UsageError, match="new cannot be written: No space left on device"):
        init.init_project(tmp_path / "new", "minimal")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--owner", "a/b"), '--owner "a/b" is not a valid name on Kaggle'),
        (("--competition", "c/titanic"), '--competition "c/titanic" is not a valid name on Kaggle'),
        (("--template", "mask-rcnn", "--competition", "titanic"), "--competition is for the minimal template"),
        (("--template", "mask"), "is not one of"),
    ],
)
def test_bad_options(made: Coord, arguments: tuple[str, ...], message: str) -> None:
    """Each is one message, and nothing is made."""
    assert message in made.here("init", "new", *arguments, code=2).output
    assert not (made.root / "new").exists()


def test_the_sample_data_is_whole_or_not_there(tmp_path: Path) -> None:
    """What a broken-off preparation left is not in the way of the next."""
    init.init_project(tmp_path / "new", "minimal")
    coord = Coord(tmp_path / "new", {**os.environ, "COORD_TARGET": "local"})
    (coord.root / ".coord" / ".sample-data.new").mkdir(parents=True)
    coord("dry-run", "--exp", "base")
    assert sorted(path.name for path in (coord.root / ".coord" / "sample-data").iterdir()) == [
        *("sample_submission.csv", "test.csv", "train.csv")
    ]
