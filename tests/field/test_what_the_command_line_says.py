"""A value of the command line loses without a word, or a problem is told without the setting that has it.

Seen: found by trying it on coord (`coord dry-run --set train.epochs=5` ran one epoch; a renamed field of the config
gave "COORD_OVERRIDES: the config has no epochs").
"""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Any

import pytest

from coordinator.errors import ProjectError
from coordinator.project.experiment import resolve
from coordinator.project.project import Project, find_project
from coordinator.runs.dry_overrides import dry_overrides
from tests.coordinator.bundle.programs import write_files
from tests.coordinator.command import Coord


def _with(tiny: Project, overrides: dict[str, Any]) -> Project:
    dry_run = dataclasses.replace(tiny.settings.dry_run, overrides=overrides)
    return dataclasses.replace(tiny, settings=dataclasses.replace(tiny.settings, dry_run=dry_run))


@pytest.mark.parametrize(
    ("settings", "given", "found", "told"),
    [
        ({"train.epochs": 1}, [], {"train.epochs": 1}, 0),
        ({"train.epochs": 1}, ["train.epochs=5"], {"train.epochs": 5}, 1),
        ({"train.epochs": 1}, [" train.epochs =010"], {"train.epochs": 10}, 1),
        ({"train.epochs": 1}, ["seed=3"], {"train.epochs": 1, "seed": 3}, 0),
        ({"train": {"epochs": 1}}, ["train.epochs=5"], {"train": {"epochs": 1}, "train.epochs": 5}, 1),
        (
            {"train.epochs": 1, "seed": 7},
            ["seed=3", "optim.lr=0.5"],
            {"train.epochs": 1, "seed": 3, "optim.lr": 0.5},
            1,
        ),
        ({"optim.lr": 0.1}, ["optim.name=adamw"], {"optim.lr": 0.1, "optim.name": "adamw"}, 0),
    ],
)
def test_the_command_line_wins_and_that_is_told(
    tiny: Project, settings: dict[str, Any], given: list[str], found: dict[str, Any], told: int
) -> None:
    """In the order in which they are applied: a value of the command line comes after the section around it."""
    project, said = _with(tiny, settings), list[str]()
    overrides = dry_overrides(project, resolve(project, "base", given), given, said.append)
    assert list(overrides.items()) == list(found.items())
    assert len([line for line in said if not line.startswith("for the dry run ")]) == told
    assert all("--set" in line and "pyproject.toml" in line for line in said)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"epochs": 1}, '"epochs": the config has no such value (did you mean "train.epochs"?)'),
        ({"train.epoch": 1}, '"train.epoch": the config has no such value (did you mean "train.epochs"?)'),
        ({"seed.x": 1}, '"seed.x": the config has no such value'),
        ({"train.epochs": "two"}, "train.epochs: must be a whole number, is 'two'"),
        ({"train": {"epochs": 1, "more": 2}}, 'train.more: unknown key "more"'),
        ({"optim.lr": 0}, "optim.lr: must be > 0, is 0.0"),
    ],
)
def test_settings_that_the_config_does_not_take_are_told(tiny: Project, settings: dict[str, Any], message: str) -> None:
    """With the file and the table, before anything runs."""
    project = _with(tiny, settings)
    with pytest.raises(ProjectError) as caught:
        dry_overrides(project, resolve(project, "base"), [], print)
    first, *others = caught.value.what.splitlines()
    assert first == "pyproject.toml has 1 problem:"
    assert re.sub(r" \(line [0-9]+\)", "", others[0]).startswith(f"  [tool.coord.dry_run.overrides] {message}")


@pytest.mark.parametrize(
    ("settings", "given", "line"),
    [
        ({"train.epochs": 1}, [], "train.epochs = 1 (not 3)"),
        ({"train.epochs": 1, "seed": 7}, ["seed=3"], "train.epochs = 1 (not 3)"),
        (
            {"train": {"epochs": 1}, "optim.name": "adamw"},
            [],
            'train.epochs = 1 (not 3), optim.name = "adamw" (not "sgd")',
        ),
        ({"train.epochs": 1}, ["train.epochs=5"], None),
        ({"train.epochs": 3}, [], None),
        ({}, ["seed=3"], None),
    ],
)
def test_what_a_dry_run_replaces_is_said(
    tiny: Project, settings: dict[str, Any], given: list[str], line: str | None
) -> None:
    """One line, with the values that it replaces and where that is set; none if nothing is."""
    project, said = _with(tiny, settings), list[str]()
    dry_overrides(project, resolve(project, "base", given), given, said.append)
    where = "([tool.coord.dry_run.overrides] in pyproject.toml; --set wins over it)"
    expected = [f"for the dry run {line} {where}"] if line else []
    assert [each for each in said if each.startswith("for the dry run")] == expected


