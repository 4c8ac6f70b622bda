"""Runs of single folds, merged: what one kernel that ran them all would have left."""

from __future__ import annotations

import json
import threading
from typing import Any

import pytest

from coordinator.errors import RunFailed
from coordinator.files import held
from coordinator.ledger.ledger import Ledger
from coordinator.project.project import Project, find_project
from coordinator.sweeps.merge_folds import merge
from coordinator.sweeps.merged_output import merged_oof
from coordinator.workspace import Workspace
from tests.coordinator.command import Coord, until
from tests.coordinator.finished_runs import finished
from tests.coordinator.shown_progress import check_shown, on_terminal

CONFIG = """

@dataclass(frozen=True)
class Folds:
    n: int = 3
    run: tuple[int, ...] = ()


@dataclass(frozen=True)
class Config:
    seed: int = 0
    folds: Folds = field(default_factory=Folds)
    optim: Optim = field(default_factory=Optim)
    train: Train = field(default_factory=Train)
"""
# Folds of different sizes, and a figure that comes of all folds: whether an image is better than the mean.
TRAIN = '''"""Knows how good it is, and reports that."""

import csv
import json
import os
import statistics
from pathlib import Path

config = json.loads(Path(os.environ["COORD_CONFIG"]).read_text(encoding="utf-8"))
lr, seed = config["optim"]["lr"], config["seed"]
rows, folds = [], []
for fold in config["folds"]["run"] or range(config["folds"]["n"]):
    values = [(f"image{7 * image % 10}-{fold}", 1 / (2 + image * lr + fold + seed)) for image in range(3 + 2 * fold)]
    rows += [[name, fold, value] for name, value in values]
    folds.append({"fold": fold, "value": statistics.fmean(value for _, value in values), "n": len(values)})
mean = statistics.fmean(value for *_, value in rows)
with open("oof.csv", "w", newline="") as file:
    writer = csv.writer(file, lineterminator="\\n")
    writer.writerow(["ImageId", "fold", "dice", "above"])
    writer.writerows(sorted([*row, int(row[2] > mean)] for row in rows))
Path("folds.csv").write_text(f"seed\\n{seed}\\n")


def metric(name, folds):
    values = [fold["value"] for fold in folds]
    sd = statistics.stdev(values) if len(values) > 1 else None
    n = sum(fold["n"] for fold in folds)
    return {"name": name, "mode": "max", "folds": folds, "mean": statistics.fmean(values), "sd": sd, "n": n}


summary = {
    "schema": 1,
    "status": "complete",
    "experiment": os.environ["COORD_EXPERIMENT"],
    "run_id": os.environ["COORD_RUN_ID"],
    "digest": os.environ["COORD_BUNDLE_DIGEST"],
    "seconds": 10.0,
    "primary": {"name": "cv/dice", "mode": "max", "value": mean},
    "metrics": [metric("cv/dice", folds), metric("cv/above", folds)],
    "baselines": [{"name": "half", "metric": "cv/dice", "value": statistics.fmean(row[2] / 2 for row in rows)}],
    "stages": {"train": 9.0},
    "config": config,
    "thresholds": {"mean": mean},
}
Path("metrics.json").write_text(json.dumps(summary))
print("done", flush=True)
'''
SWEEP = """
[tool.coord.sweep]
fold_count = "folds.n"
folds = "folds.run"
of_all_folds = ["cv/above", "above"]

[tool.coord.local]
isolation = "none"
"""


@pytest.fixture
def coord(coord: Coord) -> Coord:
    """`coord` in the tiny project with folds that have images."""
    root = coord.root
    config = root / "tiny_model" / "config.py"
    config.write_text(config.read_text().partition("\n\n@dataclass(frozen=True)\nclass Config")[0] + CONFIG)
    (root / "tiny_model" / "train.py").write_text(TRAIN)
    with (root / "pyproject.toml").open("a") as file:
        file.write(SWEEP)
    return coord


def _swept(coord: Coord, *arguments: str) -> None:
    name = "base--f3" if "--seeds" not in arguments else "base--s2-f3"
    coord.here("sweep", "--exp", "base", *arguments, "--split-folds")
    until(
        lambda: set(json.loads(coord.here("sweep", "status", name, "--json").stdout)["counts"]) == {"complete"},
        "the end of the sweep",
    )


def _summary(coord: Coord, experiment: str, version: int) -> dict[str, Any]:
    file = coord.root / "results" / experiment / f"local-v{version}" / "metrics.json"
    found: dict[str, Any] = json.loads(file.read_text())
    return found


