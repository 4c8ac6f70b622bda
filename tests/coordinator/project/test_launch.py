"""What runs, with which arguments and where: from the settings, an experiment's file and its bases, to the digest."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from coordinator.errors import BundleError, ExperimentError, ProjectError
from coordinator.kernel.build import assemble
from coordinator.kernel.work import work_to_do
from coordinator.project.experiment import resolve
from coordinator.project.launch import Launch
from coordinator.project.project import Project, find_project
from tests.coordinator.bundle.programs import write_files

CONFIG = "import dataclasses\n@dataclasses.dataclass\nclass Config:\n    seed: int = 0\n"
FILES = {"train.py": "print(1)\n", "infer.py": "", "src/train.py": "", "bin/run": ""}


def _project(root: Path, settings: str = 'entry = "train.py"', **files: Any) -> Project:
    text = f'[tool.coord]\n{settings}\n[tool.coord.kernel]\ntitle = "try {{experiment}}"\n'
    write_files(root, {**FILES, "experiments/base.yaml": "", "pyproject.toml": text, **files})
    return find_project(root)


@pytest.mark.parametrize(
    ("settings", "entry", "cwd"),
    [
        ('entry = "train.py"', "train.py", "checkout"),
        ('entry = "src/train.py"', "src/train.py", "checkout"),
        ('entry = "src.train"', "src.train", "checkout"),
        ('entry = "bin/run"', "bin/run", "checkout"),
        ('entry = "train.py"\ncwd = "working"', "train.py", "working"),
        ('entry = "train.py"\nconfig = "own:Config"', "train.py", "working"),
        ('entry = "train.py"\nconfig = "own:Config"\ncwd = "checkout"', "train.py", "checkout"),
        ('entry = "src.train"\nmodel_source = "src"', "src.train", "working"),
        ("", "model_src.train", "working"),
    ],
)
def test_what_runs_and_where(tmp_path: Path, settings: str, entry: str, cwd: str) -> None:
    """A program of one's own runs in its checkout; a model source, or what reads a dataclass, where its output is."""
    usual = {} if settings else {"model_src/train.py": ""}
    launch = resolve(_project(tmp_path, settings, **{"own.py": CONFIG, **usual}), "base").launch
    assert (launch.entry, launch.cwd, launch.args) == (entry, cwd, ())


def test_the_usual_model_source_needs_no_settings(tmp_path: Path) -> None:
    """model_src, its module train, and its Config where it has one."""
    files = {"model_src/__init__.py": "", "model_src/config.py": CONFIG, "model_src/train.py": ""}
    project = _project(tmp_path, "", **files)
    assert project.settings.config == "model_src.config:Config"
    assert resolve(project, "base").config == {"seed": 0}
    assert resolve(project, "base").launch == Launch("model_src.train")
    named = _project(tmp_path, 'entry = "model_src.train"', **files)
    assert named.settings == project.settings


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ('entry = "trian.py"', 'tool.coord.entry: there is no script "trian.py"'),
        ('entry = "src/train"', 'tool.coord.entry: there is no script "src/train"'),
        ('target = "local"', 'tool.coord.entry: is missing: what runs? entry = "train.py" or "package.train"'),
        ('entry = "train.py"\nargs = [1]', "tool.coord.args.0: must be text, is 1"),
        ('entry = "train.py"\ncwd = "home"', "tool.coord.cwd: must be one of 'checkout', 'working'"),
        ('entry = "train.py"\nconfig = 3', "tool.coord.config: must be text or "),
    ],
)
def test_bad_settings(tmp_path: Path, settings: str, message: str) -> None:
    """Each is told with its name."""
    with pytest.raises(ProjectError) as caught:
        _project(tmp_path, settings)
    assert message in caught.value.what


EXPERIMENTS = {
    "experiments/low.yaml": "base: base\nargs: [--fold, 0, --lr, 1.5]",
    "experiments/lower.yaml": "base: low\nargs: [--last]",
    "experiments/infer.yaml": "base: low\nentry: infer.py\nargs: [--tta]",
    "experiments/more.yaml": "base: infer\nargs: [--more]",
    "experiments/same.yaml": "base: base\nentry: train.py\nargs: [--x]",
}