OVERRIDES = """
[tool.coord.dry_run.overrides]
"train.epochs" = 1
"seed" = "many"
 'optim.rl' = 0.5
"""
PROBLEMS = [
    "[tool.coord.dry_run.overrides] (line {seed}) seed: must be a whole number, is 'many'",
    '[tool.coord.dry_run.overrides] (line {rl}) "optim.rl": the config has no such value (did you mean "optim.lr"?)',
]


@pytest.mark.parametrize(
    "command", [("show", "--exp", "base"), ("doctor",), ("dry-run", "--exp", "base")], ids=" ".join
)
def test_the_overrides_of_a_dry_run_are_checked(coord: Coord, command: tuple[str, ...]) -> None:
    """By `show` and `doctor`, too, and not first when it runs: with the file, the line and the remedy."""
    file = coord.root / "pyproject.toml"
    text = file.read_text(encoding="utf-8").partition("\n[tool.coord.dry_run.overrides]")[0] + OVERRIDES
    file.write_text(text, encoding="utf-8")
    lines = text.splitlines()
    places = {"seed": lines.index('"seed" = "many"') + 1, "rl": lines.index(" 'optim.rl' = 0.5") + 1}
    done = coord.here(*command, code=0 if command[0] == "show" else 1)
    told = " ".join((done.stdout + done.stderr).split())
    for problem in PROBLEMS:
        assert problem.format(**places) in told
    assert "pyproject.toml" in told


def test_flags_in_another_spelling_win_as_well(tmp_path: Path) -> None:
    """A program's own flags: `batch-size` is the value `batch_size`."""
    settings = '[tool.coord]\nentry = "train.py"\nconfig = "argparse"\n[tool.coord.dry_run.overrides]\nbatch_size = 2\n'
    program = (
        "import argparse\nparser = argparse.ArgumentParser()\n"
        "parser.add_argument('--batch-size', type=int, default=64)\nprint(parser.parse_args())\n"
    )
    write_files(tmp_path, {"pyproject.toml": settings, "train.py": program, "experiments/base.yaml": ""})
    project, said = find_project(tmp_path), list[str]()
    assert dry_overrides(project, resolve(project, "base"), [], said.append) == {"batch_size": 2}
    given = ["batch-size=8"]
    assert dry_overrides(project, resolve(project, "base", given), given, said.append) == {"batch_size": 8}
    assert said[0].startswith("for the dry run batch_size = 2 (not 64) (")
    assert said[1].startswith("batch_size is as --set says")


def test_a_sweep_names_the_setting_of_a_renamed_field(coord: Coord) -> None:
    """Not the grid, which the user did not write."""
    with (coord.root / "pyproject.toml").open("a", encoding="utf-8") as file:
        file.write('[tool.coord.sweep]\nfold_seed = "train.fold_seed"\n')
    told = coord.here("sweep", "--exp", "base", "--seeds", "2", code=1).stderr
    assert '[tool.coord.sweep] fold_seed = "train.fold_seed": the config has no such value' in told


SUGGESTIONS = {
    "enable_gpu": "(say machine_shape, ",
    "enableGpu": "(say machine_shape, ",
    "enable_tpu": "(say machine_shape, ",
    "accelerator": "(say machine_shape, ",
    "code_file": "(say nothing: coord writes it itself)",
    "language": "(say nothing: coord writes it itself)",
    "id": "(say title, which gives the address, and owner in [tool.coord])",
    "id_no": "(say title, ",
    "isPrivate": '(did you mean "is_private"?)',
    "private": "(say is_private)",
    "machine-shape": '(did you mean "machine_shape"?)',
    "internet": "(say enable_internet)",
    "enableInternet": '(did you mean "enable_internet"?)',
    "datasetDataSources": "(say dataset_sources)",
    "datasets": "(say dataset_sources)",
    "competition": "(say competition_sources)",
    "sessionTimeoutSeconds": "(say timeout_seconds)",
}


@pytest.mark.parametrize("name", SUGGESTIONS)
def test_names_that_kaggle_has_are_translated(tiny: Project, name: str) -> None:
    """Names of kernel-metadata.json that are retired or that coord writes, names of the API and of the website."""
    text = tiny.pyproject.read_text(encoding="utf-8")
    tiny.pyproject.write_text(text.replace("[tool.coord.kernel]\n", f'[tool.coord.kernel]\n"{name}" = true\n'))
    with pytest.raises(ProjectError) as caught:
        find_project(tiny.root)
    assert f'unknown key "{name}" {SUGGESTIONS[name]}' in caught.value.what


def test_a_key_in_the_wrong_table_is_told_where_it_goes(tiny: Project) -> None:
    """`machine_shape` directly below [tool.coord]."""
    text = tiny.pyproject.read_text(encoding="utf-8")
    tiny.pyproject.write_text(text.replace("[tool.coord]\n", '[tool.coord]\nmachine_shape = "NvidiaTeslaT4"\n'))
    with pytest.raises(ProjectError, match=r'unknown key "machine_shape" \(did you mean "kernel\.machine_shape"\?\)'):
        find_project(tiny.root)