def test_split_folds_give_what_one_kernel_gives(coord: Coord) -> None:
    """The same rows, the same figures to the last digit or two; what comes of all folds together is left out."""
    _swept(coord, "--seeds", "2")
    shown = coord.here("sweep", "merge", "base--s2-f3").stdout
    assert "base--s1 local-v0: merged from 3 runs, one a fold, in results/base--s1/local-v0/" in shown
    coord.here("push", "--exp", "base", "--set", "seed=1", "--wait")
    coord.here("fetch-results", "--exp", "base")

    one, merged = _summary(coord, "base", 1), _summary(coord, "base--s1", 0)
    assert [each["name"] for each in merged["metrics"]] == ["cv/dice"]
    assert merged["metrics"][0] == one["metrics"][0]
    assert merged["primary"]["value"] == pytest.approx(one["primary"]["value"], rel=1e-14)
    assert merged["baselines"][0]["value"] == pytest.approx(one["baselines"][0]["value"], rel=1e-14)
    assert merged["config"] == one["config"]
    assert merged["seconds"] == 30.0
    assert "thresholds" not in merged
    rows = (coord.root / "results" / "base" / "local-v1" / "oof.csv").read_text().splitlines()
    expected = [rows[0], *(row.rpartition(",")[0] + "," for row in rows[1:])]
    assert (coord.root / "results" / "base--s1" / "local-v0" / "oof.csv").read_text().splitlines() == expected

    # The merged runs and the one of all folds are repeats, and the same seed counts once.
    (side,) = json.loads(coord.here("compare", "base", "--json").stdout)["sides"]
    assert ([each["seed"] for each in side["repeats"]], side["n"]) == ([1, 0], 2)

    assert coord.here("ledger", "check").exit_code == 0
    runs = json.loads(coord.here("status", "--json").stdout)
    coord.here("sweep", "merge", "base--s2-f3")
    assert len(json.loads(coord.here("status", "--json").stdout)) == len(runs)
    assert "base--s1" in coord.here("fetch-results", "--exp", "base--s1").stdout
    # What `base --set seed=1` has done counts; a merged run has no kernel.
    assert "1 to run, 1 done already" in coord.here("sweep", "--exp", "base", "--seeds", "2", "--plan").stdout
    assert "base--s1 local-v0 was merged" in coord.here("logs", "--exp", "base--s1", code=1).stderr
    # Its file can be sent, but no kernel's version be named.
    submit = ("submit", "--exp", "base--s1", "--competition", "cup", "--file", "oof.csv")
    assert (
        "was merged from the runs of its folds: there is no version of a kernel" in coord.here(*submit, code=1).stderr
    )
    assert "no competition" in coord.here(*submit, "--upload", code=1).stderr


def test_the_last_fold_that_comes_in_brings_the_merged_run(coord: Coord) -> None:
    """Without a further command, also where large files are left out; once, until a fold's results come anew."""
    _swept(coord)
    for fold in (2, 0):
        assert "local-v0" not in coord.here("fetch-results", "--exp", f"base--f{fold}").stdout
    shown = coord.here("fetch-results", "--exp", "base--f1", "--skip", "folds.csv").stdout
    assert "base local-v0: complete, 4 files in results/base/local-v0/" in shown.replace("\n", " ")
    assert _summary(coord, "base", 0)["merged"] == [f"base--f{fold} local-v1" for fold in range(3)]
    moment = (coord.root / "results" / "base" / "local-v0" / "metrics.json").stat().st_mtime_ns
    assert "local-v0" not in coord.here("fetch-results", "--exp", "base--f1", "--skip", "folds.csv").stdout
    assert (coord.root / "results" / "base" / "local-v0" / "metrics.json").stat().st_mtime_ns == moment
    found = json.loads(coord.here("fetch-results", "--exp", "base--f1", "--force", "--json").stdout)
    assert [(each["experiment"], each["version"]) for each in found] == [("base--f1", 1), ("base", 0)]
    assert "done" in coord.here("logs").stdout


def test_the_project_works_out_what_comes_of_all_folds(coord: Coord) -> None:
    """By a module of its own, which gets the merged folder and the folds'; when that fails, nothing is recorded."""
    file = coord.root / "pyproject.toml"
    file.write_text(file.read_text().replace("[tool.coord.sweep]\n", '[tool.coord.sweep]\nmerge = "tiny_model.join"\n'))
    join = coord.root / "tiny_model" / "join.py"
    join.write_text("raise ValueError('no counts')\n")
    _swept(coord)
    done = coord.here("sweep", "merge", "base--f3", code=1)
    assert "tiny_model.join could not merge the folds of base: ValueError: no counts" in done.stderr
    assert len(json.loads(coord.here("status", "--json").stdout)) == 3
    assert not (coord.root / "results" / "base").exists()
    join.write_text(
        "import json, pathlib, sys\n"
        "file = pathlib.Path(sys.argv[1]) / 'metrics.json'\n"
        "summary = json.loads(file.read_text())\n"
        "file.write_text(json.dumps({**summary, 'thresholds': [pathlib.Path(f).parent.name for f in sys.argv[2:]]}))\n"
    )
    coord.here("sweep", "merge", "base--f3")
    assert _summary(coord, "base", 0)["thresholds"] == ["base--f0", "base--f1", "base--f2"]
    assert json.loads(coord.here("status", "--json").stdout)[0]["summary"] == _summary(coord, "base", 0)


