"""An experiment with needs, as a kernel: what it attaches, what the program gets, and what is refused before a push."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from coordinator.bundle.reader import read_kernel
from coordinator.errors import BundleError, ExperimentError, MetadataError
from coordinator.kernel.build import Build, assemble, build_kernel
from coordinator.kernel.check import check_kernel
from coordinator.kernel.metadata import with_owner
from coordinator.kernel.work import Source, digest_of_work, work_to_do
from coordinator.ledger.work import work_of
from coordinator.project.experiment import resolve
from coordinator.project.project import Project, find_project
from tests.coordinator.bundle.programs import run_kernel, write_files
from tests.coordinator.sample_runs import BARE

SHOW = """import json, os, sys
from pathlib import Path
needs = {key: value for key, value in os.environ.items() if key.startswith("COORD_NEED") or key == "CKPT"}
files = {key: Path(key).read_text() for key in ("conf.yaml", os.environ["COORD_CONFIG"]) if Path(key).is_file()}
print(json.dumps({"args": sys.argv[1:], "env": needs, "files": list(files.values())}))
"""
ARGPARSE = SHOW + (
    "import argparse\nparser = argparse.ArgumentParser()\nparser.add_argument('--ckpt', default='none')\n"
    "parser.add_argument('--more')\nparser.parse_args()\n"
)
FILES = {"show.py": SHOW, "flags.py": ARGPARSE, "conf.yaml": "ckpt: none\n", "conf/config.yaml": "ckpt: none\n"}


def _project(root: Path, settings: str = 'entry = "show.py"', **files: str) -> Project:
    text = f'[tool.coord]\n{settings}\n[tool.coord.kernel]\ntitle = "try {{experiment}}"\n'
    experiments = {"experiments/train.yaml": "config: {ckpt: none}\n", "experiments/cv5.yaml": "config: {ckpt: none}\n"}
    write_files(root, {**FILES, **experiments, "pyproject.toml": text, **files})
    return find_project(root)


def _infer(text: str) -> dict[str, str]:
    return {"experiments/infer.yaml": text}


def _built(project: Project, name: str = "infer") -> Build:
    return assemble(project, resolve(project, name))


IN_CONFIG = _infer('needs: {weights: train}\nconfig: {ckpt: "${needs.weights}/best.pt"}\n')


@pytest.mark.parametrize(
    ("settings", "place"),
    [
        ('entry = "show.py"\ndelivery = "file"', "files"),
        ('entry = "show.py"\ndelivery = "file"\ncwd = "working"', "files"),
        ('entry = "flags.py"\nconfig = "argparse"', "args"),
        ('entry = "flags.py"\nconfig = "argparse"\ncwd = "working"', "args"),
        ('entry = "show.py"\nconfig = "hydra:conf/config"', "args"),
        ('entry = "show.py"\ndelivery = "environment"', "env"),
        ('entry = "show.py"\nconfig = "conf.yaml"', "files"),
        ('entry = "show"\ndelivery = "file"', "files"),
    ],
)
def test_it_reaches_the_program_in_every_delivery(tmp_path: Path, settings: str, place: str) -> None:
    """As a value of the config: in the file, the arguments, Hydra's overrides, the environment, a written file."""
    built = _built(_project(tmp_path, settings, **IN_CONFIG))
    folder = tmp_path / "session" / "input" / "notebooks" / "ada" / "try-train"
    folder.mkdir(parents=True)
    ran = run_kernel(built.script.text, tmp_path / "session")
    assert ran.code == 0, ran.err
    found = json.loads(ran.out)
    assert f"{folder}/best.pt" in json.dumps(found[place])
    assert found["env"].items() >= {"COORD_NEED": str(folder), "COORD_NEED_WEIGHTS": str(folder)}.items()
    assert f"coord: the need weights is {folder}\n" in ran.err


def test_another_entry_with_its_own_arguments(tmp_path: Path) -> None:
    """A base that trains, an experiment that infers from it: the arguments of the base are not those of the other."""
    files = {
        "train.py": "",
        "experiments/train.yaml": "args: [--epochs, 3]\nconfig: {ckpt: none}\n",
        **_infer('base: train\nentry: show.py\nargs: [--from, "${need}/best.pt"]\nneeds: train\n'),
    }
    built = _built(_project(tmp_path, 'entry = "train.py"', **files))
    folder = tmp_path / "session" / "input" / "try-train"
    folder.mkdir(parents=True)
    ran = run_kernel(built.script.text, tmp_path / "session")
    assert json.loads(ran.out)["args"] == ["--from", f"{folder}/best.pt"]
    assert built.warnings == ()


