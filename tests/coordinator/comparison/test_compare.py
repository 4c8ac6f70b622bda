"""coord compare: planted effects are found, and what cannot be compared is refused."""

from __future__ import annotations

import csv
import io
import json
import math
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from coordinator.comparison.compare import Report, compare_experiments
from coordinator.comparison.configs import without_seed
from coordinator.comparison.ranking import best
from coordinator.errors import CoordError, NotComparable, RunNotFound, TargetError, UsageError
from coordinator.ledger.ledger import Ledger
from coordinator.project.project import Project, find_project
from coordinator.results.summary import Summary
from coordinator.target.protocol import RunState
from coordinator.workspace import Workspace
from tests.coordinator.command import Coord
from tests.coordinator.finished_runs import finished
from tests.paths import ROOT

IMAGES = 60
RNG = np.random.default_rng(7)
HARDNESS = RNG.uniform(0.3, 0.9, size=IMAGES)  # images differ far more than runs do


def _images(shift: float = 0.0, *, seed: int, noise: float = 0.002) -> list[float]:
    """Values of the images in a run: their hardness, the config's effect, the seed's luck, and each image's own."""
    rng = np.random.default_rng([seed, round(shift * 1e6)])
    return [float(value) for value in HARDNESS + shift + rng.normal(0, noise) + rng.normal(0, 0.02, size=IMAGES)]


def _compare(project: Project, *names: str, metric: str | None = None, paired: bool = False) -> Report:
    with Ledger(project.ledger) as ledger:
        return compare_experiments(Workspace(project, ledger), names, metric=metric, paired=paired)


def _seeds(project: Project, experiment: str, shift: float, seeds: Sequence[int], start: int = 1) -> None:
    """A run a seed of a config of its own."""
    for at, seed in enumerate(seeds):
        sets = [f"optim.lr={0.1 if experiment == 'a' else 0.2}"]
        finished(project, experiment, start + at, _images(shift, seed=seed), seed=seed, sets=sets)


def test_a_real_effect_is_found(tiny: Project) -> None:
    """Five seeds each, planted 0.012 better: b is better, the interval holds the truth, the images are paired."""
    _seeds(tiny, "a", 0.0, range(5))
    _seeds(tiny, "b", 0.012, range(5))
    (found,) = _compare(tiny, "a", "b").comparisons
    assert (found.verdict.kind, found.verdict.winner) == ("better", "b")
    assert found.seeds is not None
    assert found.seeds.low < 0.012 < found.seeds.high
    assert found.images.is_paired
    assert found.images.interval is not None
    assert found.images.interval.low < 0.012 < found.images.interval.high
    assert found.images.interval.estimate == pytest.approx(found.difference)
    assert found.verdict.text.startswith("b is better by 0.01")
    assert found.verdict.text.endswith(", 5 seeds each")
    assert [(change.path, change.base, change.value) for change in found.changes] == [("optim.lr", 0.1, 0.2)]
    assert [fold.fold for fold in found.folds] == ["0", "1"]
    assert found.are_folds_shared
    assert found.fold_runs == ("a local-v5", "b local-v5")
    (other,) = _compare(tiny, "b", "a").comparisons
    assert other.verdict.winner == "b"
    assert other.difference == pytest.approx(-found.difference)


def test_no_effect_is_within_the_noise(tiny: Project) -> None:
    """Two equal configs with three seeds each: you can't tell, and many more seeds would not show it either."""
    _seeds(tiny, "a", 0.0, range(3))
    _seeds(tiny, "b", 0.0, range(10, 13))
    (found,) = _compare(tiny, "a", "b").comparisons
    assert found.verdict.kind == "noise"
    assert found.verdict.winner is None
    assert found.verdict.text.startswith("within the noise of one config: you can't tell; ")


