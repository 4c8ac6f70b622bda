"""What averaging is worth: mirrored images, and the models of several folds.

    python -m benchmarks.averaging [--labels CSV] [--images N] [--epochs N]

Trains the experiment "smoke" with a holdout on a drawn data set (with --labels around real masks, half of them empty),
and predicts each image again: without averaging; by the mean of whole maps, in which a view without the instance counts
as 0 (what the model source did before); and by fused instances (model_src/prediction/fusion.py), for several least
overlaps and scores. Each is scored under the thresholds of the config and under the rule that is chosen on the other
folds.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
import math
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from coordinator.project import find_project, resolve
from model_src.analysis.explain import by_fold
from model_src.config import load
from model_src.data.dataset import ChestXrays
from model_src.data.folds import holdout_positions, make_folds, train_and_validation
from model_src.data.rle import union
from model_src.output.report import Report
from model_src.prediction import fusion
from model_src.prediction.predict import Prediction, in_shape, predict
from model_src.prediction.thresholds import Counts, Rule, choose, count, grid
from model_src.score import Scored
from model_src.train import prepare
from model_src.training.run import Run
from model_src.training.stopping import Stop
from runner_test.samples import SampleData, write_sample_data

ROOT = Path(__file__).parents[1]
Maps = Callable[[Prediction, float], npt.NDArray[np.float32]]


def mean_of_maps(prediction: Prediction, threshold: float) -> npt.NDArray[np.float32]:
    """The mean over the views of the union of their instances: 0 in a view without any."""
    size = prediction.size
    maps = np.stack([fusion.united(view, threshold, size) for view in prediction.views])
    mean: npt.NDArray[np.float32] = maps.mean(0).astype(np.float32)
    return mean


def fused(same: float = fusion.SAME, scoring: fusion.Scoring = fusion.votes) -> Maps:
    """Fused instances, with another least overlap of one instance in two views, or another score."""

    def of(prediction: Prediction, threshold: float) -> npt.NDArray[np.float32]:
        instances = fusion.fuse(prediction.views, same=same, scoring=scoring)
        return fusion.united(instances, threshold, prediction.size)

    return of


def of_those_that_saw(scores: Sequence[float], _: int) -> float:
    """The mean over the views that saw it, weighted by the scores; a view that missed it has no vote."""
    return sum(each**2 for each in scores) / sum(scores)


def highest(scores: Sequence[float], _: int) -> float:
    """One view is enough."""
    return max(scores)


WAYS: tuple[tuple[str, Maps], ...] = (
    ("mean of maps (before)", mean_of_maps),
    *((f"votes, IoU {same:g}{' (now)' * (same == fusion.SAME)}", fused(same)) for same in (0.1, 0.3, 0.5)),
    ("mean of the views that saw it", fused(scoring=of_those_that_saw)),
    ("highest score", fused(scoring=highest)),
)


def balanced(labels: Path, folder: Path, images: int) -> Path:
    """A label file with the first images of a real one, half of them with a mask."""
    with gzip.open(labels, "rt", encoding="utf-8-sig") if labels.suffix == ".gz" else labels.open() as file:
        _, *rows = [[value.strip() for value in row] for row in csv.reader(file) if row]
    kinds = [sorted({row[0] for row in rows if (row[1] != "-1") == kind})[: images // 2] for kind in (True, False)]
    chosen = {image_id for kind in kinds for image_id in kind}
    found = folder / "labels.csv"
    with found.open("w", newline="") as file:
        csv.writer(file).writerows([["ImageId", "EncodedPixels"], *(row for row in rows if row[0] in chosen)])
    return found


def trained(folder: Path, arguments: argparse.Namespace) -> Run:
    """The finished run of the experiment on a new data set."""
    source = folder / "input" / "datasets" / "local" / "siim-sample"
    source.parent.mkdir(parents=True)
    if arguments.labels:
        labels = balanced(arguments.labels, folder, arguments.images)
        write_sample_data(source, SampleData(images=arguments.images, test_images=0, labels=labels))
    else:
        write_sample_data(source, SampleData(images=arguments.images, test_images=0, positive=0.5))
    config: dict[str, Any] = resolve(find_project(ROOT), "smoke").config
    config["folds"] |= {"holdout": 0.25}
    config["train"] |= {"epochs": arguments.epochs, "evaluate_every": arguments.epochs}
    config["evaluate"] |= {"oracle": False, "ablation": False, "worst": 0}
    config["data"] |= {"cache_dir": str(folder / "cache")}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "working").mkdir()
    os.environ |= {"COORD_CONFIG": str(folder / "config.json"), "COORD_KAGGLE_ROOT": str(folder)}
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "model_src.train"]
    subprocess.run(command, cwd=folder / "working", env=environment, check=True, stdout=subprocess.DEVNULL)
    (folder / "report").mkdir()
    report = Report(folder / "report", experiment="averaging", run_id="1", digest="2")
    return replace(prepare(load(folder / "config.json"), report, Stop()), output=folder / "working")


def counts(run: Run, seen: Sequence[tuple[int, Prediction]], maps: Maps) -> Counts:
    """The pixel counts of (fold, prediction), for the grid of rules."""
    scores, thresholds, _ = grid(run.config.evaluate, Rule.of(run.config.predict))
    rows: list[tuple[int, int, int, npt.NDArray[np.int64], npt.NDArray[np.int64]]] = []
    for fold, each in seen:
        shape = run.data.train.shapes[each.index]
        truth = union(run.data.labels[run.data.train.ids[each.index]], *shape)
        scaled = [in_shape(torch.from_numpy(maps(each, score)), shape) for score in scores]
        rows.append((fold, truth.size, int(truth.sum()), *count(scaled, truth, thresholds)))
    folds, pixels, truths, areas, overlaps = zip(*rows, strict=True)
    return Counts(
        scores=scores,
        thresholds=thresholds,
        folds=np.array(folds, np.int64),
        pixels=np.array(pixels, np.int64),
        truth=np.array(truths, np.int64),
        area=np.stack(areas),
        overlap=np.stack(overlaps),
    )


def table(run: Run, alone: Counts, ways: Sequence[tuple[str, Counts]]) -> Iterator[str]:
    """A row for each way: dice under the config's thresholds and under a rule chosen on other images."""
    plain = Rule.of(run.config.predict)
    rules = grid(run.config.evaluate, plain)[2]
    base = alone.dice(plain)
    for name, each in (("none", alone), *ways):
        dice = each.dice(plain)
        difference = dice - base[: len(dice)]
        error = float(difference.std(ddof=1)) / math.sqrt(len(dice))
        nested = choose(each, rules).nested_dice
        chosen = "" if nested is None else f"{nested.mean():.4f}"
        yield f"| {name} | {dice.mean():.4f} | {difference.mean():+.4f} ± {error:.4f} | {chosen} |"


