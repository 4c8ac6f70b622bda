"""From an experiment's file, through its bases and `--set`, to one checked config: and what is said when it fails."""

from __future__ import annotations

import builtins
import statistics
import subprocess
import sys
from pathlib import Path

import pytest

from coordinator.errors import ExperimentError
from coordinator.project.experiment import Change, experiment_names, kernel_titles, resolve
from coordinator.project.project import Project
from tests.coordinator.bundle.programs import write_files

CHAIN = {
    "one.yaml": "about: the first\nconfig:\n  optim: {lr: 1e-3}\nkernel: {machine_shape: NvidiaTeslaT4}\n",
    "two.yaml": "base: one\nconfig:\n  train: {epochs: 7, tags: [a, b]}\n",
    "three.yaml": "base: two\nconfig:\n  train: {tags: [c]}\nkernel: {enable_internet: true}\n",
}


def _error(project: Project, name: str, *overrides: str) -> str:
    with pytest.raises(ExperimentError) as caught:
        resolve(project, name, overrides)
    return caught.value.what


def test_a_chain_of_three(tiny: Project) -> None:
    """Values come from the nearest file that names them, lists are replaced, and only the nearest base is compared."""
    write_files(tiny.experiments, CHAIN)
    found = resolve(tiny, "three")
    assert found.bases == ("two", "one")
    assert found.config == {
        "seed": 0,
        "optim": {"lr": 0.001, "name": "sgd"},
        "train": {"epochs": 7, "crash_in_epoch": None, "wait_for": "", "tags": ["c"]},
    }
    assert found.kernel.machine_shape == "NvidiaTeslaT4"
    assert found.kernel.title == "tiny {experiment}"
    assert found.changes == (
        Change("train.tags", ["a", "b"], ["c"]),
        Change("kernel.enable_internet", False, True),
    )


def test_set_comes_last_and_is_a_change(tiny: Project) -> None:
    """`--set` overrides every file; the later of two wins; all are kept as they were given."""
    write_files(tiny.experiments, CHAIN)
    found = resolve(tiny, "two", ["optim.lr=0.5", "train.epochs=2", "optim.lr=0.25"])
    assert found.config["optim"]["lr"] == 0.25
    assert found.overrides == ("optim.lr=0.5", "train.epochs=2", "optim.lr=0.25")
    assert Change("optim.lr", 0.001, 0.25) in found.changes
    assert Change("train.epochs", 3, 2) in found.changes


def test_an_experiment_without_a_base_differs_from_the_declared_defaults(tiny: Project) -> None:
    """The first of a family is compared with the dataclasses, not with nothing."""
    write_files(tiny.experiments, CHAIN)
    assert [change.path for change in resolve(tiny, "one").changes] == ["optim.lr", "kernel.machine_shape"]
    assert resolve(tiny, "base").changes == ()


def test_whole_numbers_and_floats_are_one_config(tiny: Project) -> None:
    """`lr: 1` and `lr: 1.0` are the same experiment, so they must be the same text in the kernel."""
    write_files(tiny.experiments, {"a.yaml": "config: {optim: {lr: 1}}\n", "b.yaml": "config: {optim: {lr: 1.0}}\n"})
    assert repr(resolve(tiny, "a").config) == repr(resolve(tiny, "b").config)


