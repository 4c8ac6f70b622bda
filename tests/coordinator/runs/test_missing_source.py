"""An attached source that is not there: the remedy is the command of its kind, on each target, and it works."""

from __future__ import annotations

import shlex
from dataclasses import replace
from pathlib import Path
from typing import Literal

import pytest

from coordinator.errors import TargetError
from coordinator.ledger.ledger import Ledger
from coordinator.project.experiment import resolve
from coordinator.project.project import Project
from coordinator.runs.missing_source import check_own_sources, kinds_of, source_remedy
from coordinator.workspace import Workspace
from tests.coordinator.bundle.programs import write_files
from tests.coordinator.command import Coord
from tests.coordinator.targets import MemoryTarget

REMEDIES: list[tuple[str, str, Literal["local", "kaggle"], str]] = [
    ("competition_sources", "toy", "local", "coord local add-competition toy DIR"),
    (
        "competition_sources",
        "toy",
        "kaggle",
        "accept the competition's rules: https://www.kaggle.com/competitions/toy/rules",
    ),
    ("dataset_sources", "bob/scans", "local", "coord local add-dataset bob/scans DIR"),
    ("dataset_sources", "bob/scans", "local", "coord data push DIR bob/scans --target local"),
    ("dataset_sources", "bob/scans", "kaggle", "coord data push DIR bob/scans"),
    ("dataset_sources", "bob/scans", "kaggle", "https://www.kaggle.com/datasets/bob/scans"),
    ("model_sources", "bob/net/pyTorch/big/2", "local", "coord local add-model bob/net/pyTorch/big/2 DIR"),
    ("model_sources", "bob/net/pyTorch/big/2", "kaggle", "https://www.kaggle.com/models/bob/net/pyTorch/big/2"),
    ("kernel_sources", "ada/tiny-base", "local", "coord push --exp base --wait --target local"),
    ("kernel_sources", "ada/tiny-base", "kaggle", "coord push --exp base --wait --target kaggle"),
    ("kernel_sources", "ada/tiny-base", "kaggle", "needs: [base]"),
    ("kernel_sources", "bob/tiny-base", "local", "Push the kernel bob/tiny-base to the local Kaggle"),
    ("kernel_sources", "bob/tiny-base", "kaggle", "https://www.kaggle.com/code/bob/tiny-base"),
]


@pytest.mark.parametrize(("kind", "name", "target", "words"), REMEDIES)
def test_each_kind_has_its_own_remedy(
    tiny: Project, kind: str, name: str, target: Literal["local", "kaggle"], words: str
) -> None:
    """And none of another kind's commands."""
    remedy = source_remedy(tiny, kind, name, target)
    assert words in remedy
    others = {"add-dataset": "dataset", "add-competition": "competition", "add-model": "model"}
    assert not [each for each, of in others.items() if each in remedy and not kind.startswith(of)]
    assert ("coord local" in remedy) <= (target == "local")


def test_the_kinds_are_those_of_the_metadata() -> None:
    """In any case; what it does not name is known by its parts."""
    metadata = {"kernel_sources": ["ada/Train"], "dataset_sources": ["bob/scans"], "competition_sources": None}
    assert list(kinds_of(metadata, ["ada/train", "bob/scans", "toy", "b/n/py/v/1"])) == [
        ("kernel_sources", "ada/train"),
        ("dataset_sources", "bob/scans"),
        ("competition_sources", "toy"),
        ("model_sources", "b/n/py/v/1"),
    ]


ATTACHED = {
    "competition_sources": "toy",
    "dataset_sources": "bob/scans",
    "model_sources": "bob/net/pyTorch/big/2",
}


