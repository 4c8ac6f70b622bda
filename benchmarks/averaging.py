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
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
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


def mean(scores: Sequence[float], views: int) -> float:
    """The mean, with 0 for a view that missed it: nearly "all must see it"."""
    return sum(scores) / views


def of_those_that_saw(scores: Sequence[float], _: int) -> float:
    """The mean over the views that saw it, weighted by the scores; a view that missed it has no vote."""
    return sum(each**2 for each in scores) / sum(scores)


def highest(scores: Sequence[float], _: int) -> float:
    """One view is enough."""
    return max(scores)


WAYS: tuple[tuple[str, Maps], ...] = (
    ("mean of maps", mean_of_maps),
    ("mean score", fused(scoring=mean)),
    *((f"power mean, IoU {same:g}{' (now)' * (same == fusion.SAME)}", fused(same)) for same in (0.1, 0.3, 0.5)),
    ("mean of the views that saw it", fused(scoring=of_those_that_saw)),
    ("highest score", fused(scoring=highest)),
)


def balanced(labels: Path, folder: Path, images: int) -> Path:
    """A label file with the first images of a real one, half of them with a mask."""
    opened = gzip.open if labels.suffix == ".gz" else open
    with opened(labels, "rt", encoding="utf-8-sig", newline="") as file:
        _, *rows = [[value.strip() for value in row] for row in csv.reader(file) if row]
    kinds = [sorted({row[0] for row in rows if (row[1] != "-1") == kind})[: images // 2] for kind in (True, False)]
    chosen = {image_id for kind in kinds for image_id in kind}
    found = folder / "labels.csv"
    with found.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([["ImageId", "EncodedPixels"], *(row for row in rows if row[0] in chosen)])
    return found


def draw(root: Path, arguments: argparse.Namespace) -> None:
    """Write the data set of the arguments, as it is attached to a kernel whose root this is; if it is not there."""
    source = root / "input" / "datasets" / "local" / "siim-sample"
    if source.exists():
        return
    source.parent.mkdir(parents=True)
    images = arguments.images
    if arguments.labels:
        data = SampleData(images=images, test_images=0, labels=balanced(arguments.labels, root, images))
    else:
        data = SampleData(images=images, test_images=0, positive=0.5)
    write_sample_data(source, data)


def trained(root: Path, name: str, epochs: int, changes: Mapping[str, Any]) -> Path:
    """The output of "smoke" with changed settings, below the folder `name` of the root; trained if it is not there.

    Only the last epoch is evaluated: no epoch is chosen by the score that is measured afterwards.
    """
    folder = root / name
    output = folder / "working"
    config: dict[str, Any] = resolve(find_project(ROOT), "smoke").config
    config["train"] |= {"epochs": epochs, "evaluate_every": epochs}
    config["evaluate"] |= {"oracle": False, "ablation": False, "worst": 0}
    config["data"] |= {"cache_dir": str(root / "cache")}
    for section, values in changes.items():
        config[section] = config[section] | values if isinstance(values, Mapping) else values
    output.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    os.environ |= {"COORD_CONFIG": str(folder / "config.json"), "COORD_KAGGLE_ROOT": str(root)}
    left = output / "metrics.json"
    if not left.exists() or json.loads(left.read_text(encoding="utf-8"))["status"] != "complete":
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        command = [sys.executable, "-m", "model_src.train"]
        subprocess.run(command, cwd=output, env=environment, check=True, stdout=subprocess.DEVNULL)
    return output


def opened(output: Path) -> Run:
    """The run that `trained` left, to predict with."""
    folder = output.parent
    (folder / "report").mkdir(exist_ok=True)
    report = Report(folder / "report", experiment="averaging", run_id="1", digest="2")
    return replace(prepare(load(folder / "config.json"), report, Stop()), output=output)


def mirrored(run: Run) -> list[tuple[int, Prediction]]:
    """(fold, prediction) of each out-of-fold image and its mirror image, in the order of the folds."""
    fold_of = make_folds(run.config, run.data)
    scored = [
        Scored(run.data.train.ids[index], fold, 0.0, 0, 0, 0.0, "")
        for fold in range(run.config.folds.n)
        for index in train_and_validation(run.data, fold_of, fold)[1]
    ]
    return [
        (fold, each)
        for fold, (model, batches) in enumerate(by_fold(run, scored))
        for each in predict([model], batches, tta="hflip", device=run.device)
    ]


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


def covered(counts: Counts, rule: Rule) -> npt.NDArray[np.bool_]:
    """(n): whether the mask of an image is not empty."""
    area = counts.area[:, counts.scores.index(rule.score), counts.thresholds.index(rule.bottom)]
    return np.asarray((area > 0) & counts.predicted(rule))


def table(run: Run, alone: Sequence[Counts], ways: Sequence[tuple[str, Counts]]) -> Iterator[str]:
    """A row for each way: dice under the config's thresholds and under a rule chosen on other images.

    `alone` are the views without averaging; their mean is compared with.
    """
    plain = Rule.of(run.config.predict)
    rules = grid(run.config.evaluate, plain)[2]
    base = np.mean([each.dice(plain) for each in alone], axis=0)
    positive = alone[0].truth > 0
    for name, these in (("none", alone), *((name, [each]) for name, each in ways)):
        dice = np.mean([each.dice(plain) for each in these], axis=0)
        found = np.mean([covered(each, plain) for each in these], axis=0)
        error = float((dice - base).std(ddof=1)) / math.sqrt(len(dice))
        nested = [each for one in these if (each := choose(one, rules).nested_dice) is not None]
        chosen = f"{np.mean(nested):.4f}" if nested else ""
        yield (
            f"| {name} | {dice.mean():.4f} | {found[~positive].sum():g} | {(1 - found)[positive].sum():g} "
            f"| {(dice - base).mean():+.4f} ± {error:.4f} | {chosen} |"
        )


def main(arguments: Sequence[str] | None = None) -> int:
    """Train, predict, and print two tables in Markdown."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.averaging", description="What averaging is worth.")
    parser.add_argument("--labels", type=Path, help="draw around the masks of this label file")
    parser.add_argument("--images", type=int, default=160)
    parser.add_argument("--epochs", type=int, default=14)
    parser.add_argument("--keep", type=Path, help="a folder for the data and the training; one that it has is used")
    given = parser.parse_args(arguments)
    kept = nullcontext(given.keep) if given.keep else tempfile.TemporaryDirectory(prefix="coord-averaging-")
    with kept as text:
        root = Path(text).absolute()
        draw(root, given)
        run = opened(trained(root, "base 0", given.epochs, {"folds": {"seed": 0, "holdout": 0.25}}))
        data, config = run.data, run.config
        held = holdout_positions(data, make_folds(config, data))
        head = (
            "| averaging | dice | false positives | missed | difference to none | rule chosen on other folds |\n"
            "| --- | --- | --- | --- | --- | --- |"
        )

        seen = mirrored(run)
        single = [(fold, each.part(slice(1))) for fold, each in seen]
        print(f"mirrored images, {len(seen)} out-of-fold images\n\n{head}")
        for line in table(run, [counts(run, single, fused())], [(name, counts(run, seen, of)) for name, of in WAYS]):
            print(line, flush=True)

        models = [run.kept_model(fold) for fold in range(config.folds.n)]
        batches = run.batches(ChestXrays(data.train, data.labels, held))
        # Halves of the holdout stand for folds, so that a rule is chosen on images that it is not scored on.
        every = [(n % 2, each) for n, each in enumerate(predict(models, batches, tta="hflip", device=run.device))]
        alone = [
            counts(run, [(half, each.part(slice(view, view + 1))) for half, each in every], fused())
            for view in range(len(models))
        ]
        for views, what in ((len(models), "images"), (2 * len(models), "images and their mirror images")):
            seen = [(half, each.part(slice(views))) for half, each in every]
            print(
                f"\nall {len(models)} folds, {len(held)} {what} of the holdout (none: the mean of each alone)\n\n{head}"
            )
            for line in table(run, alone, [(name, counts(run, seen, of)) for name, of in WAYS]):
                print(line, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