def test_a_merge_shows_how_far_it_is(coord: Coord) -> None:
    """On a terminal; its answer is JSON all the same."""
    _swept(coord)
    out, shown = on_terminal(coord, "sweep", "merge", "base--f3", "--json")
    assert json.loads(out)[0]["experiment"] == "base"
    check_shown(shown, "merging base")


def test_what_does_not_fit_together_is_not_merged(coord: Coord) -> None:
    """A fold that is missing, that stopped early, whose run had other folds or other files: each is named."""
    coord.here("sweep", "--exp", "base", "--split-folds", "--name", "split")
    with Ledger(coord.root / ".coord" / "ledger.sqlite") as ledger:
        project = find_project(coord.root)
        until(
            lambda: (
                coord.here("sweep", "status", "split").exit_code == 0
                and {run.state for run in ledger.runs()} == {"complete"}
            ),
            "the end of the sweep",
        )
        coord.here("fetch-results", "--all")
        runs = sorted((run for run in ledger.runs() if run.version), key=lambda run: run.experiment)
        before = (project.results("base", "local", 0) / "metrics.json").read_bytes()
        folders = [project.results(run.experiment, run.target, 1) for run in runs]
        ledger.update(runs[1].id, state="error")
        assert "base--f1 has failed" in coord.here("sweep", "merge", "split", code=1).stderr
        ledger.update(runs[1].id, state="complete")

        (folders[2] / "folds.csv").write_text("seed\n1\n")
        # They are fetched all the same, but that they can't be merged is a failure.
        done = coord.here("fetch-results", "--exp", "base--f0", "--force", code=1)
        assert "base--f0 local-v1: complete" in done.stdout
        assert "divided the images into folds in different ways" in done.stderr
        with pytest.raises(RunFailed, match="divided the images into folds in different ways"):
            merge(Workspace(project, ledger), "base", runs)
        with pytest.raises(RunFailed, match="is in two folds"):
            merged_oof("base", [folders[0], folders[0]], frozenset())
        (folders[2] / "oof.csv").write_text("ImageId,fold\n")
        with pytest.raises(RunFailed, match="has other columns"):
            merged_oof("base", folders, frozenset())
        summary = folders[0] / "metrics.json"
        summary.write_text(summary.read_text().replace('"complete"', '"incomplete"'))
        with pytest.raises(RunFailed, match="did not finish: its metrics have the status"):
            merge(Workspace(project, ledger), "base", runs)
        (folders[0] / "metrics.json").unlink()
        with pytest.raises(RunFailed, match=r"base--f0 local-v1 has no metrics\.json here"):
            merge(Workspace(project, ledger), "base", runs)
        assert (project.results("base", "local", 0) / "metrics.json").read_bytes() == before


def test_only_what_was_split_can_be_merged(coord: Coord) -> None:
    """And only what is not divided already can be split."""
    coord.here("sweep", "--exp", "base", "--seeds", "2")
    assert "was not split into folds" in coord.here("sweep", "merge", "base--s2", code=2).stderr
    (coord.root / "experiments" / "half.yaml").write_text("base: base\nconfig: {folds: {run: [0]}}\n")
    done = coord.here("sweep", "--exp", "half", "--split-folds", code=2)
    assert "half runs only the folds [0] (folds.run)" in done.stderr


def test_folds_of_different_sources_are_not_merged(tiny: Project) -> None:
    """Nothing is read of them: their mean would be of no model."""
    folds = [
        finished(tiny, f"base--f{fold}", 1, [0.5], folds=[fold], files={"tiny_model/train.py": f"{fold}" * 64})
        for fold in (0, 1)
    ]
    with Ledger(tiny.ledger) as ledger, pytest.raises(RunFailed, match="its folds were not run from the same files"):
        merge(Workspace(tiny, ledger), "base", folds)


def test_one_process_at_a_time_merges_an_experiment(tiny: Project) -> None:
    """Two would replace each other's results; here there are none, so that the error shows when it begins."""
    folds = [finished(tiny, f"base--f{fold}", 1, [0.5], folds=[fold], has_oof=False) for fold in (0, 1)]
    errors: list[str] = []

    def merged() -> None:
        with Ledger(tiny.ledger) as ledger, pytest.raises(RunFailed) as caught:
            merge(Workspace(tiny, ledger), "base", folds)
        errors.append(caught.value.what)

    thread = threading.Thread(target=merged)
    with held(tiny.fetch_lock("local-base"), wait=True):
        thread.start()
        thread.join(0.3)
        assert errors == []
    thread.join(30)
    assert errors == ["base--f0 local-v1 has no metrics.json here"]