@pytest.mark.parametrize("kind", ATTACHED)
@pytest.mark.parametrize(
    "command", [("doctor", "--target", "local"), ("push", "--exp", "base"), ("dry-run", "--exp", "base")]
)
def test_the_command_that_is_told_mends_it(coord: Coord, tmp_path: Path, kind: str, command: tuple[str, ...]) -> None:
    """In doctor, in a push to the local Kaggle and in a dry run: it can be pasted, and then nothing is missing."""
    name = ATTACHED[kind]
    text = f"kernel:\n  {kind}: [{name}]\n"
    file = coord.root / "experiments/base.yaml"
    file.write_text(file.read_text(encoding="utf-8") + text, encoding="utf-8")
    write_files(tmp_path / "data", {"x.txt": "x"})
    before = coord.here(*command, code=0 if command[0] == "dry-run" else 1)
    told = " ".join((before.stdout + before.stderr).split())
    start = told.index("coord local add-")
    words = shlex.split(told[start:])[:5]
    assert words[3] == name
    coord.here(*words[1:4], str(tmp_path / "data"))
    after = coord.here(*command, *(["--force"] if command[0] == "push" else []))
    assert "coord local add-" not in after.stdout + after.stderr


OWN = '\n[tool.coord.own_sources]\n"*/coco" = "get the file, then: coord data push coco {name}"\n'


@pytest.mark.parametrize("command", [("doctor", "--target", "local"), ("push", "--exp", "base")])
def test_how_to_make_an_own_source_is_told_before_the_push(
    coord: Coord, tmp_path: Path, command: tuple[str, ...]
) -> None:
    """By the doctor, and by a push, which pushes nothing and does it once the source is there."""
    settings, file = coord.root / "pyproject.toml", coord.root / "experiments/base.yaml"
    settings.write_text(settings.read_text(encoding="utf-8") + OWN, encoding="utf-8")
    text = "kernel:\n  dataset_sources: [your-name/coco]\n"
    file.write_text(file.read_text(encoding="utf-8") + text, encoding="utf-8")
    refused = coord.here(*command, code=1)
    assert "get the file, then: coord data push coco your-name/coco" in " ".join(
        (refused.stdout + refused.stderr).split()
    )
    assert "base" not in coord.here("runs").stdout
    write_files(tmp_path / "data", {"x.txt": "x"})
    coord.here("local", "add-dataset", "your-name/coco", str(tmp_path / "data"))
    assert "get the file" not in coord.here(*command).stdout


def test_own_sources_are_asked_for_and_no_others(tiny: Project, ledger: Ledger) -> None:
    """With the kind and the name that the kernel attaches; the message says that nothing was pushed."""
    asked: list[tuple[str, str]] = []

    class Lacking(MemoryTarget):
        def has_source(self, kind: str, name: str) -> bool:
            asked.append((kind, name))
            return name == "me/there-coco"

    project = replace(tiny, settings=replace(tiny.settings, own_sources={"*-coco": "make {name}"}))
    workspace = Workspace(project, ledger, Lacking())
    check_own_sources(workspace, {"dataset_sources": ["bob/scans", "me/there-coco"], "competition_sources": ["toy"]})
    with pytest.raises(TargetError, match=r"me/not-coco is attached.*nothing was pushed") as caught:
        check_own_sources(workspace, {"model_sources": ["me/not-coco"]})
    assert caught.value.hint == "make me/not-coco"
    assert asked == [("dataset_sources", "me/there-coco"), ("model_sources", "me/not-coco")]


def test_this_projects_own_source_is_torchvisions_file(repository: Project) -> None:
    """The attached data set of the base experiment; file name, address and digest are torchvision's."""
    pytest.importorskip("torch", reason="pip install 'coord[train]'")
    from model_src.network.weights import published_url

    experiment = resolve(repository, "base", [])
    (name,) = (
        each for each in experiment.kernel.dataset_sources if each == experiment.config["model"]["weights_source"]
    )
    told = source_remedy(repository, "dataset_sources", name, "kaggle")
    url = published_url(experiment.config["model"]["weights"], experiment.config["model"]["backbone"])
    file = url.rpartition("/")[2]
    folder = name.partition("/")[2]
    assert f"-o {folder}/{file} {url}\n" in told
    assert f"coord data push {folder} {name}" in told
    assert f"SHA-256 begins with {Path(file).stem.rpartition('-')[2]})" in told
