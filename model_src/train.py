"""The training program: cross-validate, predict out of fold, predict the test pictures, find the bottleneck, report.

    python -m model_src.train

Reads the config that `COORD_CONFIG` names (else the defaults), the data below `COORD_KAGGLE_ROOT` (else `/kaggle`),
and writes into the working directory: metrics.jsonl and metrics.json as it goes, folds.csv, fold<k>.pth, oof.csv,
submission.csv, and what was found out: thresholds.csv, oracle.csv, oracle.png, worst.png and worst/. The same seed on
the same machine gives the same numbers; a fold's don't depend on which others run.
"""

from __future__ import annotations

import functools
import os
import platform
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import torch
import torchvision

from .analysis import choose_rule, explain
from .config import Config, load, to_dict
from .data import load_data
from .dataset import ChestXrays
from .fold import train_fold
from .folds import FOLDS_HEADER, fold_rows, held_out, make_folds, sides
from .holdout import measure_holdout
from .inputs import find_file, kaggle_root
from .labels import NO_MASK, encode
from .model import build_model
from .outputs import summarize, write_csv, write_oof, write_submission
from .predict import predict
from .report import Report
from .resume import drop_progress, find_earlier
from .run import Run
from .score import Scored, choose_presence, mean_dice
from .stopping import OutOfTime, Stop
from .thresholds import Rule
from .timing import LoopTimer

OUTPUT = Path()
"""A kernel's output is whatever lies in its working directory."""


def main() -> int:
    """Run the experiment that the environment names."""
    # A session that is asked to end should leave its report behind, like one that fails.
    stop = Stop()
    stop.listen()
    with Report(
        OUTPUT,
        experiment=os.environ.get("COORD_EXPERIMENT", "unbundled"),
        run_id=os.environ.get("COORD_RUN_ID", "unbundled"),
        digest=os.environ.get("COORD_BUNDLE_DIGEST", "unbundled"),
    ) as report:
        path = os.environ.get("COORD_CONFIG")
        try:
            run(load(Path(path) if path else None), report, stop)
        except OutOfTime as reason:
            report.incomplete(str(reason))
    return 0


def run(config: Config, report: Report, stop: Stop) -> None:
    """The whole experiment, or, if its time is over before, the first part of it."""
    this = prepare(config, report, stop)
    data = this.data
    fold_of = make_folds(config, data)
    write_csv(OUTPUT / "folds.csv", FOLDS_HEADER, fold_rows(data, fold_of))
    folds = config.folds.run or range(config.folds.n)
    out_of_fold: list[Scored] = []
    for fold in folds:
        scored = train_fold(this, fold, *sides(data, fold_of, fold))
        out_of_fold += scored
        report.update(profile=this.timer.profile())
        write_oof(OUTPUT / "oof.csv", out_of_fold)
        summarize(config, out_of_fold, report)
        report.fold(fold=fold, folds=len(folds), metrics={"cv/dice": mean_dice(scored)})
    drop_progress(OUTPUT)
    report.message(this.timer.profile()["text"])

    with report.stage("choose"):
        choice = choose_rule(this, out_of_fold)
    write_oof(OUTPUT / "oof.csv", out_of_fold, choice)
    summarize(config, out_of_fold, report, choice)

    if held := held_out(data, fold_of):
        with report.stage("holdout"):
            measure_holdout(this, held, folds, choice.rule)

    with report.stage("predict"):
        presence = choose_presence(out_of_fold)[0] if config.predict.choose_presence else 0.0
        rule = choice.rule if config.predict.choose else Rule.of(config.predict)
        masks = predict_test(this, folds, rule, presence)
        write_submission(OUTPUT / "submission.csv", masks, dict(zip(data.test.ids, data.test.shapes, strict=True)))

    # Last, because a session that ends in it has everything else.
    with report.stage("explain"):
        explain(this, out_of_fold)


def prepare(config: Config, report: Report, stop: Stop) -> Run:
    """Everything that a run needs, found and read."""
    stop.limit(seconds=config.train.time_limit_seconds, steps=config.train.stop_after_steps)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    report.update(config=to_dict(config), versions=versions(), devices=[device_name(device)])
    weights = find_file(config.model.weights, kaggle_root()) if config.model.weights else None
    with report.stage("data"):
        data = load_data(config.data, root=kaggle_root(), say=report.message)
    report.update(counts=data.counts)
    return Run(
        config=config,
        data=data,
        device=device,
        report=report,
        stop=stop,
        timer=LoopTimer(device),
        output=OUTPUT,
        new_model=functools.partial(
            build_model, config.model, config.proposals, image_size=config.data.image_size, weights=weights
        ),
        earlier=find_earlier(config.train.resume_from, root=kaggle_root(), say=report.message),
    )


def predict_test(this: Run, folds: Sequence[int], rule: Rule, presence: float) -> Iterable[tuple[str, str]]:
    """ImageId and encoded mask of every test picture, blank below the score for presence.

    By the folds' mean, or by the best of them.
    """
    test = this.data.test
    models = [this.kept_model(fold) for fold in this.predicting(folds)]
    loader = this.batches(ChestXrays(test, {}, range(len(test.ids))))
    for each in predict(models, loader, tta=this.config.predict.tta, device=this.device):
        mask = each.mask(test.shapes[each.index], rule)
        yield test.ids[each.index], encode(mask) if each.top_score >= presence else NO_MASK


def versions() -> dict[str, str | None]:
    """Of what the numbers depend on."""
    return {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "torchvision": torchvision.__version__,
        "numpy": np.__version__,
        "image": os.environ.get("KAGGLE_DOCKER_IMAGE"),
    }


def device_name(device: torch.device) -> str:
    """The graphics card's name, or "cpu"."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu"


if __name__ == "__main__":
    sys.exit(main())