def test_without_its_mount_the_program_does_not_start(tmp_path: Path) -> None:
    """The log says what is missing, and what is attached; the exit code is that of a failure."""
    built = _built(_project(tmp_path, **IN_CONFIG))
    (tmp_path / "session/input/datasets/ada/scans").mkdir(parents=True)
    ran = run_kernel(built.script.text, tmp_path / "session")
    assert ran.code == 1
    assert ran.out == ""
    assert "coord: the need weights is not mounted: there is no folder try-train in " in ran.err
    assert "  datasets/ada/scans/\n" in ran.err


def test_the_owner_is_that_of_the_push(tmp_path: Path) -> None:
    """A build needs none; its metadata are completed; the kernel and its work are the same for every owner."""
    project = _project(tmp_path, **_infer("needs: [train, cv5]\nkernel: {kernel_sources: [Bob/Folds]}\n"))
    built = _built(project)
    assert built.metadata.data["kernel_sources"] == ["bob/folds", "OWNER/try-train", "OWNER/try-cv5"]
    pushed = with_owner(built.metadata, "ada")
    assert pushed.data["kernel_sources"] == ["bob/folds", "ada/try-train", "ada/try-cv5"]
    assert with_owner(pushed, "carl").data["kernel_sources"] == ["bob/folds", "carl/try-train", "carl/try-cv5"]
    owned = _built(dataclasses.replace(project, settings=dataclasses.replace(project.settings, owner="ada")))
    assert owned.metadata.data == pushed.data
    assert owned.script == built.script
    assert json.loads(owned.metadata.text) == owned.metadata.data
    assert work_to_do(owned) == work_to_do(built)


def test_the_work_of_a_push_is_that_of_its_run(tmp_path: Path) -> None:
    """And another one if it reads another version, another kernel, or calls it otherwise."""
    project = _project(tmp_path, **IN_CONFIG)
    built, reads = _built(project), (Source("ada/try-train", 1),)
    run = dataclasses.replace(
        BARE,
        config=built.experiment.config,
        files={file.path: file.sha256 for file in built.files},
        launch=json.loads(json.dumps(built.launch)),
        metadata=with_owner(built.metadata, "ada").data,
        reads=reads,
    )
    work = work_to_do(built, reads)
    assert work_of(run) == work
    assert run.needs_read == {"weights": reads[0]}
    others = [dataclasses.replace(run, reads=(Source("ada/try-train", 2),)), dataclasses.replace(run, reads=())]
    for needs in ({"weights": "try-cv5"}, {"other": "try-train"}, {}):
        others.append(dataclasses.replace(run, launch={**run.launch, "needs": needs}))
    assert work not in {work_of(other) for other in others}


def test_without_needs_the_work_is_what_it_was() -> None:
    """Runs of an older coord that attach kernels are known again."""
    metadata = {"kernel_sources": ["ada/try-train"]}
    assert digest_of_work({}, {}, metadata) != digest_of_work({}, {}, {"kernel_sources": []})
    assert digest_of_work({}, {}, metadata, launch={"entry": "x"}) != digest_of_work({}, {}, {}, launch={"entry": "x"})


def test_it_reads_back(tmp_path: Path) -> None:
    """coord build --check names a need that differs."""
    project = _project(tmp_path, **IN_CONFIG)
    built = build_kernel(project, resolve(project, "infer"))
    assert read_kernel(built.code_file.read_bytes(), "kernel.py").needs == {"weights": "try-train"}
    assert check_kernel(project, built).is_same
    assert json.loads((built.directory / "manifest.json").read_text())["needs"] == [
        {"name": "weights", "experiment": "train", "version": None}
    ]
    write_files(project.root, _infer('needs: {weights: cv5}\nconfig: {ckpt: "${needs.weights}/best.pt"}\n'))
    found = check_kernel(project, _built(project))
    assert [(change.path, change.base, change.value) for change in found.settings] == [
        ("needs.weights", "try-train", "try-cv5")
    ]