def test_seeds_that_change_nothing_are_no_repeats(tiny: Project) -> None:
    """A spread of 0 measures no noise: no interval of no width, and none for the noise floor."""
    for seed in range(3):
        finished(tiny, "a", 1 + seed, [0.5, 0.6 + seed * 4e-16], seed=seed)  # or nothing but the rounding
        finished(tiny, "b", 1 + seed, [0.7, 0.8], seed=seed, sets=["optim.lr=0.2"])
    found = _compare(tiny, "a", "b")
    assert found.floor is None
    assert "a has the same value whatever the seed" in (_compare(tiny, "a").luck or "")
    assert found.comparisons[0].seeds is None
    assert found.comparisons[0].verdict.kind == "unknown"
    assert "no seed changes anything" in found.comparisons[0].verdict.text


def test_one_run_each_is_about_these_images(tiny: Project) -> None:
    """Sure on the images, and no more is claimed; with another config's repeats the noise floor speaks."""
    _seeds(tiny, "a", 0.0, [0])
    _seeds(tiny, "b", 0.012, [0])
    found = _compare(tiny, "a", "b").comparisons[0].verdict
    assert found.kind == "unknown"
    assert found.text.startswith("these two runs differ on these images (by 0.01")
    assert "without repeats you can't tell whether the config is better" in found.text
    for seed in range(4):
        finished(tiny, "c", 1 + seed, _images(0.1, seed=seed), seed=seed, sets=["optim.lr=0.3"])
    again = _compare(tiny, "a", "b")
    assert again.floor is not None
    assert (again.floor.configs, again.floor.spread.df) == (("c local-v4",), 3)
    assert again.comparisons[0].verdict.kind in {"likely", "noise"}
    for seed in range(4):  # the repeats of one fold alone
        finished(tiny, "d", 1 + seed, _images(seed=seed)[:20], seed=seed, sets=["optim.lr=0.4"])
    assert _compare(tiny, "a", "b").floor == again.floor
    assert "noise floor" in again.comparisons[0].verdict.text


