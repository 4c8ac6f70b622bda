"""From a grid to named experiments: which there are, what they are called, and what is refused."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import pytest

from coordinator.errors import CoordError, ExperimentError, UsageError
from coordinator.kaggle_rules import TITLE_MAX
from coordinator.kernel.metadata import kernel_slug, kernel_title
from coordinator.project.experiment import resolve
from coordinator.project.project import Project
from coordinator.project.result_settings import SweepSettings
from coordinator.sweeps.grid import Combination, Start, axes, combinations, sweep_name

BASE = Start("base", "base")


def _made(
    project: Project,
    *grid: str,
    seeds: int | None = None,
    start: Start = BASE,
    taken: Mapping[str, tuple[str, str, tuple[str, ...]]] | None = None,
) -> list[Combination]:
    varied = axes(project, resolve(project, start.base, start.overrides), grid, seeds=seeds, split=False)
    return combinations(project, start, varied, taken or {})


def _titled(project: Project, title: str) -> Project:
    settings = project.settings
    return dataclasses.replace(
        project,
        settings=dataclasses.replace(settings, kernel=dataclasses.replace(settings.kernel, title=title)),
    )


def test_every_combination_is_an_experiment(tiny: Project) -> None:
    """Named by what is special about it, as the checked config has it; the last axis changes first."""
    made = _made(tiny, "optim.lr=1e-3,0.0005", "train.epochs=3,4", seeds=2)
    assert [each.name for each in made] == [
        f"base--lr{lr}-epochs{epochs}-s{seed}" for lr in ("0.001", "0.0005") for epochs in (3, 4) for seed in (0, 1)
    ]
    last = made[-1].experiment
    assert (last.config["optim"]["lr"], last.config["train"]["epochs"], last.config["seed"]) == (0.0005, 4, 1)
    assert (last.name, last.bases, last.overrides) == (
        "base--lr0.0005-epochs4-s1",
        ("base",),
        ("optim.lr=0.0005", "train.epochs=4", "seed=1"),
    )
    assert [change.path for change in last.changes] == ["seed", "optim.lr", "train.epochs"]
    assert last.build_command.startswith("coord build --exp base--lr0.0005-epochs4-s1 --set optim.lr=0.0005")


@pytest.mark.parametrize(
    ("grid", "names"),
    [
        ("optim.name=sgd,adamw", ["base--name=sgd", "base--name=adamw"]),
        ("train.tags=[],[a],[a, b]", ["base--tags=empty", "base--tags=a", "base--tags=a.b"]),
        ("train.crash_in_epoch=null,5", ["base--crash=null", "base--crash5"]),
    ],
)
def test_values_of_all_kinds_have_names(tiny: Project, grid: str, names: list[str]) -> None:
    """Text, lists, nothing: a name is legal whatever the value."""
    assert [each.name for each in _made(tiny, grid)] == names


def test_settings_with_the_same_first_word_are_told_apart(repository: Project) -> None:
    """By more of their path, as little as does it."""
    made = _made(repository, "predict.score_threshold=0.5", "predict.mask_threshold=0.5", "optim.lr=0.1")
    assert made[0].name == "base--score0.5-mask0.5-lr0.1"
    made = _made(repository, "proposals.pre_nms_train=100", "proposals.pre_nms_test=50")
    assert made[0].name == "base--prenmstrain100-prenmstest50"
    made = _made(repository, "optim.name=sgd", "schedule.name=step")
    assert made[0].name == "base--optim.name=sgd-schedule.name=step"


def test_a_long_name_is_cut_and_stays_unique(tiny: Project) -> None:
    """Kaggle's titles have 50 characters: a digest of the settings takes the place of the rest, the same each time."""
    project = _titled(tiny, "the quite long title of a project {experiment}")
    made = _made(project, "optim.lr=0.001,0.002", "train.epochs=10,20")
    assert len({each.name for each in made}) == 4
    assert len({kernel_slug(each.experiment.kernel.title, each.name) for each in made}) == 4
    for each in made:
        assert len(kernel_title(each.experiment.kernel.title, each.name)) <= TITLE_MAX
    assert made == _made(project, "optim.lr=0.001,0.002", "train.epochs=10,20")
    seeded = _made(project, "optim.lr=0.001,0.002", "train.epochs=10,20", seeds=2)
    assert [each.name[-3:] for each in seeded] == ["-s0", "-s1"] * 4
    assert [len({each.name[:-3] for each in seeded[at : at + 2]}) for at in (0, 2, 4, 6)] == [1] * 4
    with pytest.raises(ExperimentError, match="has room for 3 characters"):
        _made(_titled(tiny, "x" * 46 + " {experiment}"), "optim.lr=1")