@pytest.mark.parametrize("settings", ["", "cwd = 'working'", "delivery = 'environment'", "delivery = 'conf.yaml'"])
def test_in_a_notebook(tmp_path: Path, settings: str) -> None:
    """The cells joined are the script, with checkout, delivery and needs."""
    text = IN_CONFIG["experiments/infer.yaml"] + "kernel: {kernel_type: notebook}\n"
    project = _project(tmp_path, f'entry = "show.py"\n{settings}', **_infer(text))
    built = build_kernel(project, resolve(project, "infer"))
    kernel = read_kernel(built.code_file.read_bytes(), "kernel.ipynb")
    assert kernel.needs == {"weights": "try-train"}
    assert kernel.text == built.script.text
    assert check_kernel(project, built).is_same


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('needs: {data: train}\nconfig: {ckpt: "${needs.date}"}', 'no need has that name (did you mean "data"?)'),
        ('needs: {weights: train}\nargs: ["--x=${needs.w}"]', "the argument --x=${needs.w} has ${needs.w}"),
        ('needs: [train, cv5]\nconfig: {ckpt: "${need}"}', "there are 2 needs: say ${needs.NAME}"),
        ('config: {ckpt: ["${needs.train}"]}', "the value ckpt has ${needs.train}"),
    ],
)
def test_a_use_of_what_is_no_need(tmp_path: Path, text: str, message: str) -> None:
    """The program would get the text as it stands."""
    with pytest.raises(BundleError) as refused:
        _built(_project(tmp_path, **_infer(text)))
    assert message in refused.value.what


@pytest.mark.parametrize("text", ['config: {ckpt: "${need}"}', 'config: {needs: {a: 1}, ckpt: "${needs.a}"}'])
def test_what_another_tool_writes_alike(tmp_path: Path, text: str) -> None:
    """OmegaConf's `${needs.a}` is the config's own value a."""
    assert _built(_project(tmp_path, **_infer(text))).needs == {}


@pytest.mark.parametrize(
    "source",
    ["kernel_sources: [ada/try-train]", "kernel_sources: [bob/Try-Train]", "dataset_sources: [ada/try-train/3]"],
)
def test_a_source_with_the_slug_of_a_need(tmp_path: Path, source: str) -> None:
    """The kernel could not tell which is meant."""
    with pytest.raises(MetadataError, match="has the slug of a need, which coord attaches: leave it out"):
        _built(_project(tmp_path, **_infer(f"needs: train\nkernel: {{{source}}}\n")))


@pytest.mark.parametrize(
    ("use", "is_used"),
    [
        ({"infer.py": "pass"}, False),
        ({"infer.py": "import os; os.environ['COORD_NEED_TRAIN']"}, True),
        ({"infer.py": "open('/kaggle/input/notebooks/ada/try-train/x')"}, True),
        ({"infer.py": "pass", "more": 'args: ["${needs.train}"]'}, True),
        ({"infer.py": "pass", "more": 'config: {ckpt: "${need}"}'}, True),
    ],
)
def test_a_need_that_nothing_reads(tmp_path: Path, use: dict[str, str], is_used: bool) -> None:
    """Most likely it was meant to reach the program, and does not."""
    text = f"needs: train\nentry: infer.py\n{use.pop('more', '')}\n"
    warnings = _built(_project(tmp_path, **_infer(text), **use)).warnings
    assert [warning for warning in warnings if "nothing reads the need train" in warning] == list(warnings)
    assert bool(warnings) is not is_used


def test_a_sweeps_experiment(tmp_path: Path) -> None:
    """It has no file: its kernel's title is that of its base."""
    files = {"experiments/train.yaml": 'kernel: {title: "my {experiment}"}\n', **_infer("needs: train--seed1")}
    assert _built(_project(tmp_path, **files)).needs == {"train__seed1": "my-train-seed1"}


def test_a_need_whose_file_is_broken(tmp_path: Path) -> None:
    """It is named, with the command that says what is wrong with it."""
    files = {"experiments/train.yaml": "config: [", **_infer("needs: train")}
    with pytest.raises(ExperimentError, match="train, which is needed, cannot be read"):
        _built(_project(tmp_path, **files))


def test_an_attached_setting_takes_a_need(tmp_path: Path) -> None:
    """The folder is known in the session only: it is no source that has to be attached."""
    assert _built(_project(tmp_path, 'entry = "show.py"\nattached = ["ckpt"]', **IN_CONFIG)).needs


def test_a_template_that_is_older(tmp_path: Path) -> None:
    """A project's own template without needs would make a kernel that does not find them."""
    own = {"templates/kernel.py.j2": "run(files={}, archive='', config=None, entry='', experiment='') # checkout"}
    project = _project(tmp_path, 'entry = "show.py"\ntemplates = "templates"\ncwd = "working"', **IN_CONFIG, **own)
    with pytest.raises(BundleError, match="does not use needs"):
        _built(project)