def test_other_folds_are_not_paired(tiny: Project) -> None:
    """The same images in other folds: two samples, said so, with a wider interval; --paired refuses."""
    values = _images(seed=1)
    finished(tiny, "a", 1, values)
    other = [at // 30 for at in range(IMAGES)]
    finished(tiny, "b", 1, [value + 0.01 for value in values], folds=other, sets=["optim.lr=0.2"])
    finished(tiny, "c", 1, [value + 0.01 for value in values], sets=["optim.lr=0.3"])
    apart, paired = _compare(tiny, "a", "b", "c").comparisons
    assert (apart.images.is_paired, paired.images.is_paired) == (False, True)
    assert (apart.are_folds_shared, paired.are_folds_shared) == (False, True)
    assert apart.images.why == "no run of one has the folds of a run of the other"
    assert apart.images.interval is not None
    assert paired.images.interval is not None
    assert apart.images.interval.excludes_zero is False
    assert paired.images.interval.low == pytest.approx(0.01)
    assert apart.level == paired.level == 0.975
    with pytest.raises(NotComparable, match="a and b cannot be paired: no run of one has the folds"):
        _compare(tiny, "a", "b", paired=True)


def test_a_pair_is_one_image(tiny: Project) -> None:
    """The same values on other images differ, image by image, though nothing differs on the whole."""
    values = _images(seed=1)
    finished(tiny, "a", 1, values)
    finished(tiny, "b", 1, values[2:] + values[:2], sets=["optim.lr=0.2"])
    (found,) = _compare(tiny, "a", "b").comparisons
    assert found.images.is_paired
    assert found.images.interval is not None
    assert found.images.interval.estimate == pytest.approx(0)
    assert found.images.interval.high - found.images.interval.low > 0.05


@pytest.mark.parametrize("metric", ["cv/dice", "val/loss"])
def test_which_folds_a_run_had_is_in_its_rows(tiny: Project, metric: str) -> None:
    """Whatever the metric, and whether it has a column or not: all runs of b had other folds than those of a."""
    for seed in range(3):
        for at, (name, shift) in enumerate((("a", 0.0), ("b", 0.1))):
            folds = [image // 30 if at else image % 2 for image in range(IMAGES)]
            values, sets = _images(shift, seed=seed), [f"optim.lr={at + 1}"]
            run = finished(tiny, name, 1 + seed, values, seed=seed, folds=folds, sets=sets)
            with Ledger(tiny.ledger) as ledger:
                ledger.update(
                    run.id,
                    summary=Summary.parse(json.loads(json.dumps(run.reported.to_json()).replace("cv/dice", metric))),
                )
    (found,) = _compare(tiny, "a", "b").comparisons
    assert (found.verdict.kind, found.verdict.winner) == ("likely", "b")
    assert found.are_folds_shared is False
    assert (found.images.interval is None) is (metric == "val/loss")


def test_each_seed_is_paired_with_the_same_folds_of_the_other_side(tiny: Project) -> None:
    """Where the seed makes the folds, only runs with common folds form pairs, and each of those counts the same."""
    late = [at // 30 for at in range(IMAGES)]
    values = _images(seed=1)
    finished(tiny, "a", 1, values, seed=0)
    finished(tiny, "a", 2, [value + 0.2 for value in values], seed=1, folds=late)
    finished(tiny, "b", 1, [value + 0.5 for value in values], seed=1, folds=late, sets=["optim.lr=0.2"])
    images = _compare(tiny, "a", "b").comparisons[0].images
    assert images.is_paired
    assert images.interval is not None
    assert images.interval.estimate == pytest.approx(0.3)  # not against the mean of both, which would be 0.4


def test_each_set_of_folds_counts_the_same(tiny: Project) -> None:
    """However many runs had it: else its luck would be the config's that had it more often."""
    late = [at // 30 for at in range(IMAGES)]
    values = _images(seed=1)
    for version, folds in enumerate(((), (), late), start=1):
        shift = 0.3 if folds else 0.0
        finished(tiny, "a", version, [value + shift for value in values], seed=version, folds=folds)
    for version, folds in enumerate(((), late), start=1):
        shift = 0.3 if folds else 0.0
        finished(
            tiny, "b", version, [value + shift for value in values], seed=version, folds=folds, sets=["optim.lr=0.2"]
        )
    images = _compare(tiny, "a", "b").comparisons[0].images
    assert images.interval is not None
    assert images.interval.estimate == pytest.approx(0)


def test_repeats_inside_one_run_count(tiny: Project) -> None:
    """A run that went through three seeds has three values, with out-of-fold rows each."""
    finished(tiny, "a", 1, _images(seed=0), repeats={1: _images(seed=1), 2: _images(seed=2)})
    finished(tiny, "b", 1, _images(0.05, seed=3), sets=["optim.lr=0.2"], repeats={1: _images(0.05, seed=4)})
    found = _compare(tiny, "a", "b")
    assert [len(side.values) for side in found.sides] == [3, 2]
    assert [repeat.seed for repeat in found.sides[0].repeats] == [0, 1, 2]
    assert found.comparisons[0].verdict.winner == "b"


def test_what_counts_as_a_repeat(tiny: Project) -> None:
    """The same config but for the seed, from any experiment; other sources, other targets and unfetched runs don't."""
    for seed in range(2):
        finished(tiny, f"grid-s{seed}", 1, _images(seed=seed), seed=seed)
    finished(tiny, "grid-s0", 2, _images(seed=0), seed=0)  # the same seed to the last digit
    finished(tiny, "grid-s0", 3, _images(seed=3), seed=3, files={"tiny_model/train.py": "1" * 64}, created_at="2026-01")
    finished(tiny, "grid-s0", 4, _images(seed=4), seed=4, target="kaggle")
    finished(tiny, "grid-s0", 5, _images(seed=5), seed=5, summary=None, has_oof=False)
    finished(tiny, "grid-s0", 6, _images(seed=5), seed=6, state=RunState.ERROR)
    finished(tiny, "grid-s0", 7, _images(seed=5), seed=7, sets=["optim.lr=0.7"], created_at="2026-01")
    found = _compare(tiny, "grid-s0@local-v1", "grid-s1@v1")
    assert [len(side.values) for side in found.sides] == [1, 1]
    # The newest is Kaggle's, and alone there.
    assert [repeat.label for repeat in _compare(tiny, "grid-s0").sides[0].repeats] == ["grid-s0 kaggle-v4"]
    alike = _compare(tiny, "grid-s1").sides[0]
    assert {repeat.label for repeat in alike.repeats} == {"grid-s0 local-v2", "grid-s1 local-v1"}
    text = " ".join(alike.notes)
    assert "1 of 3 values came again with the same seed" in text
    assert "1 run of the same config had other sources" in text
    assert "1 complete run not fetched yet" in text
    assert {side.name for side in _compare(tiny, "grid").sides} == {"grid"}
    finished(tiny, "slow--s0", 1, _images(seed=0), sets=["optim.lr=0.9"])  # of a sweep over seeds alone
    assert _compare(tiny, "slow").sides[0].repeats[0].label == "slow--s0 local-v1"
    finished(tiny, "slow--s0", 2, _images(seed=1), sets=["optim.lr=0.8"], continues="first")
    assert _compare(tiny, "slow").sides[0].repeats[0].label == "slow--s0 local-v1"
    assert _compare(tiny, "slow--s0").sides[0].repeats[0].label == "slow--s0 local-v2"


def test_continued_runs_are_repeats_of_runs_continued_alike(tiny: Project) -> None:
    """The kernel that each seed went on from has another name; once continued and twice continued are two configs."""
    file = tiny.root / "pyproject.toml"
    setting = 'continue_setting = "train.wait_for"\nattached = ["train.wait_for"]\n'
    file.write_text(file.read_text().replace("[tool.coord]\n", f"[tool.coord]\n{setting}", 1))
    project = find_project(tiny.root)
    for seed in range(3):
        name, slug = f"c-s{seed}", f"train.wait_for=ada/c-s{seed}"
        run = finished(project, name, 1, _images(seed=seed), seed=seed)
        run = finished(project, name, 2, _images(0.1, seed=seed), seed=seed, sets=[slug], continues=run.id)
    finished(project, "c-s2", 3, _images(0.2, seed=2), seed=2, sets=[slug], continues=run.id)
    once, first = _compare(project, "c-s0", "c-s0@v1").sides
    assert [repeat.label for repeat in once.repeats] == ["c-s2 local-v2", "c-s1 local-v2", "c-s0 local-v2"]
    assert len(first.values) == 1
    assert len(_compare(project, "c-s2").sides[0].values) == 1
    with Ledger(project.ledger) as ledger:
        ranked, notes = best(Workspace(project, ledger))
    assert [(row["run"], row["n"]) for row in ranked] == [
        ("c-s2 local-v3", 1),
        ("c-s2 local-v2", 3),
        ("c-s2 local-v1", 3),
    ]
    assert [note for note in notes if "Bonferroni" not in note] == []


def test_what_was_not_measured_out_of_fold_has_no_rows(tiny: Project) -> None:
    """holdout/dice is of other images than the column dice of oof.csv: these say nothing about it."""
    for name, shift in (("a", 0.0), ("b", 0.1)):
        run = finished(tiny, name, 1, _images(shift, seed=0), sets=[f"optim.lr={1 + shift}"])
        held = {"name": "holdout/dice", "mode": "max", "folds": [], "mean": 0.5 - shift, "sd": None, "n": 9}
        summary = run.reported.to_json()
        with Ledger(tiny.ledger) as ledger:
            ledger.update(run.id, summary=Summary.parse({**summary, "metrics": [*summary["metrics"], held]}))
    (found,) = _compare(tiny, "a", "b", metric="holdout/dice").comparisons
    assert found.difference == pytest.approx(-0.1)
    assert (found.images.interval, found.folds) == (None, ())
    assert _compare(tiny, "a", "b").comparisons[0].images.interval is not None


def test_merged_runs_are_compared_like_others(tiny: Project) -> None:
    """Version 0 has no kernel, but results; and one such run is no reason not to compare or rank others."""
    for seed in range(3):
        finished(tiny, f"split-s{seed}", 0, _images(seed=seed), seed=seed)
        finished(tiny, f"other-s{seed}", 1, _images(0.05, seed=seed), seed=seed, sets=["optim.lr=0.2"])
    (found,) = _compare(tiny, "split", "other").comparisons
    assert (found.verdict.winner, found.images.is_paired) == ("other", True)
    assert _compare(tiny, "split-s0@v0").sides[0].repeats[0].label == "split-s0 local-v0"
    with Ledger(tiny.ledger) as ledger:
        assert [row["n"] for row in best(Workspace(tiny, ledger))[0]] == [3, 3]


def test_the_rows_are_those_of_the_run(tiny: Project) -> None:
    """A kernel that was deleted counts its versions from 1 again: the older run's results have moved aside."""
    first = finished(tiny, "a", 1, _images(seed=0), created_at="2026-10-01T00:00:00+00:00")
    usual = tiny.results("a", "local", 1)
    usual.rename(usual.with_name(f"{usual.name}-{first.id[:8]}"))
    newest = finished(tiny, "a", 1, _images(seed=1), seed=1)
    assert [repeat.oof and repeat.oof.parent.name for repeat in _compare(tiny, "a").sides[0].repeats] == [
        "local-v1",
        f"local-v1-{first.id[:8]}",
    ]
    finished(tiny, "b", 1, [0.5] * IMAGES, sets=["optim.lr=0.2"])
    found = _compare(tiny, "a", "b").comparisons[0]
    assert found.images.interval is not None
    assert found.images.interval.estimate == pytest.approx(found.difference)  # of both runs, though named alike
    (usual / "run.json").write_text(json.dumps({"id": "of another"}))
    assert _compare(tiny, "a@v1").sides[0].repeats[0].oof is None
    assert newest.id != first.id


def test_the_seed_is_what_the_project_says(tiny: Project) -> None:
    """`sweep.seed` names it, wherever in the config; another value that is called repeat makes another config."""
    file = tiny.root / "pyproject.toml"
    file.write_text(f'{file.read_text()}\n[tool.coord.sweep]\nseed = "train.wait_for"\n')
    project = find_project(tiny.root)
    for number in (1, 2):
        finished(project, "a", number, _images(seed=number), sets=[f"train.wait_for={number}"])
    assert len(_compare(project, "a").sides[0].values) == 2
    assert without_seed(project, {"repeat": 2, "seed": 1, "data": {"repeat": 2}, "folds": {"seed": 1}}) == {
        "data.repeat": 2
    }


def test_figures_that_are_no_numbers(tiny: Project) -> None:
    """Infinite, or none at all: that run has no value in the metric; images without one are left out of the pairs."""
    values = _images(seed=1)
    finished(tiny, "a", 1, values)
    for at, wrong in enumerate((math.inf, None, True)):
        run = finished(tiny, f"w{at}", 1, values, sets=[f"optim.lr=0.{at + 2}"])
        primary = {**run.reported.to_json()["primary"], "value": wrong}
        with Ledger(tiny.ledger) as ledger:
            ledger.update(run.id, summary=Summary.parse({"status": "complete", "primary": primary}))
        with pytest.raises(NotComparable, match="they have no metric in common"):
            _compare(tiny, "a", f"w{at}")
    finished(tiny, "gaps", 1, [value + 0.01 for value in values], sets=["optim.lr=0.7"])
    rows = tiny.results("gaps", "local", 1) / "oof.csv"
    lines = rows.read_text().splitlines()
    rows.write_text("\n".join([lines[0], "image-0,0,nan", "image-1,1,", *lines[3:]]) + "\n")
    found = _compare(tiny, "a", "gaps").comparisons[0].images
    assert (found.images, found.is_paired) == (IMAGES - 2, True)


def test_other_data_and_other_metrics_are_refused(tiny: Project) -> None:
    """Other images, another number of them, another metric, another direction: each says what differs."""
    values = _images(seed=1)
    finished(tiny, "a", 1, values)
    finished(tiny, "b", 1, values[:40], sets=["optim.lr=0.2"])
    finished(tiny, "c", 1, values[:40], sets=["optim.lr=0.3"], has_oof=False)
    finished(tiny, "auc", 1, values, metric="cv/auc", sets=["optim.lr=0.4"])
    finished(tiny, "min", 1, values, mode="min", sets=["optim.lr=0.5"])
    with pytest.raises(NotComparable, match="on other images: 60 and 40, of which 40 are in both"):
        _compare(tiny, "a", "b")
    with pytest.raises(NotComparable, match="a local-v1 was measured on 60 images, c local-v1 on 40"):
        _compare(tiny, "a", "c")
    with pytest.raises(NotComparable, match="different metrics: cv/dice and cv/auc") as refused:
        _compare(tiny, "a", "auc")
    assert refused.value.hint == "a has cv/dice; auc has cv/auc."
    with pytest.raises(
        NotComparable, match='the direction of cv/dice is not the same for all: its mode is "max" in a and "min" in min'
    ):
        _compare(tiny, "a", "min")
    with pytest.raises(UsageError, match=r'measured in cv/dise \(did you mean "cv/dice"\?\)'):
        _compare(tiny, "a", "b", metric="cv/dise")


def test_other_sources_of_data_take_rows_to_be_compared(tiny: Project) -> None:
    """Two configs that name other data: with rows of the same images they are compared, without any refused."""
    file = tiny.root / "pyproject.toml"
    file.write_text(file.read_text().replace("[tool.coord]\n", '[tool.coord]\nattached = ["train.wait_for"]\n', 1))
    project = find_project(tiny.root)
    for name, has_oof in (("a", True), ("same", True), ("other", False)):
        finished(project, name, 1, _images(seed=0), sets=[f"train.wait_for=ada/{name}"], has_oof=has_oof)
    for seed in range(3):
        finished(project, "noisy", 1 + seed, _images(seed=seed), seed=seed, sets=["train.wait_for=ada/noisy"])
    assert len(_compare(project, "a", "same").comparisons) == 1
    assert _compare(project, "a", "same").floor is None  # the noise of other data
    with pytest.raises(NotComparable, match="a reads ada/a, other ada/other: whether the images are the same"):
        _compare(project, "a", "other")


@pytest.mark.parametrize(
    ("name", "error", "message"),
    [
        ("bas", RunNotFound, 'no experiment "bas" (did you mean "base"?)'),
        ("base", RunNotFound, "no run of base, and nothing recorded of it"),
        ("slow", RunNotFound, "no run of slow is complete: slow local-v1 is running"),
        ("crash", RunNotFound, "crash local-v1 has not been fetched"),
        ("a@v9", RunNotFound, "there is no run a@v9"),
        ("a@v1", UsageError, "a@v1 may be any of a@kaggle-v1, a@local-v1"),
        ("a@", UsageError, '"a@" names no run'),
        ("a@recorded", RunNotFound, "nothing is recorded of a"),
        ("early", RunNotFound, "early local-v1 reports that it is stopped"),
    ],
)
def test_names_that_cannot_be_compared(tiny: Project, name: str, error: type[CoordError], message: str) -> None:
    """One message, with what there is instead."""
    finished(tiny, "a", 1, [0.5, 0.6])
    finished(tiny, "a", 1, [0.5, 0.6], target="kaggle")
    finished(tiny, "slow", 1, [0.5, 0.6], state=RunState.RUNNING)
    finished(tiny, "crash", 1, [0.5, 0.6], summary=None)
    finished(tiny, "early", 1, [0.5, 0.6], summary=Summary.parse({"status": "stopped"}))
    with pytest.raises(error) as found:
        _compare(tiny, name)
    assert message in found.value.what


def test_a_thing_is_not_compared_with_itself(tiny: Project) -> None:
    """The same name twice is a slip, and so are two names of one config: each value would be on both sides."""
    finished(tiny, "a", 1, [0.5, 0.6])
    finished(tiny, "b", 1, [0.5, 0.7], seed=1)
    with pytest.raises(UsageError, match="a and b are one config: b local-v1 is a run of both"):
        _compare(tiny, "a", "b")
    assert len(_compare(tiny, "a@v1", "b@v1").comparisons) == 1
    with pytest.raises(UsageError, match="a: compared with itself"):
        _compare(tiny, "a", "a")


def test_rows_that_cannot_be_read(tiny: Project) -> None:
    """A damaged oof.csv is named; one without the metric's column leaves the comparison over seeds."""
    finished(tiny, "a", 1, [0.5, 0.6])
    finished(tiny, "b", 1, [0.5, 0.7], sets=["optim.lr=0.2"])
    file = tiny.results("b", "local", 1) / "oof.csv"
    for text, message in (
        ("ImageId,fold,dice\nimage-0,0,good\n", "cannot be read as out-of-fold rows"),
        ("ImageId,fold,dice\nimage-0,0,1\nimage-0,0,1\n", "has two rows for image-0"),
    ):
        file.write_text(text)
        with pytest.raises(TargetError, match=message):
            _compare(tiny, "a", "b")
    file.write_text("ImageId,fold,auc\nimage-0,0,1\nimage-1,1,1\n")
    images = _compare(tiny, "a", "b").comparisons[0].images
    assert (images.interval, images.why) == (None, "not both have out-of-fold rows in this metric here")


def test_the_diary_asks_its_own_question(repository: Project, tmp_path: Path) -> None:
    """Its four repeats of one config lie further apart than the improvement of step 3 to step 4 can be told from."""
    with Ledger(tmp_path / "ledger.sqlite") as ledger:  # of runs that were never made here
        alone = compare_experiments(Workspace(repository, ledger), ["lr001_step4"])
        found = compare_experiments(Workspace(repository, ledger), ["lr001_step3", "lr001_step4"])
        by_board = compare_experiments(
            Workspace(repository, ledger), ["lr0005_step3", "lr001_step4"], metric="leaderboard/public"
        )
    assert (alone.metric, alone.mode) == ("val/loss", "min")
    assert alone.luck is not None
    assert "4 repeats of lr001_step4 (sd 0.0031)" in alone.luck
    assert "up to 0.014 apart by luck alone" in alone.luck  # 3.182 x 0.00315 x sqrt 2
    (comparison,) = found.comparisons
    assert all(side.is_recorded for side in found.sides)
    assert any("recorded values were measured elsewhere" in note for note in found.notes)
    assert comparison.difference == pytest.approx(-0.00685, abs=1e-5)
    assert comparison.verdict.kind == "noise"
    assert {change.path for change in comparison.changes} == {"schedule.step_size", "train.epochs"}
    assert by_board.comparisons[0].verdict.kind == "unknown"


def test_runs_and_records_can_be_compared_in_a_common_metric(tiny: Project) -> None:
    """A recorded figure joins in, marked, where the metric is the runs'; else both sides' metrics are named."""
    finished(tiny, "a", 1, [0.5, 0.7])
    file = tiny.experiments / "old.yaml"
    file.write_text("base: base\nrecorded: [{metric: cv/dice, mode: max, value: 0.58}]\n")
    found = _compare(tiny, "old", "a")
    assert [side.is_recorded for side in found.sides] == [True, False]
    assert found.comparisons[0].difference == pytest.approx(0.02)
    file.write_text("base: base\nrecorded: [{metric: val/loss, mode: min, value: 0.58}]\n")
    with pytest.raises(NotComparable, match="they have no metric in common"):
        _compare(tiny, "old", "a")


def test_the_command_prints_a_table_json_and_csv(tiny: Project) -> None:
    """80 columns for people, the same figures for programs, and one format at a time."""
    _seeds(tiny, "a", 0.0, range(3))
    _seeds(tiny, "b", 0.03, range(3))
    coord = Coord(tiny.root, {"COLUMNS": "80"})
    shown = coord.here("compare", "a", "b").stdout
    assert "b is better by 0.02" in shown
    assert "paired" in shown
    documented = (ROOT / "docs" / "experiments.md").read_text()
    table = [line for line in shown.splitlines() if line.startswith((" ", "─"))]
    assert max(map(len, table)) <= 80
    data = json.loads(coord.here("compare", "a", "b", "--json").stdout)
    assert data["comparisons"][0]["verdict"]["winner"] == "b"
    assert data["sides"][0]["n"] == 3
    (comparison,) = data["comparisons"]
    for value in (data, data["sides"][0], data["sides"][0]["repeats"][0], comparison, comparison["verdict"]):
        assert [key for key in value if f"`{key}`" not in documented] == []
    (row,) = csv.DictReader(io.StringIO(coord.here("compare", "a", "b", "--csv").stdout))
    assert (row["verdict"], float(row["low"])) == ("better", data["comparisons"][0]["seeds"]["low"])
    (row,) = csv.DictReader(io.StringIO(coord.here("compare", "a", "--csv").stdout))
    assert (row["a"], row["n_a"]) == ("a", "3")
    assert "lie up to" in coord.here("compare", "a").stdout
    assert "not both" in coord.here("compare", "a", "b", "--csv", "--json", code=2).stderr


def test_the_same_seed_again_is_said(tiny: Project) -> None:
    """Two runs of one seed that differ count, with a warning: they may lie closer than two seeds would."""
    finished(tiny, "a", 1, [0.50, 0.60])
    finished(tiny, "a", 2, [0.50, 0.61])
    found = _compare(tiny, "a")
    assert len(found.sides[0].values) == 2
    assert found.notes == ("a: 2 values of 1 seed: runs that share a seed may differ less than seeds do",)


def test_without_numpy_there_is_no_bootstrap(tiny: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """The base install has none: everything else is there, and what is missing is said."""
    _seeds(tiny, "a", 0.0, range(3))
    _seeds(tiny, "b", 0.05, range(3))
    monkeypatch.setitem(sys.modules, "numpy", None)
    (found,) = _compare(tiny, "a", "b").comparisons
    assert found.verdict.winner == "b"
    assert found.images.interval is None
    assert found.images.why == "the bootstrap needs numpy, which is not installed"


def test_two_runs_of_the_local_kaggle(tiny: Project) -> None:
    """Two experiments pushed, fetched and compared; without rows in oof.csv the comparison of means is left."""
    coord = Coord(tiny.root, dict(os.environ))
    (tiny.experiments / "longer.yaml").write_text("base: base\nconfig: {train: {epochs: 4}}\n")
    unfetched = "has not been fetched"
    coord.here("push", "--exp", "base", "--exp", "longer", "--wait")
    assert unfetched in coord.here("compare", "base", "longer", code=1).stderr
    coord.here("fetch-results", "--all")
    (found,) = json.loads(coord.here("compare", "base", "longer", "--json").stdout)["comparisons"]
    assert found["difference"] == pytest.approx(0.05)
    assert found["config"] == [{"path": "train.epochs", "base": 3, "value": 4}]
    assert found["images"]["why"] == "not both have out-of-fold rows in this metric here"
    assert found["verdict"]["kind"] == "unknown"
    assert [row["run"] for row in json.loads(coord.here("best", "--json").stdout)] == [
        "longer local-v1",
        "base local-v1",
    ]