def test_all_problems_of_all_files_at_once(tiny: Project) -> None:
    """A chain with mistakes of every kind gives one message: file, line, path and a better word for each of them."""
    write_files(
        tiny.experiments,
        {
            "low.yaml": "base: bsae\nabuot: typo\nconfig:\n  optim:\n    lr: .nan\n    nmae: sgd\n",
            "high.yaml": (
                "base: low\nabout: x\n"
                "recorded:\n  - {metric: m, mode: up, value: 1}\n"
                "config:\n  seed: 1.5\n  train:\n    epochs: true\n    tags: [a, [1]]\n  optim: {name: adam}\n"
                "  seed: 2\n"
                "kernel: {is_private: 'no'}\n"
            ),
        },
    )
    first, *problems = _error(tiny, "high", "train.epoch=3").splitlines()
    assert first == 'experiment "high" has 11 problems:'
    assert set(problems) == {
        '  experiments/low.yaml:1: base: there is no experiment "bsae" (did you mean "base"?)',
        '  experiments/low.yaml:2: abuot: unknown key "abuot" (did you mean "about"?)',
        "  experiments/low.yaml:5: config.optim.lr: must be a finite number, is .nan",
        '  experiments/low.yaml:6: config.optim.nmae: unknown key "nmae" (did you mean "name"?)',
        "  experiments/high.yaml:4: recorded.0.mode: must be one of 'max', 'min', is 'up'",
        "  experiments/high.yaml:11: config.seed: is written twice, in lines 6 and 11",
        "  experiments/high.yaml:8: config.train.epochs: must be a whole number, is true",
        "  experiments/high.yaml:9: config.train.tags.1: must be text, is [1]",
        "  experiments/high.yaml:10: config.optim.name: must be one of 'sgd', 'adamw', is 'adam'"
        ' (did you mean "adamw"?)',
        "  experiments/high.yaml:12: kernel.is_private: must be true or false, is 'no'",
        '  --set: "train.epoch": unknown name "epoch" (did you mean "epochs"?)',
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("config: {optim: {lr: .inf}}", "bad.yaml:1: config.optim.lr: must be a finite number, is .inf"),
        ("config: {optim: {lr: 0}}", "bad.yaml:1: config.optim.lr: must be > 0, is 0.0"),
        ("config: {optim: null}", "bad.yaml:1: config.optim: must be a mapping with the keys lr, name, is null"),
        ("config: [1]", "bad.yaml:1: config: must be a mapping, is [1]"),
        ("base: 5", 'bad.yaml:1: base: there is no experiment "5"'),
        ("base: bad", "bad.yaml:1: base: the bases form a circle: bad -> bad"),
        ("\n\nconfig: {sede: 1}", 'bad.yaml:3: config.sede: unknown key "sede" (did you mean "seed"?)'),
        ("recorded: [{metric: m, mode: min}]", "bad.yaml:1: recorded.0.value: is missing"),
        ("recorded: [{metric: m, mode: min, value: .nan}]", "recorded.0.value: must be a finite number, is .nan"),
        ("- a\n- b", "bad.yaml must be a mapping (base, about, config, kernel), not a list"),
        ("config: {a: [}", "bad.yaml is not valid YAML: line 1: "),
        ("config: {seed: 2026-13-45}", "bad.yaml:1: config.seed: must be a whole number, is '2026-13-45'"),
        ("config: &a {optim: *a}", "bad.yaml is not valid YAML: line 1: an alias (*name) stands inside its own"),
        ("a: 1\n---\nb: 2\n", "bad.yaml is not valid YAML: line 2: but found another document"),
        (
            "a: !!python/object/apply:os.getcwd []",
            "bad.yaml is not valid YAML: line 1: the tag !!python/object/apply:os.getcwd cannot",
        ),
        ("a: \0", "bad.yaml is not valid YAML: "),
    ],
)
def test_bad_files(tiny: Project, text: str, message: str) -> None:
    """Every kind of mistake in a file is told with its place, none as a stack trace."""
    write_files(tiny.experiments, {"bad.yaml": text})
    assert message in _error(tiny, "bad")


def test_a_file_that_is_not_text(tiny: Project) -> None:
    """Bytes that are not UTF-8 are told as such; a byte order mark is no mistake."""
    write_files(tiny.experiments, {"latin.yaml": "about: ü".encode("latin-1"), "mark.yaml": b"\xef\xbb\xbfabout: ok"})
    assert "latin.yaml is not UTF-8 text" in _error(tiny, "latin")
    assert resolve(tiny, "mark").about == "ok"


def test_circles_name_the_whole_way(tiny: Project) -> None:
    """Three experiments that build on each other end with an error that shows the circle."""
    write_files(tiny.experiments, {"a.yaml": "base: b", "b.yaml": "base: c", "c.yaml": "base: a"})
    assert "experiments/c.yaml:1: base: the bases form a circle: a -> b -> c -> a" in _error(tiny, "a")


def test_an_unknown_name_offers_what_is_near_and_what_there_is(tiny: Project) -> None:
    """The name is not silently taken as a path, and the known ones are listed."""
    with pytest.raises(ExperimentError) as caught:
        resolve(tiny, "crush")
    assert caught.value.what == 'there is no experiment "crush" in experiments/ (did you mean "crash"?)'
    assert caught.value.hint == "Known: base, crash, slow."
    assert 'there is no experiment "../tiny_model/x"' in _error(tiny, "../tiny_model/x")


def test_a_name_that_kaggle_could_not_carry_is_refused(tiny: Project) -> None:
    """A blank in a name would end up in shell commands and addresses."""
    write_files(tiny.experiments, {"my try.yaml": "about: x"})
    assert _error(tiny, "my try") == '"my try" is not a name: letters, digits and _ . = + - only'


def test_without_a_folder_of_experiments(tiny: Project) -> None:
    """A missing folder is told together with the setting that names it."""
    tiny.experiments.rename(tiny.root / "elsewhere")
    with pytest.raises(ExperimentError, match="there is no folder experiments with experiments"):
        experiment_names(tiny)


def test_bad_defaults_are_found_although_no_file_names_them(tiny: Project) -> None:
    """A config module whose own default is out of type is told before a kernel is made of it."""
    config = "from dataclasses import dataclass\n@dataclass\nclass Config:\n    lr: float = '?'\n"
    write_files(tiny.root, {"tiny_model/config.py": config})
    assert "the defaults of Config: lr: must be a number, is '?'" in _error(tiny, "base")
    assert resolve(tiny, "base", ["lr=1"]).config == {"lr": 1.0}