def test_no_two_experiments_get_one_address(tiny: Project) -> None:
    """`lr0.001` and `lr0-001` would be one kernel on Kaggle; the same experiment of another sweep keeps its name."""
    slug = "tiny-base-lr0-001"
    (other,) = _made(tiny, "optim.lr=0.001", taken={slug: ("base-lr0-001", "base-lr0-001", ())})
    assert other.name.startswith("base--lr0.001-")
    (same,) = _made(tiny, "optim.lr=0.001", taken={slug: ("base--lr0.001", "base", ("optim.lr=0.001",))})
    assert same.name == "base--lr0.001"


def test_a_sweep_of_a_sweeps_experiment(tiny: Project) -> None:
    """Say, the best one once more with other seeds: its name goes on."""
    made = _made(tiny, seeds=2, start=Start("base--lr0.001", "base", ("optim.lr=0.001",)))
    assert [each.name for each in made] == ["base--lr0.001-s0", "base--lr0.001-s1"]
    assert made[1].overrides == ("optim.lr=0.001", "seed=1")


def test_a_sweep_is_called_after_what_varies(tiny: Project) -> None:
    """Unless it is given a name."""
    varied = axes(tiny, resolve(tiny, "base"), ["optim.lr=1,2", "optim.name=sgd"], seeds=3, split=False)
    assert sweep_name(BASE, varied) == "base--lr-name-s3"


@pytest.mark.parametrize(
    ("grid", "message"),
    [
        (["optim.lr"], r'--grid "optim.lr" is not of the form path.to.value=VALUE,VALUE'),
        (["optim.lr=1,,2"], "is not of the form"),
        (["optim.lt=1,2"], r'--grid "optim.lt": unknown name "lt" \(did you mean "lr"\?\)'),
        (["optim=1,2"], '"optim" is a section'),
        (["optim.lr=1,2", "optim.lr=3"], "optim.lr is varied twice"),
        (["optim.lr=0.1,1e-1"], "have the same config: a value is named twice"),
        (["optim.lr=0.1,0.1"], "names 0.1 twice"),
        (["optim.lr=0.1,-1"], "--grid: optim.lr: must be > 0, is -1"),
        (["train.epochs=many"], "must be a whole number"),
        ([f"train.epochs={','.join(map(str, range(201)))}"], "that is 201 experiments; coord makes at most 200"),
        ([], "vary something"),
    ],
)
def test_a_grid_that_makes_no_sense(tiny: Project, grid: list[str], message: str) -> None:
    """One message that says what is wrong with it, before anything is recorded."""
    with pytest.raises(CoordError, match=message):
        _made(tiny, *grid)


def test_seeds_need_a_seed(tiny: Project) -> None:
    """The setting may be called something else, and has to be there."""
    settings = dataclasses.replace(tiny.settings, sweep=SweepSettings(seed="sead"))
    with pytest.raises(ExperimentError, match=r'seed = "sead": the config has no such value \(did you mean "seed"\?\)'):
        _made(dataclasses.replace(tiny, settings=settings), seeds=2)


def test_folds_can_be_split_where_the_project_says_how(tiny: Project) -> None:
    """Or else it is said what is missing."""
    with pytest.raises(UsageError, match="does not say which settings divide a run by its folds"):
        axes(tiny, resolve(tiny, "base"), [], seeds=None, split=True)