@pytest.mark.parametrize(
    ("name", "entry", "args"),
    [
        ("base", "train.py", ("--all",)),
        ("low", "train.py", ("--all", "--fold", "0", "--lr", "1.5")),
        ("lower", "train.py", ("--all", "--fold", "0", "--lr", "1.5", "--last")),
        ("infer", "infer.py", ("--tta",)),
        ("more", "infer.py", ("--tta", "--more")),
        ("same", "train.py", ("--all", "--x")),
    ],
)
def test_an_experiment_adds_arguments(tmp_path: Path, name: str, entry: str, args: tuple[str, ...]) -> None:
    """After those of the settings and of its bases; another entry starts without any of them."""
    launch = resolve(_project(tmp_path, 'entry = "train.py"\nargs = ["--all"]', **EXPERIMENTS), name).launch
    assert (launch.entry, launch.args) == (entry, args)


def test_a_script_that_an_experiment_misspells(tmp_path: Path) -> None:
    """It is told with its line."""
    project = _project(tmp_path, **{"experiments/bad.yaml": "about: x\nentry: infre.py\n"})
    with pytest.raises(
        ExperimentError, match=r'bad\.yaml:2: entry: there is no script "infre\.py" \(did you mean "inf'
    ):
        resolve(project, "bad")


def test_the_launch_is_part_of_the_work(tmp_path: Path) -> None:
    """Entry, arguments, folder and delivery; and of the manifest."""
    project = _project(tmp_path, 'entry = "train.py"\nargs = ["--all"]', **EXPERIMENTS)
    built = assemble(project, resolve(project, "base"))
    assert {name: built.manifest[name] for name in ("entry", "args", "cwd", "delivery")} == {
        **{"entry": "train.py", "args": ["--all"], "cwd": "checkout", "delivery": {"kind": "file"}},
    }
    launch = built.experiment.launch
    others = [
        dataclasses.replace(launch, args=()),
        dataclasses.replace(launch, cwd="working"),
        dataclasses.replace(launch, delivery={"kind": "environment"}),
    ]
    experiments = [dataclasses.replace(built.experiment, launch=each) for each in others]
    digests = {work_to_do(assemble(project, each)) for each in (*experiments, resolve(project, "infer"))}
    assert len(digests | {work_to_do(built)}) == 5


def test_a_model_sources_launch_is_no_other_work(tiny: Project) -> None:
    """What an older coord has done, which recorded no launch, is known again."""
    built = assemble(tiny, resolve(tiny, "base"))
    assert built.launch == {}
    other = dataclasses.replace(built.experiment, launch=Launch("tiny_model.config"))
    assert assemble(tiny, other).launch["entry"] == "tiny_model.config"


def test_include_and_exclude(tmp_path: Path) -> None:
    """Files of the settings go in, and stay out."""
    files = {"data/a.txt": "a", "data/b.txt": "b", "pack/__init__.py": "", "pack/x.py": "", "train.py": "import pack\n"}
    project = _project(tmp_path, 'entry = "train.py"\ninclude = ["data/a*"]\nexclude = ["x.py"]', **files)
    built = assemble(project, resolve(project, "base"))
    assert [file.path for file in built.files] == ["data/a.txt", "pack/__init__.py", "train.py"]


@pytest.mark.parametrize(
    ("settings", "experiment"),
    [
        ("args = ['--token', 'KEY']", ""),
        ("", "args: [--token, KEY]"),
        ("", "args: [--url=https://ada:x@host/?token=KEY]"),
    ],
)
def test_a_secret_among_the_arguments_is_refused(tmp_path: Path, settings: str, experiment: str) -> None:
    """The kernel, the manifest and the ledger have the arguments."""
    key = "ghp_" + "aB3dE5gH7jK9mN1pQ3rS5tU7vW9xY1zA3bC5"
    files = {"experiments/base.yaml": experiment.replace("KEY", key)}
    project = _project(tmp_path, f'entry = "train.py"\n{settings.replace("KEY", key)}', **files)
    with pytest.raises(BundleError, match=r"args|launch"):
        assemble(project, resolve(project, "base"))