def test_titles_are_found_without_resolving(tiny: Project) -> None:
    """Each experiment's title follows its bases; a broken file is left out instead of breaking the others."""
    write_files(
        tiny.experiments,
        {
            "named.yaml": "kernel: {title: 'my {experiment}'}",
            "child.yaml": "base: named",
            "circle.yaml": "base: circle",
            "broken.yaml": "kernel: [",
        },
    )
    assert kernel_titles(tiny) == {
        "base": "tiny {experiment}",
        "child": "my {experiment}",
        "circle": "tiny {experiment}",
        "crash": "tiny {experiment}",
        "named": "my {experiment}",
        "slow": "tiny {experiment}",
    }


def test_two_projects_with_the_same_names_in_one_process(tiny: Project, tmp_path: Path) -> None:
    """Model sources of the same name don't get into each other's way, nor stay in sys.modules or on sys.path."""
    other = Project(write_files(tmp_path / "other", {}), tiny.settings)
    for path in sorted(tiny.root.rglob("*")):
        if path.is_file():
            write_files(other.root, {str(path.relative_to(tiny.root)): path.read_bytes()})
    write_files(
        other.root,
        {"tiny_model/config.py": "from dataclasses import dataclass\n@dataclass\nclass Config:\n    depth: int = 3\n"},
    )
    write_files(other.experiments, {"base.yaml": "config: {depth: 4}\n"})
    before = list(sys.path), builtins.__import__
    assert resolve(other, "base").config == {"depth": 4}
    assert resolve(tiny, "base").config["seed"] == 0
    assert resolve(other, "base").config == {"depth": 4}
    assert {name for name in sys.modules if name.startswith("tiny_model")} == set()
    assert (list(sys.path), builtins.__import__) == before
    assert not list(tmp_path.rglob("__pycache__"))


def test_every_experiment_of_this_repository_resolves(repository: Project) -> None:
    """The diary's experiments are complete, and the config class says what none of them says."""
    names = experiment_names(repository)
    assert {"smoke", "base", "lr0005_step3", "lr001_step3", "lr001_step4", "lr001_step4_more"} <= set(names)
    configs = {name: resolve(repository, name).config for name in names}
    assert configs["lr001_step4"]["optim"]["lr"] == 0.001
    assert configs["lr001_step4"]["schedule"]["step_size"] == 4
    assert configs["lr001_step4"]["train"]["epochs"] == 10
    assert configs["lr001_step4_more"]["augment"]["preset"] == "more"
    assert configs["smoke"]["model"]["backbone"] == "resnet18"
    assert len({tuple(config) for config in configs.values()}) == 1


def test_the_diary_is_recorded_with_its_directions(repository: Project) -> None:
    """ "metric (averaged)" is a loss: lower is better. One config was run four times, with a spread of 0.0076."""
    recorded = resolve(repository, "lr001_step4").recorded
    losses = [figure for figure in recorded if figure.metric == "val/loss"]
    assert [figure.mode for figure in losses] == ["min"] * 4
    values = [figure.value for figure in losses]
    assert round(max(values) - min(values), 4) == 0.0076
    assert round(statistics.mean(values), 4) == 0.4350
    (leaderboard,) = [figure for figure in recorded if figure.metric == "leaderboard/public"]
    assert (leaderboard.mode, leaderboard.value) == ("max", 0.8061)
    (step3, public3) = resolve(repository, "lr0005_step3").recorded
    assert (step3.mode, step3.value, public3.mode, public3.value) == ("min", 0.4508452685549855, "max", 0.8042)
    (little,) = resolve(repository, "lr0005_step4_little").recorded
    assert (little.metric, little.mode, little.value) == ("leaderboard/public", "max", 0.8037)


def test_ranges_of_the_real_config_are_told_one_by_one(repository: Project) -> None:
    """Two values out of range in one section are two problems, each at its own path."""
    what = _error(repository, "base", "train.epochs=0", "train.batch_size=0", "folds.n=1", "data.image_size=100")
    assert set(what.splitlines()[1:]) == {
        "  --set: train.epochs: must be >= 1, is 0",
        "  --set: train.batch_size: must be >= 1, is 0",
        "  --set: folds.n: must be >= 2, is 1",
        "  --set: data.image_size: must be a multiple of 32, is 100",
    }


def test_resolving_loads_no_torch(repository: Project) -> None:
    """The user's side stays light: a fresh process that resolves an experiment has neither torch nor numpy loaded."""
    code = (
        "import sys\nfrom coordinator.project import find_project, resolve\n"
        "resolve(find_project(), 'lr001_step4')\n"
        "print(sorted({'torch', 'numpy', 'pandas', 'pydicom', 'model_src'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=repository.root, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