def main(arguments: Sequence[str] | None = None) -> int:
    """Train, predict, and print two tables in Markdown."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.averaging", description="What averaging is worth.")
    parser.add_argument("--labels", type=Path, help="draw around the masks of this label file")
    parser.add_argument("--images", type=int, default=120)
    parser.add_argument("--epochs", type=int, default=14)
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="coord-averaging-") as text:
        run = trained(Path(text), given)
        data, config = run.data, run.config
        fold_of = make_folds(config, data)
        held = holdout_positions(data, fold_of)
        head = (
            "| averaging | default thresholds | difference to none | chosen on other folds |\n| --- | --- | --- | --- |"
        )

        scored = []
        for fold in range(config.folds.n):
            for index in train_and_validation(data, fold_of, fold)[1]:
                scored.append(Scored(data.train.ids[index], fold, 0.0, 0, 0, 0.0, ""))
        seen = []
        for fold, (model, batches) in enumerate(by_fold(run, scored)):
            seen += [(fold, each) for each in predict([model], batches, tta="hflip", device=run.device)]
        single = [(fold, each.part(slice(1))) for fold, each in seen]
        print(f"mirrored images, {len(seen)} out-of-fold images\n\n{head}")
        for line in table(run, counts(run, single, fused()), [(name, counts(run, seen, of)) for name, of in WAYS]):
            print(line, flush=True)

        models = [run.kept_model(fold) for fold in range(config.folds.n)]
        batches = run.batches(ChestXrays(data.train, data.labels, held))
        # Halves of the holdout stand for folds, so that a rule is chosen on images that it is not scored on.
        together = [(n % 2, each) for n, each in enumerate(predict(models, batches, tta="none", device=run.device))]
        first = [(half, each.part(slice(1))) for half, each in together]
        print(f"\n{len(models)} folds, {len(held)} images of the holdout (none: the first fold)\n\n{head}")
        for line in table(run, counts(run, first, fused()), [(name, counts(run, together, of)) for name, of in WAYS]):
            print(line, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
